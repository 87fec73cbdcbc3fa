package migrate_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver/pgtest"
	"freshet/model"
	"freshet/projector/catalog"
	"freshet/projector/compile"
	"freshet/projector/migrate"
)

// moduleRoot is the directory of go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("there is no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}

// northwind is the script of the Northwind database: FRESHET_NORTHWIND, or
// beside the module.
func northwind(t *testing.T) string {
	t.Helper()
	path := os.Getenv("FRESHET_NORTHWIND")
	if path == "" {
		path = filepath.Join(moduleRoot(t), "..", "shared", "data", "northwind.sql")
	}
	script, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("no Northwind here (FRESHET_NORTHWIND): %v", err)
	}
	return string(script)
}

// compiled compiles an example's model against the database.
func compiled(t *testing.T, conn *pgx.Conn, example string) *compile.Plan {
	t.Helper()
	m, ds, err := model.ParseFile(filepath.Join(moduleRoot(t), "examples", example, "model.graphql"))
	if err != nil || ds.Err() != nil {
		t.Fatalf("%v %v", err, ds)
	}
	cat, err := catalog.Load(t.Context(), conn, compile.Request(m))
	if err != nil {
		t.Fatal(err)
	}
	cp, ds := compile.Compile(m, cat)
	if ds.Err() != nil {
		t.Fatal(ds)
	}
	return cp
}

func TestBlog(t *testing.T) {
	script, err := os.ReadFile(filepath.Join(moduleRoot(t), "examples", "blog", "schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	wholeLife(t, string(script), "blog")
}

func TestNorthwind(t *testing.T) { wholeLife(t, northwind(t), "northwind") }

// wholeLife migrates an example's database: once is enough, it is ready then,
// its tables are known again without their record, and it can be pruned.
func wholeLife(t *testing.T, script, example string) {
	url := pgtest.Database(t)
	pgtest.Exec(t, url, script)
	conn := pgtest.Connect(t, url)
	opts := options(t)
	opts.CreateIndexes = true
	plan := func() *migrate.Migration {
		t.Helper()
		m, err := migrate.Plan(t.Context(), conn, compiled(t, conn, example), opts)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	first := plan()
	for _, s := range first.Steps {
		t.Logf("%-12s %s", s.Kind, s.What)
	}
	apply(t, url, first)
	if m := plan(); !m.Empty() {
		t.Errorf("planned again: %v", kinds(m))
	}
	cp := compiled(t, conn, example)
	if len(cp.MissingIndexes) > 0 {
		t.Errorf("indexes are still missing: %+v", cp.MissingIndexes)
	}
	if err := migrate.Ready(t.Context(), conn, cp, opts.Slot, ""); err != nil {
		t.Error(err)
	}
	for _, f := range migrate.Check(t.Context(), conn, cp, opts) {
		if f.Severity == migrate.Fault {
			t.Error(f)
		}
	}
	if err := migrate.ApplyIndexes(t.Context(), conn, cp); err != nil {
		t.Error(err)
	}
	pgtest.Exec(t, url, `UPDATE freshet.models SET state = 'ready'`)
	if m := plan(); len(m.Steps) > 0 {
		t.Errorf("planned when all is filled: %+v", m.Steps)
	}
	pgtest.Exec(t, url, `DELETE FROM freshet.models`)
	if m := plan(); len(kinds(m)) != len(cp.ReadModels) {
		t.Errorf("planned without the record: %v", kinds(m))
	}
	pgtest.Exec(t, url, migrate.Privileges(cp)+`REASSIGN OWNED BY freshet_projector TO postgres; DROP OWNED BY freshet_projector; DROP OWNED BY freshet_api; DROP ROLE freshet_projector, freshet_api`)
}
