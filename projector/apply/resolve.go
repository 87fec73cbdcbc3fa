package apply

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"freshet/projector/batch"
	"freshet/projector/compile"
)

// maxKeys bounds the keys held in memory for one read model of a batch: past
// it the whole model is rebuilt by a cursor instead, which needs no memory.
const maxKeys = 1_000_000

// affected is what a batch must rebuild of each read model.
type affected struct {
	keys  map[int]map[string]struct{} // by read model
	whole map[int]bool
}

func (f *affected) add(model int, key string) {
	if f.whole[model] {
		return
	}
	set := f.keys[model]
	if set == nil {
		set = map[string]struct{}{}
		f.keys[model] = set
	}
	set[key] = struct{}{}
	if len(set) > maxKeys {
		f.setWhole(model)
	}
}

func (f *affected) setWhole(model int) {
	f.whole[model] = true
	delete(f.keys, model)
}

func newAffected() *affected {
	return &affected{keys: map[int]map[string]struct{}{}, whole: map[int]bool{}}
}

// maxEarly is how many documents may be rebuilt before the batch is complete:
// their log rows are kept in memory until then.
const maxEarly = 5000

func (f *affected) large() bool {
	n := 0
	for _, set := range f.keys {
		n += len(set)
	}
	return len(f.whole) > 0 || n > maxEarly
}

// sorted returns a read model's keys in order: rows are always locked in the
// same order, and a batch is the same whenever it is replayed.
func (f *affected) sorted(model int) []string {
	keys := make([]string, 0, len(f.keys[model]))
	for k := range f.keys[model] {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// follow follows every dirty path to the keys of its read model, all on the
// batch's snapshot.
func (a *Applier) follow(ctx context.Context, dirty *batch.Dirty, found *affected) error {
	for _, model := range dirty.Whole() {
		found.setWhole(model)
	}
	var b pgx.Batch
	for _, source := range a.plan.Sources {
		for _, path := range source.Paths {
			if found.whole[path.Model.ID] {
				continue
			}
			if err := queuePath(&b, path, dirty, found); err != nil {
				return fmt.Errorf("path %s: %w", path.Via, err)
			}
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return a.conn.SendBatch(ctx, &b).Close()
}

// queuePath adds the keys of a direct path to found, and the queries of any
// other to the batch.
func queuePath(b *pgx.Batch, path *compile.Path, dirty *batch.Dirty, found *affected) error {
	if path.Direct {
		for v := range dirty.Values(path.ID) {
			found.add(path.Model.ID, string(v))
		}
		return nil
	}
	for part := range slices.Chunk(slices.Collect(dirty.Values(path.ID)), chunk) {
		args, err := columns(path, part)
		if err != nil {
			return err
		}
		b.Queue(path.SQL, args...).Query(func(rows pgx.Rows) error {
			return readKeys(rows, path.Model.ID, found)
		})
	}
	return nil
}

func readKeys(rows pgx.Rows, model int, found *affected) error {
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return fmt.Errorf("read affected key: %w", err)
		}
		found.add(model, key)
	}
	return rows.Err()
}

// columns turns start values into one array for each start column, in step.
func columns(path *compile.Path, values []batch.Value) ([]any, error) {
	arrays := make([][]string, len(path.Start))
	for _, v := range values {
		parts, err := v.Split(len(path.Start))
		if err != nil {
			return nil, err
		}
		for i, part := range parts {
			arrays[i] = append(arrays[i], part)
		}
	}
	args := make([]any, len(arrays))
	for i := range arrays {
		args[i] = arrays[i]
	}
	return args, nil
}
