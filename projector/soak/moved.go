package soak

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// tvTable is where a read model's documents are, as freshet.models has it.
type tvTable struct {
	schema, table, key string
	columns            []string // behind its indexes; equal values of theirs are one text
}

// sql is the table's name, quoted.
func (t tvTable) sql() string { return pgx.Identifier{t.schema, t.table}.Sanitize() }

func readTable(ctx context.Context, conn *pgx.Conn, model string) (t tvTable, err error) {
	err = conn.QueryRow(ctx, `
SELECT layout->>'schema', layout->>'table', layout->'key'->>'column',
       ARRAY(SELECT c->>'column' FROM jsonb_array_elements(CASE jsonb_typeof(layout->'columns') WHEN 'array' THEN layout->'columns' ELSE '[]' END) AS c
             WHERE c->>'base' <> 'numeric')
FROM freshet.models WHERE name = $1`, model).Scan(&t.schema, &t.table, &t.key, &t.columns)
	if err != nil {
		return t, fmt.Errorf("layout of %s: %w", model, err)
	}
	return t, nil
}

// stored is what the feed keeps of a document: a digest, and the values of the
// columns behind the indexes.
type stored struct {
	digest  string
	columns []string
}

func (s stored) equal(o stored) bool {
	return s.digest == o.digest && slices.Equal(s.columns, o.columns)
}

// unsaid is a column that has changed in a document that was there before and
// is there now, and that sync_log does not name among what moved; "" is none.
func (t tvTable) unsaid(before, now stored, moved []string) string {
	if before.digest == "" || now.digest == "" {
		if slices.Contains(moved, "*") {
			return ""
		}
		return "*"
	}
	for i, c := range t.columns {
		if i < len(before.columns) && before.columns[i] != now.columns[i] && !slices.Contains(moved, c) && !slices.Contains(moved, "*") {
			return c
		}
	}
	return ""
}

// documents reads what the feed keeps of all of a read model's documents.
func (t tvTable) documents(ctx context.Context, conn *pgx.Conn) (map[string]stored, error) {
	columns := "ARRAY[]::text[]"
	for _, c := range t.columns {
		columns += " || ARRAY[coalesce(quote_literal(" + pgx.Identifier{c}.Sanitize() + "::text), '')]"
	}
	rows, err := conn.Query(ctx, "SELECT "+pgx.Identifier{t.key}.Sanitize()+"::text, md5(data::text), "+columns+" FROM "+t.sql())
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", t.table, err)
	}
	docs := map[string]stored{}
	var k string
	var s stored
	_, err = pgx.ForEachRow(rows, []any{&k, &s.digest, &s.columns}, func() error {
		docs[k] = stored{s.digest, slices.Clone(s.columns)}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", t.table, err)
	}
	return docs, nil
}
