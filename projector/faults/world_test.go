package faults_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver"
	"freshet/deploy/pgserver/pgproxy"
	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/compile"
	"freshet/projector/migrate"
	"freshet/projector/verify"
)

const schema = `
CREATE TABLE tb_owner (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_item (id bigint PRIMARY KEY, owner_id bigint NOT NULL REFERENCES tb_owner ON DELETE CASCADE, n integer NOT NULL);
CREATE INDEX ON tb_item (owner_id);
INSERT INTO tb_owner SELECT i, 'owner ' || i FROM generate_series(1, 100) AS i;
INSERT INTO tb_item SELECT i, 1 + i % 100, 1 + i % 7 FROM generate_series(1, 6000) AS i;`

const file = `
type Owner @table(name: "tb_owner") {
  id: ID!
  name: String!
  items: [Item!]! @hasMany(foreignKey: "owner_id") @embed(fields: "id n")
  total: BigInt @aggregate(fn: SUM, of: "items", field: "n")
}
type Item @table(name: "tb_item") {
  id: ID!
  n: Int! @index
  share: Int @computed(sql: "5040 / n")
  owner: Owner! @belongsTo(foreignKey: "owner_id") @embed(fields: "id name")
}`

// patience bounds every wait: tests share a small machine.
const patience = 40 * time.Second

// world is a database with the model's tables and read models.
type world struct {
	t    *testing.T
	url  string // straight to the server
	conn *pgx.Conn
	cfg  *pgx.ConnConfig // what engines connect by
	plan *compile.Plan
	slot string
}

var worlds atomic.Int64

func newWorld(t *testing.T) *world { return newWorldOn(t, pgtest.Server(t)) }

func newWorldOn(t *testing.T, server *pgserver.Server) *world {
	t.Helper()
	ctx := context.Background()
	w := &world{t: t, url: pgtest.DatabaseOn(t, server), slot: fmt.Sprintf("faults_%d", worlds.Add(1))}
	pgtest.Exec(t, w.url, schema)
	w.conn = pgtest.Connect(t, w.url)
	w.cfg = w.conn.Config()
	var err error
	w.plan, err = compilePlan(ctx, w.cfg)
	must(t, err)
	migration, err := migrate.Plan(ctx, w.conn, w.plan, migrate.Options{Slot: w.slot, LeaveSlot: true})
	must(t, err)
	must(t, migrate.Apply(ctx, w.cfg, migration, nil))
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// through puts a proxy between the engines to come and the server.
func (w *world) through() *pgproxy.Proxy {
	w.t.Helper()
	p, url, err := pgproxy.StartFor(w.url)
	must(w.t, err)
	w.t.Cleanup(p.Close)
	w.cfg, err = pgx.ParseConfig(url)
	must(w.t, err)
	return p
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	_, err := w.conn.Exec(context.Background(), sql, args...)
	must(w.t, err)
}

func (w *world) count(sql string, args ...any) (n int) {
	w.t.Helper()
	must(w.t, w.conn.QueryRow(context.Background(), sql, args...).Scan(&n))
	return n
}

// lock opens a transaction that holds a lock by a statement, and returns what
// ends it.
func (w *world) lock(sql string) (release func()) {
	w.t.Helper()
	conn := pgtest.Connect(w.t, w.url)
	_, err := conn.Exec(context.Background(), "SET application_name = 'reporting job'; BEGIN; "+sql)
	must(w.t, err)
	return func() {
		_, err := conn.Exec(context.Background(), "COMMIT")
		must(w.t, err)
	}
}

// eventually waits until a query counts at least n.
func (w *world) eventually(what string, n int, sql string, args ...any) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	for w.count(sql, args...) < n {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within %s: %s", patience, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// settle waits until everything committed so far is in the documents.
func (w *world) settle() {
	w.t.Helper()
	var mark pglogrepl.LSN
	must(w.t, w.conn.QueryRow(context.Background(), "SELECT pg_logical_emit_message(true, 'freshet', 'test')").Scan(&mark))
	w.eventually("the watermark passes what was written", 1,
		"SELECT count(*) FROM freshet.checkpoint WHERE slot = $1 AND complete >= $2", w.slot, mark)
}

// exact settles, and compares every document with its definition.
func (w *world) exact() {
	w.t.Helper()
	w.settle()
	cfg, err := pgx.ParseConfig(w.url)
	must(w.t, err)
	report, err := verify.Run(context.Background(), verify.Config{ConnConfig: cfg, Models: w.plan.ReadModels, Slot: w.slot})
	must(w.t, err)
	if report.Differ > 0 || report.Behind || report.Compared < 100 {
		w.t.Fatalf("compared %d, %d differ, behind %v: %+v", report.Compared, report.Differ, report.Behind, report.Models)
	}
	if n := w.count("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"); n != 1 {
		w.t.Fatalf("%d slots, want one", n)
	}
}

// waits says that a session of an engine waits for a lock.
const waits = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'freshet projector' AND wait_event_type = 'Lock'`

// named matches the connections of one purpose.
func named(application string) func(pgproxy.Session) bool {
	return func(s pgproxy.Session) bool { return s.Application == application && !s.Replication }
}

func replication(s pgproxy.Session) bool { return s.Replication }

// mentions says whether a text speaks of all of them.
func mentions(text string, all ...string) bool {
	for _, s := range all {
		if !strings.Contains(text, s) {
			return false
		}
	}
	return true
}

// lonely starts a server for one test: what waits for every transaction of the
// server must not meet those of other tests.
func lonely(t *testing.T) *pgserver.Server {
	return pgtest.Start(t, map[string]string{"shared_buffers": "16MB"})
}

// reconnect renews the connection of the test itself.
func (w *world) reconnect() { w.conn = pgtest.Connect(w.t, w.url) }
