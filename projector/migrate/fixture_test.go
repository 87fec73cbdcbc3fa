package migrate_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"freshet/deploy/pgserver/pgtest"
	"freshet/model"
	"freshet/projector/catalog"
	"freshet/projector/compile"
	"freshet/projector/migrate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Runner{M: m}) }

// blog is a small database: tb_comment needs a unique index as its identity,
// tb_note FULL, tb_visit is partitioned and needs FULL, tb_tag has no key.
const blog = `
CREATE TABLE tb_user (id uuid PRIMARY KEY, username text NOT NULL);
CREATE TABLE tb_comment (id bigint PRIMARY KEY, author_id uuid NOT NULL REFERENCES tb_user, content text);
CREATE TABLE tb_note (id int PRIMARY KEY, user_id uuid REFERENCES tb_user);
CREATE TABLE tb_visit (id int, day date, user_id uuid NOT NULL, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE tb_visit_1 PARTITION OF tb_visit FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE tb_visit_2 PARTITION OF tb_visit FOR VALUES FROM ('2024-02-01') TO ('2024-03-01') PARTITION BY LIST (id);
CREATE TABLE tb_visit_2a PARTITION OF tb_visit_2 FOR VALUES IN (1, 2);
CREATE TABLE tb_tag (user_id uuid, tag text);
CREATE TABLE tb_unrelated (id int PRIMARY KEY);
`

// need describes a source of a hand-made plan.
type need struct {
	table    string
	reads    []string
	identity []string
}

var blogNeeds = []need{
	{"tb_comment", []string{"author_id", "content", "id"}, []string{"author_id", "id"}},
	{"tb_note", []string{"id", "user_id"}, []string{"id", "user_id"}},
	{"tb_tag", []string{"tag", "user_id"}, nil},
	{"tb_user", []string{"id", "username"}, []string{"id"}},
	{"tb_visit", []string{"id", "user_id"}, []string{"id", "user_id"}},
}

// handMade builds a plan as the compiler would, for one read model over
// tb_user that reads all sources, so that these tests do not depend on it.
func handMade(t *testing.T, conn *pgx.Conn, needs []need) *compile.Plan {
	t.Helper()
	var req catalog.Request
	for _, n := range needs {
		req.Tables = append(req.Tables, model.TableName{Name: n.table})
	}
	cat, err := catalog.Load(t.Context(), conn, req)
	if err != nil {
		t.Fatal(err)
	}
	rm := &compile.ReadModel{
		Name: "User", Table: catalog.Name{Schema: "public", Name: "tv_user"}, Hash: "hash-1",
		Key:     compile.KeyColumn{Column: "id", SQL: "uuid", Base: "uuid"},
		Columns: []compile.IndexColumn{{Path: "username", Column: "username", SQL: "text", Base: "text"}},
		CreateTable: `CREATE TABLE IF NOT EXISTS "public"."tv_user" ("id" uuid PRIMARY KEY, "data" jsonb NOT NULL, "username" text,
			freshet_lsn pg_lsn NOT NULL, freshet_time timestamptz NOT NULL)`,
		Indexes: []compile.IndexDDL{{Name: "tv_user_username_idx", SQL: `CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_user_username_idx" ON "public"."tv_user" ("username")`}},
		Layout:  compile.Layout{Type: "User", Schema: "public", Table: "tv_user"},
	}
	cp := &compile.Plan{ReadModels: []*compile.ReadModel{rm}}
	for _, n := range needs {
		table := cat.Resolved[model.TableName{Name: n.table}]
		if table == nil {
			t.Fatalf("no table %s", n.table)
		}
		src := &compile.Source{Table: table, Reads: n.reads, Identity: n.identity}
		src.Paths = []*compile.Path{{Model: rm, Reads: n.reads}}
		cp.Sources = append(cp.Sources, src)
		if n.table == "tb_user" {
			rm.Root = src
		}
	}
	return cp
}

// quick are options under which a test that waits for a lock does not wait long.
var quick = migrate.Options{LockTimeout: 200 * time.Millisecond, LockWait: time.Second, SlotWait: time.Second}

func options(tb testing.TB) migrate.Options {
	o := quick
	o.Slot = "s_" + strings.ToLower(fmt.Sprintf("%x", tb.Name()))
	o.Slot = o.Slot[:min(len(o.Slot), 60)]
	return o
}

func planned(t *testing.T, conn *pgx.Conn, needs []need, opts migrate.Options) *migrate.Migration {
	t.Helper()
	m, err := migrate.Plan(t.Context(), conn, handMade(t, conn, needs), opts)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func apply(t *testing.T, url string, m *migrate.Migration) {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	if err := migrate.Apply(t.Context(), config, m, nil); err != nil {
		t.Fatal(err)
	}
}

// migrated makes a database with the blog and everything that it needs.
func migrated(t *testing.T) (url string, conn *pgx.Conn) {
	t.Helper()
	url = pgtest.Database(t)
	pgtest.Exec(t, url, blog)
	conn = pgtest.Connect(t, url)
	apply(t, url, planned(t, conn, blogNeeds, options(t)))
	return url, conn
}

// kinds lists the kinds of the steps that Apply would do.
func kinds(m *migrate.Migration) []migrate.Kind {
	var list []migrate.Kind
	for _, s := range m.Steps {
		if s.Phase == migrate.Before && !s.Done {
			list = append(list, s.Kind)
		}
	}
	return list
}

func scan[T any](t *testing.T, conn *pgx.Conn, sql string, args ...any) (v T) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}
