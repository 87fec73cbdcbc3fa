package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"freshet/model"
)

// Load reads what the request names. The connection must have no transaction
// open; it is left as it was found.
//
// An error is a fault of the connection or of privileges. What the model file
// gets wrong is not: a table that does not exist is absent from Resolved, and
// an expression that Postgres refuses has its ExprInfo.Error.
func Load(ctx context.Context, conn *pgx.Conn, req Request) (*Catalog, error) {
	if conn.PgConn().TxStatus() != 'I' {
		return nil, errors.New("read the catalog: the connection has a transaction open")
	}
	cat := &Catalog{Resolved: map[model.TableName]*Table{}, Exprs: map[Expr]ExprInfo{}}
	err := pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		return cat.load(ctx, tx, allTables(req))
	})
	if err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	if len(req.Exprs) == 0 {
		return cat, nil
	}
	if err := cat.judge(ctx, conn, req.Exprs); err != nil {
		return nil, fmt.Errorf("check the model's SQL expressions: %w", err)
	}
	return cat, nil
}

// allTables returns the request's tables and those of its expressions, each once.
func allTables(req Request) []model.TableName {
	seen := map[model.TableName]bool{}
	var names []model.TableName
	add := func(n model.TableName) {
		if !seen[n] {
			seen[n] = true
			names = append(names, n)
		}
	}
	for _, n := range req.Tables {
		add(n)
	}
	for _, e := range req.Exprs {
		add(e.Table)
	}
	return names
}

// load reads tables, columns, keys and identities in the transaction.
func (c *Catalog) load(ctx context.Context, tx pgx.Tx, names []model.TableName) error {
	err := tx.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_database()::text`).
		Scan(&c.ServerVersion, &c.Database)
	if err != nil {
		return fmt.Errorf("read the server's version: %w", err)
	}
	oids, err := resolve(ctx, tx, names)
	if err != nil {
		return err
	}
	// From here on format_type must qualify every name: nothing but pg_catalog
	// is on the path.
	if _, err := tx.Exec(ctx, `SET LOCAL search_path = ''`); err != nil {
		return fmt.Errorf("clear the search path: %w", err)
	}
	tables, err := loadTables(ctx, tx, oids)
	if err != nil {
		return err
	}
	for name, oid := range oids {
		if t := tables.byOID[oid]; t != nil {
			c.Resolved[name] = t
		}
	}
	return tables.fill(ctx, tx)
}

// resolveSQL finds each name as Postgres itself would: in its schema, or in
// the first schema of the search path that has it. Unlike to_regclass it does
// not cut names at 63 bytes, and fails on no missing privilege.
const resolveSQL = `
SELECT n.ord, c.oid
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS n (schema, name, ord)
 CROSS JOIN LATERAL (
       SELECT c.oid
         FROM pg_catalog.pg_class c
         JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
        WHERE c.relname = n.name
          AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
          AND CASE WHEN n.schema = '' THEN s.nspname = ANY (current_schemas(true)) ELSE s.nspname = n.schema END
        ORDER BY array_position(current_schemas(true), s.nspname)
        LIMIT 1) c`

// resolve maps the names that exist to their tables' oids.
func resolve(ctx context.Context, tx pgx.Tx, names []model.TableName) (map[model.TableName]uint32, error) {
	schemas, tables := make([]string, len(names)), make([]string, len(names))
	for i, n := range names {
		schemas[i], tables[i] = n.Schema, n.Name
	}
	oids := map[model.TableName]uint32{}
	rows, err := tx.Query(ctx, resolveSQL, schemas, tables)
	if err != nil {
		return nil, fmt.Errorf("look up the tables: %w", err)
	}
	var ord int64
	var oid uint32
	_, err = pgx.ForEachRow(rows, []any{&ord, &oid}, func() error {
		oids[names[ord-1]] = oid
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look up the tables: %w", err)
	}
	return oids, nil
}
