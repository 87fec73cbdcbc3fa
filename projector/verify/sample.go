package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"freshet/projector/catalog"
	"freshet/projector/walk"
)

// KeyError says that a key cannot be one of the read model.
type KeyError struct {
	Model, Type string // Type is the key's, as SQL writes it
	Message     string // the server's
}

// Error says which type the keys have.
func (e *KeyError) Error() string {
	return fmt.Sprintf("the keys of %s are of type %s: %s", e.Model, e.Type, e.Message)
}

// canonical writes keys as the documents have them, each once.
func (c *comparison) canonical(ctx context.Context, keys []string) ([]string, error) {
	rows, err := c.conn.Query(ctx, "SELECT DISTINCT k::"+walk.Cast(c.rm)+"::text FROM unnest($1::text[]) AS k", keys)
	if err == nil {
		keys, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) && sqlClass(err) == "22" {
		return nil, &KeyError{Model: c.rm.Name, Type: walk.Cast(c.rm), Message: pg.Message}
	}
	if err != nil {
		return nil, fmt.Errorf("read the keys: %w", err)
	}
	slices.Sort(keys)
	return keys, nil
}

// smallTable is up to how many pages a table is read whole for a sample.
const smallTable = 1024

// sample takes keys by chance, half of them of the definition and half of the
// table, so that what is missing is met as well as what is too much.
func (c *comparison) sample(ctx context.Context) ([]string, error) {
	var all []string
	for i, table := range []catalog.Name{c.rm.Root.Table.Name, c.rm.Table} {
		keys, err := c.sampleOf(ctx, table, (c.cfg.Sample+1-i)/2, c.cfg.Seed+int64(i))
		if err != nil {
			return nil, fmt.Errorf("take a sample of %s: %w", table, err)
		}
		all = append(all, keys...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// sampleOf reads a small table whole, and of a large one twice as many pages
// as rows are wanted: each has a row, or nearly.
func (c *comparison) sampleOf(ctx context.Context, table catalog.Name, n int, seed int64) ([]string, error) {
	var pages int64
	err := c.conn.QueryRow(ctx, "SELECT coalesce(sum(pg_relation_size(oid)), 0)::bigint / 8192 FROM pg_class WHERE "+leaves, walk.Table(table)).Scan(&pages)
	if err != nil {
		return nil, err
	}
	percent := float64(100)
	if pages > smallTable {
		percent = min(100, 100*2*float64(max(n, 50))/float64(pages))
	}
	key := "t." + walk.Ident(c.rm.Key.Column) + "::text"
	rows, err := c.conn.Query(ctx, "SELECT "+key+" FROM "+walk.Table(table)+" AS t TABLESAMPLE SYSTEM ($1) REPEATABLE ($2) ORDER BY hashtextextended("+key+", $3::bigint) LIMIT $4",
		percent, float64(seed), int64(seed), n)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// leaves are the tables that hold the rows of table $1, which may be
// partitioned.
const leaves = `relkind = 'r' AND (oid = $1::text::regclass OR oid IN (SELECT relid FROM pg_partition_tree($1::text::regclass)))`

// estimate is about how many rows a table has; 0 where nobody knows.
func (c *comparison) estimate(ctx context.Context, table catalog.Name) (n int64, err error) {
	err = c.conn.QueryRow(ctx, "SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class WHERE "+leaves, walk.Table(table)).Scan(&n)
	return n, err
}
