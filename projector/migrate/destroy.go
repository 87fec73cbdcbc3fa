package migrate

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"freshet/migrations"
	"freshet/projector/catalog"
	progress "freshet/projector/checkpoint"
)

// Removal plans that a database is left as if Freshet had never been there.
// Apply does it. What it removes: the replication slots of freshet.checkpoint
// and the one of the options, the publication, replica identities over indexes
// that Freshet made, with these indexes, the tv_* tables of freshet.models, and
// schema freshet. Nothing is dropped by CASCADE, and whatever bears Freshet's
// name but not its marks is left and noted.
//
// The slots go first, so that no WAL is kept for a removal that was stopped
// half-way, and the record of the tables last, so that it can be gone on with.
//
// It takes the projector's lock for the life of conn: none starts meanwhile.
// The error is a *NotReady when a projector works, or something of somebody
// else's depends on a table.
func Removal(ctx context.Context, conn *pgx.Conn, opts Options) (*Migration, error) {
	r := &remover{Migration: &Migration{opts: opts.withDefaults()}, conn: conn, models: map[string]*modelRow{}}
	for _, part := range []struct {
		what string
		plan func(context.Context) error
	}{
		{"read what Freshet recorded", r.read},
		{"look for a projector", r.projector},
		{"look at the replication slots", r.slots},
		{"look at the publication", r.unpublish},
		{"look at the replica identities", r.identities},
		{"look at the tv_* tables", r.tables},
		{"look at schema freshet", r.schema},
		{"look for what depends on the tables", r.dependents},
		{"look for what is left", r.leftovers},
	} {
		if err := part.plan(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", part.what, err)
		}
	}
	if err := asError(r.faults); err != nil {
		return nil, err
	}
	return r.Migration, nil
}

// remover adds up a Migration that removes.
type remover struct {
	*Migration
	conn    *pgx.Conn
	models  map[string]*modelRow
	dropped []catalog.Name // tables that go
	faults  []Finding
}

func (r *remover) add(s Step) { r.Steps = append(r.Steps, s) }

func (r *remover) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func (r *remover) fault(where, what, remedy string) {
	r.faults = append(r.faults, Finding{Where: where, What: what, Remedy: remedy})
}

// read reads freshet.models, where it is.
func (r *remover) read(ctx context.Context) error {
	s := &state{models: r.models}
	return s.readOwn(ctx, r.conn, r.opts.Slot)
}

// projector refuses while one leads: it may be filling, with no slot active.
func (r *remover) projector(ctx context.Context) error {
	names, err := r.slotNames(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		ok, holder, err := progress.TryLock(ctx, r.conn, name)
		if err != nil {
			return err
		}
		if !ok {
			r.fault("the projector of slot "+name, "it runs: "+holder, "Stop it first; a standby, too: it would take over.")
		}
	}
	return nil
}

// slotNames are the slots that progress is recorded for, and that of the options.
func (r *remover) slotNames(ctx context.Context) ([]string, error) {
	names := []string{r.opts.Slot}
	if there, err := r.has(ctx, "checkpoint"); err != nil || !there {
		return names, err
	}
	rows, err := r.conn.Query(ctx, "SELECT slot FROM freshet.checkpoint WHERE slot <> $1 ORDER BY slot", r.opts.Slot)
	if err != nil {
		return nil, err
	}
	more, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return append(names, more...), err
}

// has says whether schema freshet has a table of that name.
func (r *remover) has(ctx context.Context, table string) (there bool, err error) {
	err = r.conn.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", quote(catalog.Name{Schema: migrations.Schema, Name: table})).Scan(&there)
	return there, err
}

// slots plans the end of the replication slots.
func (r *remover) slots(ctx context.Context) error {
	names, err := r.slotNames(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		s, err := readSlot(ctx, r.conn, name)
		if err != nil {
			return err
		}
		switch {
		case s == nil:
		case s.foreign() != "":
			r.note("replication slot %s is left: it is not Freshet's: %s", name, s.foreign())
		case s.Active:
			r.fault("replication slot "+name, "it is active: "+s.Holder.String()+" reads it", "Stop that process first: it is a projector, or somebody who follows the slot by hand.")
		default:
			r.dropSlot(name)
		}
	}
	return nil
}

func (r *remover) dropSlot(name string) {
	r.add(Step{
		Kind: KindSlot, What: "drop the replication slot " + name,
		SQL: fmt.Sprintf("SELECT pg_drop_replication_slot(%s)", literal(name)),
		do: func(ctx context.Context, w *worker) error {
			_, err := w.conn.Exec(ctx, "SELECT pg_catalog.pg_drop_replication_slot($1)", name)
			return err
		},
	})
}

// unpublish plans the end of the publication.
func (r *remover) unpublish(ctx context.Context) error {
	p, err := readPublication(ctx, r.conn, r.opts.Publication)
	switch {
	case err != nil || p == nil:
		return err
	case p.AllTables || len(p.Schemas) > 0:
		r.note("publication %s is left: it publishes more than Freshet asks for, so somebody else made it. DROP PUBLICATION %s; ends it", p.Name, quoteName(p.Name))
		return nil
	}
	r.statement(KindPublication, "drop the publication "+p.Name, "DROP PUBLICATION "+quoteName(p.Name), "nothing that anybody could notice")
	return nil
}

// statement adds a step of one statement, in a transaction.
func (r *remover) statement(kind Kind, what, sql, locks string) {
	r.add(Step{Kind: kind, What: what, SQL: sql, Locks: locks,
		do: func(ctx context.Context, w *worker) error { return w.statements(ctx, sql) }})
}

// tables plans the end of the tv_* tables.
func (r *remover) tables(ctx context.Context) error {
	s := &state{models: r.models}
	names := make([]catalog.Name, 0, len(s.models))
	for _, row := range s.models {
		names = append(names, row.table())
	}
	relations, err := readRelations(ctx, r.conn, names)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(s.models)) {
		row := s.models[name]
		switch rel := relations[row.table()]; {
		case rel == nil:
		case !rel.ours():
			r.note("%s is left: it was not made by Freshet as it is: it is %s", row.table(), rel.describe())
		default:
			r.dropTable(row)
		}
	}
	return nil
}

func (r *remover) dropTable(row *modelRow) {
	sql := "DROP TABLE " + quote(row.table())
	r.dropped = append(r.dropped, row.table())
	r.add(Step{
		Kind: KindDrop, What: fmt.Sprintf("drop %s, the documents of read model %s", row.table(), row.Name),
		SQL: sql, Locks: "readers of that table, for an instant",
		do: func(ctx context.Context, w *worker) error {
			return w.transaction(ctx, func(tx pgx.Tx) error { return forget(ctx, tx, row.Name, sql) })
		},
	})
}

// createTable and createView find Freshet's own in its migrations.
var (
	createTable = regexp.MustCompile(`(?m)^CREATE TABLE (?:IF NOT EXISTS )?` + migrations.Schema + `\.(\w+)`)
	createView  = regexp.MustCompile(`(?m)^CREATE (?:OR REPLACE )?VIEW ` + migrations.Schema + `\.(\w+)`)
)

// made are the names of all that any version's migrations make, by the
// statement that makes it.
func made(create *regexp.Regexp) ([]string, error) {
	files, err := migrations.All()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range files {
		for _, found := range create.FindAllStringSubmatch(f.SQL, -1) {
			names = append(names, found[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// own plans the end of Freshet's own tables or views: it returns the statement,
// empty where there are none, and all names that are Freshet's.
func (r *remover) own(ctx context.Context, what string, create *regexp.Regexp, more ...string) (sql string, names []string, err error) {
	if names, err = made(create); err != nil {
		return "", nil, err
	}
	names = append(names, more...)
	var found []string
	for _, name := range names {
		if there, err := r.has(ctx, name); err != nil {
			return "", nil, err
		} else if there {
			full := catalog.Name{Schema: migrations.Schema, Name: name}
			found, r.dropped = append(found, quote(full)), append(r.dropped, full)
		}
	}
	if len(found) > 0 {
		sql = "DROP " + what + " " + strings.Join(found, ", ")
	}
	return sql, names, nil
}

// schema plans the end of schema freshet.
func (r *remover) schema(ctx context.Context) error {
	var there bool
	err := r.conn.QueryRow(ctx, "SELECT to_regnamespace($1) IS NOT NULL", quoteName(migrations.Schema)).Scan(&there)
	if err != nil || !there {
		return err
	}
	dropViews, views, err := r.own(ctx, "VIEW", createView)
	if err != nil {
		return err
	}
	dropTables, tables, err := r.own(ctx, "TABLE", createTable, "schema_version")
	if err != nil {
		return err
	}
	var statements []string
	for _, sql := range []string{dropViews, dropTables} {
		if sql != "" {
			statements = append(statements, sql)
		}
	}
	others, err := r.strangers(ctx, append(tables, views...))
	if err != nil {
		return err
	}
	what := "drop schema freshet with Freshet's own tables"
	if len(others) == 0 {
		statements = append(statements, "DROP SCHEMA "+quoteName(migrations.Schema))
	} else {
		what = "drop Freshet's own tables in schema freshet"
		r.note("schema freshet is left, for it holds what Freshet did not make: %s", strings.Join(others, ", "))
	}
	if len(statements) > 0 {
		r.add(Step{Kind: KindSchema, What: what, SQL: strings.Join(statements, ";\n"),
			do: func(ctx context.Context, w *worker) error { return w.statements(ctx, statements...) }})
	}
	return nil
}

// strangers are the things in schema freshet that no migration made: tables
// and the like, functions and types. Partitions, and what belongs to a table,
// go with it.
func (r *remover) strangers(ctx context.Context, own []string) ([]string, error) {
	rows, err := r.conn.Query(ctx, `
SELECT c.relname::text FROM pg_catalog.pg_class c
 WHERE c.relnamespace = $1::text::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p', 'f', 'S', 'c')
   AND NOT c.relispartition AND c.relname <> ALL ($2)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i'))
UNION ALL
SELECT p.proname::text || '()' FROM pg_catalog.pg_proc p WHERE p.pronamespace = $1::text::regnamespace
UNION ALL
SELECT t.typname::text FROM pg_catalog.pg_type t WHERE t.typnamespace = $1::text::regnamespace AND t.typtype IN ('e', 'd', 'r')
 ORDER BY 1`, migrations.Schema, own)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
