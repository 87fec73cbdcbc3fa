// Package walk goes through the keys of a read model in their order, a page at
// a time.
//
// Guarantees: a page costs no more than its own rows, however large the table,
// since it is read by the key's index; nothing is held between two pages, no
// transaction and no memory; and a key that is there throughout is met once.
package walk

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"freshet/projector/catalog"
	"freshet/projector/compile"
)

// Querier is a connection or a transaction.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Keys are the keys of one table, as statements.
type Keys struct {
	// First yields (key text, ascending in the key's own order), at most $1 of
	// them; Next those behind $1 text, at most $2.
	First, Next string
}

// Stored are the keys that the read model's table has.
func Stored(rm *compile.ReadModel) Keys { return keysOf(rm, rm.Table, "") }

// Source are the keys that the definition yields: those of all its root's rows.
func Source(rm *compile.ReadModel) Keys { return keysOf(rm, rm.Root.Table.Name, "") }

// Small are the keys of stored documents of less than so many bytes, as they
// are on disk: others are left out without being read.
func Small(rm *compile.ReadModel, bytes int) Keys {
	return keysOf(rm, rm.Table, fmt.Sprintf(`pg_column_size(t."data") < %d`, bytes))
}

func keysOf(rm *compile.ReadModel, table catalog.Name, cond string) Keys {
	key := "t." + Ident(rm.Key.Column)
	behind := key + " > $1::text::" + Cast(rm)
	page := func(limit string, conds ...string) string {
		sql := "SELECT " + key + "::text AS key FROM " + Table(table) + " AS t"
		word := " WHERE "
		for _, c := range conds {
			if c != "" {
				sql += word + c
				word = " AND "
			}
		}
		return sql + " ORDER BY " + key + " LIMIT " + limit + "::bigint"
	}
	return Keys{First: page("$1", cond), Next: page("$2", behind, cond)}
}

// Query is the statement and its arguments for the page behind a key, or for
// the first one.
func (k Keys) Query(after string, first bool, limit int) (sql string, args []any) {
	if first {
		return k.First, []any{limit}
	}
	return k.Next, []any{after, limit}
}

// Each calls visit with one page of keys after the other.
func (k Keys) Each(ctx context.Context, q Querier, limit int, visit func(keys []string) error) error {
	for after, first := "", true; ; first = false {
		sql, args := k.Query(after, first, limit)
		rows, err := q.Query(ctx, sql, args...)
		if err != nil {
			return fmt.Errorf("read a page of keys: %w", err)
		}
		keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return fmt.Errorf("read a page of keys: %w", err)
		}
		if len(keys) > 0 {
			if err := visit(keys); err != nil {
				return err
			}
			after = keys[len(keys)-1]
		}
		if len(keys) < limit {
			return nil
		}
	}
}

// Unsourced yields (key text) of the keys in $1 text[] that the definition does
// not yield.
func Unsourced(rm *compile.ReadModel) string { return without(rm, rm.Root.Table.Name) }

// Unstored yields (key text) of the keys in $1 text[] that the read model's
// table does not have.
func Unstored(rm *compile.ReadModel) string { return without(rm, rm.Table) }

func without(rm *compile.ReadModel, table catalog.Name) string {
	return "SELECT k AS key FROM unnest($1::text[]) AS k WHERE NOT EXISTS (SELECT FROM " + Table(table) +
		" AS t WHERE t." + Ident(rm.Key.Column) + " = k::" + Cast(rm) + ")"
}

// casts are the types of keys as SQL writes them without a modifier.
var casts = map[string]string{
	"uuid": "uuid", "int2": "smallint", "int4": "integer", "int8": "bigint", "text": "text", "varchar": "text",
}

// Cast is the type that the read model's keys are cast to from text.
func Cast(rm *compile.ReadModel) string { return casts[rm.Key.Base] }

// Ident quotes a column's name.
func Ident(name string) string { return pgx.Identifier{name}.Sanitize() }

// Table quotes a table's name with its schema.
func Table(n catalog.Name) string { return pgx.Identifier{n.Schema, n.Name}.Sanitize() }
