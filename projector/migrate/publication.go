package migrate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"freshet/projector/catalog"
)

// publication is what a publication publishes.
type publication struct {
	Name      string
	Owner     string
	AllTables bool
	ViaRoot   bool
	Lacks     []string // of insert, update, delete, truncate
	Schemas   []string // FOR TABLES IN SCHEMA
	Tables    map[catalog.Name]publishedTable
}

// publishedTable is a table that the publication names.
type publishedTable struct {
	Filtered bool // a row filter
	Columns  bool // a column list
}

// readPublication reads a publication, nil when there is none. Row filters,
// column lists and schemas came with Postgres 15: their catalogs are read
// through to_jsonb, which gives NULL for a column that is not there.
func readPublication(ctx context.Context, conn *pgx.Conn, name string) (*publication, error) {
	p := &publication{Name: name, Tables: map[catalog.Name]publishedTable{}}
	err := conn.QueryRow(ctx, `
SELECT pg_catalog.pg_get_userbyid(p.pubowner), p.puballtables, p.pubviaroot,
       array_remove(ARRAY[CASE WHEN NOT pubinsert THEN 'insert' END, CASE WHEN NOT pubupdate THEN 'update' END,
                          CASE WHEN NOT pubdelete THEN 'delete' END, CASE WHEN NOT pubtruncate THEN 'truncate' END], NULL)
  FROM pg_catalog.pg_publication p WHERE p.pubname = $1`, name).Scan(&p.Owner, &p.AllTables, &p.ViaRoot, &p.Lacks)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := p.readTables(ctx, conn); err != nil {
		return nil, err
	}
	return p, p.readSchemas(ctx, conn)
}

// readTables reads the tables that the publication names.
func (p *publication) readTables(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `
SELECT n.nspname, c.relname, to_jsonb(r) ->> 'prqual' IS NOT NULL, to_jsonb(r) ->> 'prattrs' IS NOT NULL
  FROM pg_catalog.pg_publication p
  JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
  JOIN pg_catalog.pg_class c ON c.oid = r.prrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE p.pubname = $1`, p.Name)
	if err != nil {
		return err
	}
	var name catalog.Name
	var t publishedTable
	_, err = pgx.ForEachRow(rows, []any{&name.Schema, &name.Name, &t.Filtered, &t.Columns}, func() error {
		p.Tables[name] = t
		return nil
	})
	return err
}

// readSchemas reads the schemas all of whose tables are published.
func (p *publication) readSchemas(ctx context.Context, conn *pgx.Conn) error {
	var there bool
	if err := conn.QueryRow(ctx, `SELECT to_regclass('pg_catalog.pg_publication_namespace') IS NOT NULL`).Scan(&there); err != nil || !there {
		return err
	}
	rows, err := conn.Query(ctx, `
SELECT n.nspname::text
  FROM pg_catalog.pg_publication p
  JOIN pg_catalog.pg_publication_namespace r ON r.pnpubid = p.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = r.pnnspid
 WHERE p.pubname = $1`, p.Name)
	if err != nil {
		return err
	}
	p.Schemas, err = pgx.CollectRows(rows, pgx.RowTo[string])
	return err
}

// lacks says what keeps changes of the table from being published, "" when
// nothing does. A nil publication publishes nothing.
func (p *publication) lacks(t *catalog.Table) string {
	switch {
	case p == nil:
		return "there is no publication"
	case !p.names(t.Name):
		return "the table is not in it"
	case len(p.Lacks) > 0:
		return "it does not publish " + strings.Join(p.Lacks, ", ")
	case t.Kind == 'p' && !p.ViaRoot:
		return "it publishes partitions under their own names (publish_via_partition_root is off)"
	case p.Tables[t.Name].Filtered && !p.whole(t.Name):
		return "it has a row filter on the table"
	case p.Tables[t.Name].Columns && !p.whole(t.Name):
		return "it has a column list for the table"
	}
	return ""
}

// names says whether the publication has the table at all.
func (p *publication) names(n catalog.Name) bool {
	_, named := p.Tables[n]
	return named || p.whole(n)
}

// whole says whether the table is published as part of something larger, where
// filters do not count.
func (p *publication) whole(n catalog.Name) bool {
	return p.AllTables || slices.Contains(p.Schemas, n.Schema)
}

const publicationLock = "no reader or writer; it waits for ALTER TABLE, VACUUM and CREATE INDEX on these tables"

// publish plans the publication.
func (p *planner) publish() {
	name := quoteName(p.opts.Publication)
	if p.state.publication == nil {
		var tables []string
		for _, src := range p.plan.Sources {
			tables = append(tables, quote(src.Table.Name))
		}
		p.publicationStep("create the publication of the source tables",
			fmt.Sprintf("CREATE PUBLICATION %s FOR TABLE %s WITH (publish_via_partition_root = true)", name, strings.Join(tables, ", ")))
		return
	}
	pub := p.state.publication
	p.faults = append(p.faults, p.filtered()...)
	if len(pub.Lacks) > 0 || !pub.ViaRoot {
		p.publicationStep("have the publication publish everything, and partitions as their root",
			fmt.Sprintf("ALTER PUBLICATION %s SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)", name))
	}
	if pub.AllTables {
		p.note(fmt.Sprintf("publication %s is FOR ALL TABLES: it is left so; changes of other tables are read and thrown away", pub.Name))
		return
	}
	p.membership(name)
}

// membership plans the tables that the publication lacks or has too many of.
func (p *planner) membership(name string) {
	extra := maps.Clone(p.state.publication.Tables)
	var missing []string
	for _, src := range p.plan.Sources {
		delete(extra, src.Table.Name)
		if !p.state.publication.names(src.Table.Name) {
			missing = append(missing, quote(src.Table.Name))
		}
	}
	if len(missing) > 0 {
		p.publicationStep("add tables to the publication", fmt.Sprintf("ALTER PUBLICATION %s ADD TABLE %s", name, strings.Join(missing, ", ")))
	}
	if len(extra) > 0 {
		var tables []string
		for t := range extra {
			tables = append(tables, quote(t))
		}
		slices.Sort(tables)
		p.publicationStep("take tables out of the publication that no read model reads", fmt.Sprintf("ALTER PUBLICATION %s DROP TABLE %s", name, strings.Join(tables, ", ")))
	}
}

// publicationStep adds a step of one statement.
func (p *planner) publicationStep(what, sql string) {
	p.add(Step{
		Kind: KindPublication, What: what, SQL: sql, Locks: publicationLock,
		do: func(ctx context.Context, w *worker) error { return w.statements(ctx, sql) },
	})
}

// filtered are the faults of row filters and column lists on the plan's tables.
func (p *planner) filtered() []Finding {
	var faults []Finding
	for _, src := range p.plan.Sources {
		n, t := src.Table.Name, p.state.publication.Tables[src.Table.Name]
		if (t.Filtered || t.Columns) && !p.state.publication.whole(n) {
			faults = append(faults, publicationFault(p.state.publication, src.Table, p.opts.Publication))
		}
	}
	return faults
}

// publicationFault says what keeps changes of a table from being published.
func publicationFault(pub *publication, t *catalog.Table, name string) Finding {
	f := Finding{
		Where:  "publication " + name,
		What:   fmt.Sprintf("changes of %s are not all published: %s", t.Name, pub.lacks(t)),
		Remedy: "Run freshet migrate --apply; it also has what was missed filled again.",
	}
	if pub != nil && (pub.Tables[t.Name].Filtered || pub.Tables[t.Name].Columns) && !pub.whole(t.Name) {
		f.Remedy = fmt.Sprintf("ALTER PUBLICATION %s DROP TABLE %s; then freshet migrate --apply adds it again, whole.", quoteName(name), quote(t.Name))
	}
	return f
}
