package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"freshet/projector/catalog"
	"freshet/projector/compile"
)

// relation is what stands under the name of a tv_* table.
type relation struct {
	Name    catalog.Name
	Kind    string // pg_class.relkind
	Owner   string
	Columns []columnShape // by name
	Grants  []string      // statements that give its privileges again, without the owner's
	Indexes []string      // the valid ones that are not of a constraint
}

// The grantee 0 is PUBLIC, a name that no role can have.
const relationsSQL = `
SELECT c.oid, n.nspname, c.relname, c.relkind::text, pg_catalog.pg_get_userbyid(c.relowner),
       ARRAY (SELECT format('GRANT %s ON %I.%I TO %s%s', g.privilege_type, n.nspname, c.relname,
                            CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END,
                            CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
                FROM pg_catalog.aclexplode(c.relacl) g
               WHERE g.grantee <> c.relowner
               ORDER BY g.grantee, g.privilege_type),
       ARRAY (SELECT i.relname::text FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
               WHERE x.indrelid = c.oid AND x.indisvalid AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = x.indexrelid)
               ORDER BY 1)
  FROM unnest($1::text[], $2::text[]) want (schema, name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = want.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = want.name`

const relationColumnsSQL = `
SELECT a.attrelid, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)
  FROM pg_catalog.pg_attribute a
 WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attname COLLATE "C"`

// readRelations reads those of the named relations that exist.
func readRelations(ctx context.Context, conn *pgx.Conn, names []catalog.Name) (map[catalog.Name]*relation, error) {
	schemas, tables := make([]string, len(names)), make([]string, len(names))
	for i, n := range names {
		schemas[i], tables[i] = n.Schema, n.Name
	}
	found := map[catalog.Name]*relation{}
	byOID := map[uint32]*relation{}
	err := pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL search_path = ''`); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, relationsSQL, schemas, tables)
		if err != nil {
			return err
		}
		var oid uint32
		var r relation
		_, err = pgx.ForEachRow(rows, []any{&oid, &r.Name.Schema, &r.Name.Name, &r.Kind, &r.Owner, &r.Grants, &r.Indexes}, func() error {
			one := r
			r.Grants, r.Indexes = nil, nil
			byOID[oid], found[one.Name] = &one, &one
			return nil
		})
		if err != nil {
			return err
		}
		return readRelationColumns(ctx, tx, byOID)
	})
	return found, err
}

// readRelationColumns reads the columns of the relations.
func readRelationColumns(ctx context.Context, tx pgx.Tx, byOID map[uint32]*relation) error {
	oids := make([]uint32, 0, len(byOID))
	for oid := range byOID {
		oids = append(oids, oid)
	}
	rows, err := tx.Query(ctx, relationColumnsSQL, oids)
	if err != nil {
		return err
	}
	var oid uint32
	var c columnShape
	_, err = pgx.ForEachRow(rows, []any{&oid, &c.Name, &c.Type}, func() error {
		byOID[oid].Columns = append(byOID[oid].Columns, c)
		return nil
	})
	return err
}

// wanted are the columns of a read model's table, by name.
func wanted(rm *compile.ReadModel) []columnShape {
	columns := []columnShape{
		{rm.Key.Column, rm.Key.SQL}, {"data", "jsonb"},
		{"freshet_lsn", "pg_lsn"}, {"freshet_time", "timestamp with time zone"},
	}
	for _, c := range rm.Columns {
		columns = append(columns, columnShape{c.Column, c.SQL})
	}
	slices.SortFunc(columns, func(a, b columnShape) int { return strings.Compare(a.Name, b.Name) })
	return columns
}

// fits says whether the relation is the read model's table to the last column.
func (r *relation) fits(rm *compile.ReadModel) bool {
	return r.Kind == "r" && slices.Equal(r.Columns, wanted(rm))
}

// ours says whether the relation bears the marks of a tv_* table: what does
// not is never dropped.
func (r *relation) ours() bool {
	return r.Kind == "r" &&
		slices.Contains(r.Columns, columnShape{"data", "jsonb"}) &&
		slices.Contains(r.Columns, columnShape{"freshet_lsn", "pg_lsn"})
}

// describe says what the relation is, for a fault.
func (r *relation) describe() string {
	kinds := map[string]string{
		"r": "table", "v": "view", "m": "materialized view", "p": "partitioned table", "i": "index",
		"S": "sequence", "f": "foreign table", "c": "composite type",
	}
	names := make([]string, len(r.Columns))
	for i, c := range r.Columns {
		names[i] = c.Name
	}
	return fmt.Sprintf("a %s with the columns %s", kinds[r.Kind], strings.Join(names, ", "))
}

// quote writes a relation's name as SQL.
func quote(n catalog.Name) string { return pgx.Identifier{n.Schema, n.Name}.Sanitize() }

// quoteName writes a single name as SQL.
func quoteName(s string) string { return pgx.Identifier{s}.Sanitize() }
