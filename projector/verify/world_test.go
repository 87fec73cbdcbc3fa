package verify_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector"
	"freshet/projector/compile"
	"freshet/projector/migrate/migratetest"
	"freshet/projector/verify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Runner{M: m}) }

const schema = `
CREATE TABLE tb_owner (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_item (id text PRIMARY KEY, owner_id bigint NOT NULL REFERENCES tb_owner, n integer NOT NULL, meta jsonb);
CREATE INDEX ON tb_item (owner_id);
INSERT INTO tb_owner SELECT i, 'owner ' || i FROM generate_series(1, 200) AS i;
INSERT INTO tb_item SELECT 'item ' || i, CASE WHEN i % 3 = 0 THEN 1 ELSE 2 + i % 199 END, 1 + i % 7, '{"a": 1.0}' FROM generate_series(1, 2500) AS i;`

const file = `
type Owner @table(name: "tb_owner") {
  id: ID!
  name: String!
  items: [Item!]! @hasMany(foreignKey: "owner_id", orderBy: {id: ASC}, limit: 20) @embed(fields: "id n")
  total: BigInt @aggregate(fn: SUM, of: "items", field: "n")
}
type Item @table(name: "tb_item") {
  id: ID!
  n: Int! @index
  share: Int @computed(sql: "5040 / n")
  meta: JSON
  owner: Owner! @belongsTo(foreignKey: "owner_id") @embed(fields: "id name")
}`

// world is a database with read models, and an engine that keeps them.
type world struct {
	t    *testing.T
	url  string
	conn *pgx.Conn
	plan *compile.Plan
	slot string
	// fanOuts is how many changes the engine has put off.
	fanOuts atomic.Int64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, url: pgtest.Database(t), slot: fmt.Sprintf("v_%x", time.Now().UnixNano())}
	pgtest.Exec(t, w.url, schema)
	w.conn = pgtest.Connect(t, w.url)
	w.plan = migratetest.Migrate(t, w.conn, file, w.slot)
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start runs an engine until the function that it returns is called, or the
// test ends.
func (w *world) start() (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	streaming, done := make(chan struct{}), make(chan error, 1)
	seen := false
	e := projector.New(projector.Config{ConnConfig: w.conn.Config(), Plan: w.plan, Slot: w.slot, Workers: 2, FanOut: 100, Events: projector.Events{
		Batch: func(b projector.BatchEvent) { w.fanOuts.Add(int64(b.FanOuts)) },
		State: func(s projector.State, _ string) {
			if s == projector.Streaming && !seen {
				seen = true
				close(streaming)
			}
		},
	}})
	go func() { done <- e.Run(ctx) }() // stop waits for it
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				w.t.Error(err)
			}
		case <-time.After(20 * time.Second):
			w.t.Error("the engine did not stop")
		}
	}
	w.t.Cleanup(stop)
	select {
	case <-streaming:
	case err := <-done:
		w.t.Fatalf("the engine ended: %v", err)
	case <-time.After(30 * time.Second):
		w.t.Fatal("the engine did not stream within 30 s")
	}
	return stop
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	_, err := w.conn.Exec(w.t.Context(), sql, args...)
	must(w.t, err)
}

// settle waits until all that was committed so far is applied.
func (w *world) settle() {
	w.t.Helper()
	var mark, at pglogrepl.LSN
	must(w.t, w.conn.QueryRow(w.t.Context(), "SELECT pg_logical_emit_message(true, 'freshet', 'test')").Scan(&mark))
	w.until("the watermark", func() bool {
		must(w.t, w.conn.QueryRow(w.t.Context(), "SELECT watermark FROM freshet.checkpoint WHERE slot = $1", w.slot).Scan(&at))
		return at >= mark
	})
}

// until polls a condition.
func (w *world) until(what string, done func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited 20 s for %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// verify compares, with a Config that a test may change.
func (w *world) verify(change func(*verify.Config)) verify.Report {
	w.t.Helper()
	cfg := verify.Config{ConnConfig: w.conn.Config(), Plan: w.plan, Models: w.plan.ReadModels, Slot: w.slot}
	if change != nil {
		change(&cfg)
	}
	r, err := verify.Run(w.t.Context(), cfg)
	must(w.t, err)
	return r
}

// right verifies that nothing is wrong, and so many documents were compared.
func (w *world) right(documents int64) {
	w.t.Helper()
	if r := w.verify(nil); !r.Right() || r.Compared != documents {
		w.t.Fatalf("%+v", r)
	}
}

func (w *world) only(name string) []*compile.ReadModel {
	for _, m := range w.plan.ReadModels {
		if m.Name == name {
			return []*compile.ReadModel{m}
		}
	}
	w.t.Fatalf("no read model %s", name)
	return nil
}
