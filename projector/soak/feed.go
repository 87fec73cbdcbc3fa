package soak

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"freshet/model"
)

// feed holds sync_log to its use as an invalidation feed: whatever document
// changed between two looks must be announced between them, with the columns
// behind indexes that changed in it.
type feed struct {
	id        int64 // of the last row of sync_log seen
	last      map[string]map[string]stored
	tables    map[string]tvTable
	announced atomic.Int64
}

// check compares the documents of the last look with those of now. The
// projector must be at rest.
func (f *feed) check(ctx context.Context, conn *pgx.Conn, m *model.Model) error {
	now, err := f.documents(ctx, conn, m)
	if err != nil {
		return err
	}
	said, whole, err := f.read(ctx, conn)
	if err != nil {
		return err
	}
	for name, docs := range now {
		if f.last == nil || whole[name] {
			continue
		}
		for _, key := range changed(f.last[name], docs) {
			moved, is := said[name][key]
			if !is {
				return fmt.Errorf("%s %q changed, and no row of sync_log after %d says so", name, key, f.id)
			}
			if c := f.tables[name].unsaid(f.last[name][key], docs[key], moved); c != "" {
				return fmt.Errorf("%s of %s %q moved, and no row of sync_log after %d that names the key says so, but %v", c, name, key, f.id, moved)
			}
			f.announced.Add(1)
		}
	}
	f.last = now
	return conn.QueryRow(ctx, `SELECT coalesce(max(id), 0) FROM freshet.sync_log`).Scan(&f.id)
}

func changed(before, now map[string]stored) []string {
	var keys []string
	for k, doc := range now {
		if !doc.equal(before[k]) {
			keys = append(keys, k)
		}
	}
	for k := range before {
		if _, ok := now[k]; !ok {
			keys = append(keys, k)
		}
	}
	return keys
}

// read returns the keys announced since the last look, each with what is said to
// have moved, and the models of which any key may have changed.
func (f *feed) read(ctx context.Context, conn *pgx.Conn) (map[string]map[string][]string, map[string]bool, error) {
	rows, err := conn.Query(ctx, `SELECT model, whole, keys || deleted_keys, moved FROM freshet.sync_log WHERE id > $1 AND success`, f.id)
	if err != nil {
		return nil, nil, fmt.Errorf("read sync_log: %w", err)
	}
	said, wholes := map[string]map[string][]string{}, map[string]bool{}
	var name string
	var whole bool
	var keys, moved []string
	_, err = pgx.ForEachRow(rows, []any{&name, &whole, &keys, &moved}, func() error {
		if said[name] == nil {
			said[name] = map[string][]string{}
		}
		for _, k := range keys {
			said[name][k] = slices.Concat(said[name][k], moved)
		}
		wholes[name] = wholes[name] || whole
		return nil
	})
	return said, wholes, err
}

// documents reads all documents of the model's types, by type and key.
func (f *feed) documents(ctx context.Context, conn *pgx.Conn, m *model.Model) (map[string]map[string]stored, error) {
	all := map[string]map[string]stored{}
	f.tables = map[string]tvTable{}
	for _, t := range m.Types {
		if !t.Stored {
			continue
		}
		table, err := readTable(ctx, conn, t.Name)
		if err != nil {
			return nil, err
		}
		f.tables[t.Name] = table
		if all[t.Name], err = table.documents(ctx, conn); err != nil {
			return nil, err
		}
	}
	return all, nil
}
