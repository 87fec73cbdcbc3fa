package soak

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"freshet/model"
)

// feed holds sync_log to its use as an invalidation feed: whatever document
// changed between two looks must be announced between them.
type feed struct {
	id        int64 // of the last row of sync_log seen
	last      map[string]map[string]string
	announced atomic.Int64
}

// check compares the documents of the last look with those of now. The
// projector must be at rest.
func (f *feed) check(ctx context.Context, conn *pgx.Conn, m *model.Model) error {
	now, err := digests(ctx, conn, m)
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
			if !said[name][key] {
				return fmt.Errorf("%s %q changed, and no row of sync_log after %d says so", name, key, f.id)
			}
			f.announced.Add(1)
		}
	}
	f.last = now
	return conn.QueryRow(ctx, `SELECT coalesce(max(id), 0) FROM freshet.sync_log`).Scan(&f.id)
}

func changed(before, now map[string]string) []string {
	var keys []string
	for k, digest := range now {
		if before[k] != digest {
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

// read returns the keys announced since the last look, and the models of which
// any key may have changed.
func (f *feed) read(ctx context.Context, conn *pgx.Conn) (map[string]map[string]bool, map[string]bool, error) {
	rows, err := conn.Query(ctx, `SELECT model, whole, keys || deleted_keys FROM freshet.sync_log WHERE id > $1 AND success`, f.id)
	if err != nil {
		return nil, nil, fmt.Errorf("read sync_log: %w", err)
	}
	said, wholes := map[string]map[string]bool{}, map[string]bool{}
	var name string
	var whole bool
	var keys []string
	_, err = pgx.ForEachRow(rows, []any{&name, &whole, &keys}, func() error {
		if said[name] == nil {
			said[name] = map[string]bool{}
		}
		for _, k := range keys {
			said[name][k] = true
		}
		wholes[name] = wholes[name] || whole
		return nil
	})
	return said, wholes, err
}

// digests returns a digest of every document, by model and key.
func digests(ctx context.Context, conn *pgx.Conn, m *model.Model) (map[string]map[string]string, error) {
	all := map[string]map[string]string{}
	for _, t := range m.Types {
		if !t.Stored {
			continue
		}
		var schema, table, key string
		err := conn.QueryRow(ctx, `SELECT layout->>'schema', layout->>'table', layout->'key'->>'column' FROM freshet.models WHERE name = $1`, t.Name).
			Scan(&schema, &table, &key)
		if err != nil {
			return nil, fmt.Errorf("layout of %s: %w", t.Name, err)
		}
		rows, err := conn.Query(ctx, "SELECT "+pgx.Identifier{key}.Sanitize()+"::text, md5(data::text) FROM "+pgx.Identifier{schema, table}.Sanitize())
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", table, err)
		}
		docs := map[string]string{}
		var k, digest string
		_, err = pgx.ForEachRow(rows, []any{&k, &digest}, func() error {
			docs[k] = digest
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", table, err)
		}
		all[t.Name] = docs
	}
	return all, nil
}
