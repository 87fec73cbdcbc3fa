package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"freshet/projector/catalog"
)

// identityIndex is an index that Freshet made to be a replica identity.
type identityIndex struct {
	Table catalog.Name
	Index catalog.Name
	Used  bool // it is the identity now
	Bound bool // others publish the table, and without the index its updates would fail
}

// The name says whose it is: compile has it of the table, the columns and
// freshet_identity, and ends one that is too long in a hash of the whole.
const identityIndexesSQL = `
SELECT tn.nspname, t.relname, xn.nspname, x.relname, i.indisreplident AND t.relreplident = 'i',
       EXISTS (SELECT FROM pg_catalog.pg_publication_tables p
                WHERE p.pubname <> $1 AND p.schemaname = tn.nspname AND p.tablename = t.relname)
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_index k WHERE k.indrelid = t.oid AND k.indisprimary AND k.indimmediate)
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace xn ON xn.oid = x.relnamespace
  JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
  JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
 CROSS JOIN LATERAL (
       SELECT t.relname || '_' || string_agg(a.attname, '_' ORDER BY k.n) || '_freshet_identity' AS name
         FROM generate_series(0, i.indnkeyatts - 1) k (n)
         JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[k.n]) whole
 WHERE i.indisunique
   AND (x.relname LIKE '%\_freshet\_identity'
        OR octet_length(whole.name) > 63
           AND right(x.relname, 9) = '_' || encode(substring(sha256(convert_to(whole.name, 'UTF8')) FROM 1 FOR 4), 'hex'))
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.conindid = i.indexrelid)
 ORDER BY 1, 2, 4`

// identities plans that tables get their default identity back where it is an
// index of Freshet's making.
func (r *remover) identities(ctx context.Context) error {
	rows, err := r.conn.Query(ctx, identityIndexesSQL, r.opts.Publication)
	if err != nil {
		return err
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (i identityIndex, err error) {
		return i, row.Scan(&i.Table.Schema, &i.Table.Name, &i.Index.Schema, &i.Index.Name, &i.Used, &i.Bound)
	})
	if err != nil {
		return err
	}
	for _, i := range found {
		if i.Used && i.Bound {
			r.note("index %s is left as the replica identity of %s: another publication publishes that table, and it has no primary key to go back to", i.Index, i.Table)
			continue
		}
		if i.Used {
			r.statement(KindIdentity, fmt.Sprintf("have the WAL carry no more than the primary key of old rows of %s", i.Table),
				fmt.Sprintf("ALTER TABLE %s REPLICA IDENTITY DEFAULT", quote(i.Table)), identityLock)
		}
		r.dropIndex(i)
	}
	return nil
}

func (r *remover) dropIndex(i identityIndex) {
	sql := "DROP INDEX CONCURRENTLY IF EXISTS " + quote(i.Index)
	r.add(Step{
		Kind: KindIdentity, What: fmt.Sprintf("drop the index %s of %s, which Freshet made", i.Index, i.Table),
		SQL: sql, Locks: "no reader or writer; it waits for transactions that are running",
		do: func(ctx context.Context, w *worker) error { return w.alone(ctx, sql) },
	})
}

const dependentsSQL = `
WITH gone AS (
    SELECT to_regclass(format('%I.%I', schema, name))::oid AS oid FROM unnest($1::text[], $2::text[]) AS t (schema, name))
SELECT DISTINCT n.nspname::text, v.relname::text, CASE v.relkind WHEN 'm' THEN 'materialized view' WHEN 'v' THEN 'view' ELSE 'rule of table' END, d.refobjid::regclass::text
  FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
  JOIN pg_catalog.pg_class v ON v.oid = r.ev_class
  JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
 WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid IN (SELECT oid FROM gone) AND v.oid NOT IN (SELECT oid FROM gone WHERE oid IS NOT NULL)
UNION
SELECT n.nspname::text, t.relname::text, 'foreign key of table', k.confrelid::regclass::text
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class t ON t.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
 WHERE k.contype = 'f' AND k.confrelid IN (SELECT oid FROM gone) AND k.conrelid NOT IN (SELECT oid FROM gone WHERE oid IS NOT NULL)
 ORDER BY 1, 2, 4`

// dependents refuses while somebody's view or foreign key needs a table that
// goes: the removal would stop half-way.
func (r *remover) dependents(ctx context.Context) error {
	schemas, tables := make([]string, len(r.dropped)), make([]string, len(r.dropped))
	for i, n := range r.dropped {
		schemas[i], tables[i] = n.Schema, n.Name
	}
	rows, err := r.conn.Query(ctx, dependentsSQL, schemas, tables)
	if err != nil {
		return err
	}
	var name catalog.Name
	var kind, on string
	_, err = pgx.ForEachRow(rows, []any{&name.Schema, &name.Name, &kind, &on}, func() error {
		r.fault(fmt.Sprintf("%s %s", kind, name), "it depends on "+on+", which would go", "Drop it first: nothing of yours is dropped along with Freshet's.")
		return nil
	})
	return err
}

// leftovers notes what Freshet may have left behind but cannot know for its
// own, and who still reads.
func (r *remover) leftovers(ctx context.Context) error {
	full, err := r.fullTables(ctx)
	if err != nil {
		return err
	}
	for _, t := range full {
		r.note("%s has REPLICA IDENTITY FULL: freshet migrate or somebody else set it. If nobody needs it: ALTER TABLE %s REPLICA IDENTITY DEFAULT;", t, quote(t))
	}
	var readers int
	err = r.conn.QueryRow(ctx, `SELECT count(*) FROM pg_catalog.pg_stat_activity
		WHERE datname = current_database() AND application_name = 'freshet feed'`).Scan(&readers)
	if err == nil && readers > 0 {
		r.note("%d freshet api or freshet run still read these tables: they will answer with errors; stop them", readers)
	}
	return err
}

// fullTables are the recorded source tables with whole rows in the WAL.
func (r *remover) fullTables(ctx context.Context) ([]catalog.Name, error) {
	var schemas, tables []string
	for _, row := range r.models {
		for _, s := range row.Sources {
			schemas, tables = append(schemas, s.Schema), append(tables, s.Table)
		}
	}
	rows, err := r.conn.Query(ctx, `
SELECT DISTINCT n.nspname, c.relname
  FROM unnest($1::text[], $2::text[]) AS t (schema, name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = t.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
 WHERE c.relreplident = 'f'`, schemas, tables)
	if err != nil {
		return nil, err
	}
	full, err := pgx.CollectRows(rows, pgx.RowToStructByPos[catalog.Name])
	slices.SortFunc(full, func(a, b catalog.Name) int { return strings.Compare(a.String(), b.String()) })
	return full, err
}
