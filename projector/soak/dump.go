package soak

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// sourceTables lists the zoo's tables with their columns, but for generated
// ones and those that a fault has added.
const sourceTables = `
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname IN ('public', 'odd schema') AND c.relname NOT LIKE 'tv\_%'
  AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attname NOT LIKE 'soak\_extra%'
GROUP BY 1, n.nspname, c.relname ORDER BY 1`

// dump reads the source tables.
func dump(ctx context.Context, conn *pgx.Conn) ([]tableRows, error) {
	rows, err := conn.Query(ctx, sourceTables)
	if err != nil {
		return nil, fmt.Errorf("list the source tables: %w", err)
	}
	tables, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t tableRows, err error) {
		return t, row.Scan(&t.Table, &t.Cols)
	})
	if err != nil {
		return nil, fmt.Errorf("list the source tables: %w", err)
	}
	for i, t := range tables {
		var b bytes.Buffer
		if _, err := conn.PgConn().CopyTo(ctx, &b, "COPY (SELECT "+t.Cols+" FROM "+t.Table+") TO STDOUT"); err != nil {
			return nil, fmt.Errorf("read %s: %w", t.Table, err)
		}
		tables[i].Rows = b.String()
	}
	return tables, nil
}

// restore fills the empty source tables with what dump has read.
func restore(ctx context.Context, conn *pgx.Conn, tables []tableRows) error {
	// Foreign keys are not looked at meanwhile.
	if _, err := conn.Exec(ctx, "SET session_replication_role = replica"); err != nil {
		return err
	}
	for _, t := range tables {
		if _, err := conn.PgConn().CopyFrom(ctx, strings.NewReader(t.Rows), "COPY "+t.Table+" ("+t.Cols+") FROM STDIN"); err != nil {
			return fmt.Errorf("fill %s: %w", t.Table, err)
		}
	}
	_, err := conn.Exec(ctx, `RESET session_replication_role;
		SELECT setval(pg_get_serial_sequence('tb_transfer', 'id'), coalesce((SELECT max(id) + 1 FROM tb_transfer), 1))`)
	return err
}
