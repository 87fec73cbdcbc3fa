package apply

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"freshet/projector/batch"
	"freshet/projector/compile"
)

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
			if err := a.queuePath(&b, path, dirty, found); err != nil {
				return fmt.Errorf("path %s: %w", path.Via, err)
			}
		}
	}
	for b.Len() > 0 {
		if err := a.conn.SendBatch(ctx, &b).Close(); err != nil {
			return a.attribute(err)
		}
		b = pgx.Batch{}
		if err := a.takeApart(&b, found); err != nil {
			return err
		}
	}
	return nil
}

// queuePath adds the keys of a direct path to found, and the queries of any
// other to the batch: what leads to too many documents is put off.
func (a *Applier) queuePath(b *pgx.Batch, path *compile.Path, dirty *batch.Dirty, found *affected) error {
	if path.Direct {
		for v := range dirty.Values(path.ID) {
			found.add(path.Model.ID, string(v))
		}
		if len(path.Kept) > 0 {
			for v := range dirty.Values(path.PatchID) {
				a.found(found, path, string(v))
			}
		}
		return nil
	}
	for values := range slices.Chunk(slices.Collect(dirty.Values(path.ID)), chunk) {
		if err := a.queuePart(b, part{path, values}, found); err != nil {
			return err
		}
	}
	return nil
}

// part is some start values of a path.
type part struct {
	path   *compile.Path
	values []batch.Value
}

func (a *Applier) queuePart(b *pgx.Batch, p part, found *affected) error {
	arrays, err := columns(p.path, p.values)
	if err != nil {
		return err
	}
	if a.limit < 0 {
		b.Queue(p.path.SQL, arguments(arrays)...).Query(func(rows pgx.Rows) error {
			return compile.OfModel(p.path.Model.Name, readKeys(rows, func(key string) { a.found(found, p.path, key) }))
		})
		return nil
	}
	b.Queue(p.path.Probe, append(arguments(arrays), int64(a.limit)+1)...).Query(func(rows pgx.Rows) error {
		return compile.OfModel(p.path.Model.Name, a.w.probe(rows, p, found))
	})
	return nil
}

// probe takes the documents that a part leads to. Where they are too many it
// is taken apart, down to the values that lead to too many by themselves: only
// these are put off, so that whatever is of an ordinary size stays whole.
func (w *writer) probe(rows pgx.Rows, p part, found *affected) error {
	var keys []string
	if err := readKeys(rows, func(key string) { keys = append(keys, key) }); err != nil {
		return err
	}
	switch {
	case len(keys) <= w.applier.limit:
		for _, key := range keys {
			w.applier.found(found, p.path, key)
		}
	case len(p.values) == 1:
		w.putOff(p.path, p.values)
	default:
		w.heavy = append(w.heavy, p)
	}
	return nil
}

// pieces is into how many a part is taken apart.
const pieces = 8

// takeApart queues the parts that led to too many documents, in smaller ones.
func (a *Applier) takeApart(b *pgx.Batch, found *affected) error {
	heavy := a.w.heavy
	a.w.heavy = nil
	for _, p := range heavy {
		for values := range slices.Chunk(p.values, (len(p.values)+pieces-1)/pieces) {
			if err := a.queuePart(b, part{p.path, values}, found); err != nil {
				return err
			}
		}
	}
	return nil
}

func readKeys(rows pgx.Rows, add func(key string)) error {
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return fmt.Errorf("read affected key: %w", err)
		}
		add(key)
	}
	return rows.Err()
}

// columns turns start values into one array for each start column, in step.
func columns(path *compile.Path, values []batch.Value) ([][]string, error) {
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
	return arrays, nil
}

func arguments(arrays [][]string) []any {
	args := make([]any, len(arrays))
	for i := range arrays {
		args[i] = arrays[i]
	}
	return args
}
