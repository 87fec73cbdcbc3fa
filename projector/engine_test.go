package projector_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector"
	"freshet/projector/checkpoint"
	"freshet/projector/compile"
	"freshet/projector/migrate"
	"freshet/projector/migrate/migratetest"
	"freshet/projector/stream"
	"freshet/projector/verify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Runner{M: m}) }

const schema = `
CREATE TABLE tb_owner (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_item (id bigint PRIMARY KEY, owner_id bigint NOT NULL REFERENCES tb_owner ON DELETE CASCADE, n integer NOT NULL);
CREATE INDEX ON tb_item (owner_id);
CREATE TABLE tb_other (id bigint PRIMARY KEY, t text);
INSERT INTO tb_owner SELECT i, 'owner ' || i FROM generate_series(1, 100) AS i;
INSERT INTO tb_item SELECT i, 1 + i % 100, 1 + i % 7 FROM generate_series(1, 12000) AS i;`

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

// world is a database with the model's tables and read models.
type world struct {
	t    *testing.T
	url  string
	conn *pgx.Conn
	plan *compile.Plan
	cfg  *pgx.ConnConfig
	slot string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldAt(t, pgtest.Database(t), schema, file)
}

// newWorldAt is newWorld in a database that is there, with another schema and
// model.
func newWorldAt(t *testing.T, url, schema, file string) *world {
	t.Helper()
	w := &world{t: t, url: url}
	pgtest.Exec(t, w.url, schema)
	w.conn = pgtest.Connect(t, w.url)
	w.cfg = w.conn.Config()
	w.slot = "f_" + strings.ToLower(fmt.Sprintf("%x", time.Now().UnixNano()))
	w.plan = migratetest.Migrate(t, w.conn, file, w.slot)
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	_, err := w.conn.Exec(context.Background(), sql, args...)
	must(w.t, err)
}

// running is an engine under way.
type running struct {
	engine *projector.Engine
	cancel context.CancelFunc
	done   chan error
	mu     sync.Mutex
	states []projector.State
	moved  chan struct{} // closed and made anew at each change of state
}

func (w *world) start(change func(*projector.Config)) *running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{cancel: cancel, done: make(chan error, 1), moved: make(chan struct{})}
	cfg := projector.Config{ConnConfig: w.cfg, Plan: w.plan, Slot: w.slot, Workers: 2}
	cfg.Events.State = func(s projector.State, _ string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.states = append(r.states, s)
		close(r.moved)
		r.moved = make(chan struct{})
	}
	if change != nil {
		change(&cfg)
	}
	r.engine = projector.New(cfg)
	go func() { r.done <- r.engine.Run(ctx) }() // owned by stop and fails
	return r
}

// reach waits until the engine has been in a state.
func (w *world) reach(r *running, want projector.State) {
	w.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		r.mu.Lock()
		moved := r.moved
		for _, s := range r.states {
			if s == want {
				r.mu.Unlock()
				return
			}
		}
		r.mu.Unlock()
		select {
		case <-moved:
		case err := <-r.done:
			w.t.Fatalf("the engine ended before it was %s: %v", want, err)
		case <-deadline:
			w.t.Fatalf("the engine was not %s within 30 s: %+v", want, r.engine.Status())
		}
	}
}

func (w *world) stop(r *running) {
	w.t.Helper()
	r.cancel()
	select {
	case err := <-r.done:
		must(w.t, err)
	case <-time.After(15 * time.Second):
		w.t.Fatal("the engine did not stop")
	}
}

// fails waits for the engine's error.
func (w *world) fails(r *running) error {
	w.t.Helper()
	select {
	case err := <-r.done:
		if err == nil {
			w.t.Fatal("the engine ended without an error")
		}
		return err
	case <-time.After(30 * time.Second):
		w.t.Fatal("the engine did not end")
		return nil
	}
}

// settle waits until everything committed so far is in the documents.
func (w *world) settle() {
	w.t.Helper()
	ctx := context.Background()
	var mark pglogrepl.LSN
	must(w.t, w.conn.QueryRow(ctx, "SELECT pg_logical_emit_message(true, 'freshet', 'test')").Scan(&mark))
	listener := pgtest.Connect(w.t, w.url)
	_, err := listener.Exec(ctx, "LISTEN freshet")
	must(w.t, err)
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		c, err := checkpoint.Load(ctx, w.conn, w.slot)
		must(w.t, err)
		if c.Watermark >= mark {
			return
		}
		_, err = listener.WaitForNotification(ctx)
		must(w.t, err)
	}
}

// exact compares every document with its definition.
func (w *world) exact() {
	w.t.Helper()
	report, err := verify.Run(context.Background(), verify.Config{ConnConfig: w.cfg, Models: w.plan.ReadModels, Slot: w.slot, Keep: 3})
	must(w.t, err)
	if report.Differ > 0 || report.Behind || report.Compared == 0 {
		w.t.Fatalf("compared %d, %d differ, behind %v: %+v", report.Compared, report.Differ, report.Behind, report.Models)
	}
}

func (w *world) count(sql string, args ...any) (n int) {
	w.t.Helper()
	must(w.t, w.conn.QueryRow(context.Background(), sql, args...).Scan(&n))
	return n
}

func TestFollowsWhatIsWritten(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.reach(r, projector.Streaming)
	w.exact()
	w.exec("UPDATE tb_item SET owner_id = 2 WHERE id % 3 = 0")
	w.exec("DELETE FROM tb_owner WHERE id = 5")
	w.exec("UPDATE tb_owner SET name = 'renamed' WHERE id = 7")
	w.exec("INSERT INTO tb_item VALUES (100001, 1, 3)")
	w.settle()
	w.exact()
	if n := w.count("SELECT count(*) FROM tv_item WHERE data->'owner'->>'name' = 'renamed'"); n == 0 {
		t.Error("the rename did not reach the items")
	}
	w.exec("TRUNCATE tb_item")
	w.settle()
	if n := w.count("SELECT count(*) FROM tv_item"); n != 0 {
		t.Errorf("%d items after TRUNCATE", n)
	}
	if n := w.count("SELECT count(*) FROM tv_owner WHERE data->'items' <> '[]'"); n != 0 {
		t.Errorf("%d owners have items after TRUNCATE", n)
	}
	w.stop(r)
}

func TestChangesWhileDownAreRebuiltOnceEach(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.reach(r, projector.Streaming)
	w.stop(r)
	for range 50 {
		w.exec("UPDATE tb_item SET n = 1 + (n + 1) % 7 WHERE id <= 200")
	}
	r = w.start(nil)
	w.reach(r, projector.Streaming)
	w.settle()
	w.exact()
	s := r.engine.Status()
	if s.Changes != 50*200 {
		t.Errorf("received %d changes, want 10000", s.Changes)
	}
	if rebuilt := s.Upserted + s.Unchanged; rebuilt > 500 {
		t.Errorf("rebuilt %d documents for 200 changed rows", rebuilt)
	}
	w.stop(r)
}

func TestAKilledBackfillGoesOn(t *testing.T) {
	w := newWorld(t)
	var once sync.Once
	halfway := make(chan struct{})
	r := w.start(func(c *projector.Config) {
		c.Workers = 1
		c.Events.Backfill = func(b projector.BackfillEvent) {
			if b.Model == "Item" && b.Documents > 0 && !b.Done {
				once.Do(func() { close(halfway) })
			}
		}
	})
	<-halfway
	w.stop(r)
	done := w.count("SELECT count(*) FROM freshet.backfill_done WHERE model = 'Item'")
	if all := w.count("SELECT count(*) FROM freshet.backfill WHERE model = 'Item'"); done == 0 || all != 3 {
		t.Fatalf("the backfill was not caught halfway: %d of %d ranges are done", done, all)
	}
	w.exec("UPDATE tb_item SET n = 7 WHERE id % 2 = 0")
	w.exec("DELETE FROM tb_item WHERE id % 5 = 0")
	first := int64(-1)
	r = w.start(func(c *projector.Config) {
		c.Events.Backfill = func(b projector.BackfillEvent) {
			if b.Model == "Item" && first < 0 {
				first = b.Documents
			}
		}
	})
	w.reach(r, projector.Streaming)
	if first < 5000 {
		t.Errorf("the second start began with %d documents done, want those of the first", first)
	}
	w.settle()
	w.exact()
	w.stop(r)
}

func TestADocumentThatCannotBeBuiltStopsNoOther(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.reach(r, projector.Streaming)
	w.exec("UPDATE tb_item SET n = CASE WHEN id = 77 THEN 0 ELSE n + 1 END WHERE id < 500")
	w.settle()
	if n := w.count("SELECT count(*) FROM freshet.pending WHERE model = 'Item' AND key = '77' AND reason = 'quarantine' AND error LIKE '%division by zero%'"); n != 1 {
		t.Errorf("the document is not quarantined")
	}
	if n := w.count("SELECT count(*) FROM freshet.sync_log WHERE NOT success AND model = 'Item' AND '77' = ANY (keys)"); n == 0 {
		t.Errorf("the failure is not in sync_log")
	}
	if n := w.count("SELECT count(*) FROM tb_item AS s JOIN tv_item AS d USING (id) WHERE s.id < 500 AND (d.data->>'n')::int <> s.n"); n != 1 {
		t.Errorf("%d documents differ, want the one in quarantine", n)
	}
	w.exec("UPDATE tb_item SET n = 2 WHERE id = 77")
	w.settle()
	w.exact()
	if n := w.count("SELECT count(*) FROM freshet.pending"); n != 0 {
		t.Errorf("%d keys are still pending", n)
	}
	w.stop(r)
}

func TestAStandbyTakesOver(t *testing.T) {
	w := newWorld(t)
	first := w.start(nil)
	w.reach(first, projector.Streaming)
	second := w.start(nil)
	w.reach(second, projector.Standby)
	if d := second.engine.Status().Detail; !strings.Contains(d, "pid ") {
		t.Errorf("the standby does not say who leads: %q", d)
	}
	w.stop(first)
	w.exec("UPDATE tb_item SET n = 5 WHERE id = 1")
	w.reach(second, projector.Streaming)
	w.settle()
	w.exact()
	w.stop(second)
}

func TestConnectionsCutOneByOne(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.reach(r, projector.Streaming)
	for i := range 6 {
		w.exec("UPDATE tb_item SET n = $1 WHERE id % 100 = $2", 1+i%7, i)
		w.exec(`SELECT pg_terminate_backend(pid) FROM (
			SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'freshet%' ORDER BY pid OFFSET $1 LIMIT 1) AS x`, i%3)
		w.exec("UPDATE tb_item SET n = $1 WHERE id % 100 = $2", 1+(i+1)%7, i)
		w.settle()
	}
	w.exact()
	w.stop(r)
}

func TestASlotThatIsGoneIsRefusedAndHealed(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.reach(r, projector.Streaming)
	w.stop(r)
	w.exec("SELECT pg_drop_replication_slot($1)", w.slot)
	w.exec("UPDATE tb_item SET n = 6 WHERE id < 50")
	w.exec("DELETE FROM tb_item WHERE id = 60")
	var slot *projector.SlotError
	if err := w.fails(w.start(nil)); !errors.As(err, &slot) || !strings.Contains(err.Error(), "--recreate-slot") {
		t.Fatalf("a slot that is gone: %v", err)
	}
	r = w.start(func(c *projector.Config) { c.RecreateSlot = true })
	w.reach(r, projector.Streaming)
	w.settle()
	w.exact()
	w.stop(r)
}

func TestASlotThatSomebodyMovedIsRefused(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.reach(r, projector.Streaming)
	w.stop(r)
	w.exec("UPDATE tb_item SET n = 6 WHERE id < 50")
	w.exec("SELECT pg_replication_slot_advance($1, pg_current_wal_lsn())", w.slot)
	var slot *projector.SlotError
	if err := w.fails(w.start(nil)); !errors.As(err, &slot) {
		t.Fatalf("a slot that somebody moved: %v", err)
	}
}

func TestProgressOfAnotherClusterIsRefused(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.reach(r, projector.Streaming)
	w.stop(r)
	w.exec("UPDATE freshet.checkpoint SET system_id = '42'")
	var mismatch *checkpoint.Mismatch
	if err := w.fails(w.start(nil)); !errors.As(err, &mismatch) {
		t.Fatalf("progress of another cluster: %v", err)
	}
}

func TestAnIdleSlotAdvances(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.reach(r, projector.Streaming)
	w.settle()
	before := w.count("SELECT (confirmed_flush_lsn - '0/0')::bigint FROM pg_replication_slots WHERE slot_name = $1", w.slot)
	w.exec("INSERT INTO tb_other SELECT i, repeat('x', 1000) FROM generate_series(1, 5000) AS i")
	// Nothing that Freshet reads: a watermark that is asked for moves the place
	// on, and a stop tells the slot.
	w.settle()
	w.stop(r)
	after := w.count("SELECT (confirmed_flush_lsn - '0/0')::bigint FROM pg_replication_slots WHERE slot_name = $1", w.slot)
	if after-before < 4<<20 {
		t.Errorf("the slot moved by %d bytes while 5 MB were written", after-before)
	}
}

func TestAModelThatTablesWereNotBuiltForIsRefused(t *testing.T) {
	w := newWorld(t)
	w.exec("UPDATE freshet.models SET hash = 'other' WHERE name = 'Item'")
	var ready *migrate.NotReady
	if err := w.fails(w.start(nil)); !errors.As(err, &ready) || !strings.Contains(err.Error(), "migrate") {
		t.Fatalf("another model: %v", err)
	}
}

func TestAnotherSlotNameFillsAgain(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.reach(r, projector.Streaming)
	w.stop(r)
	w.exec("UPDATE tb_item SET n = 6 WHERE id < 50") // which the first slot knows of, and nobody reads
	w.slot += "_b"
	r = w.start(nil)
	w.reach(r, projector.Streaming)
	w.settle()
	w.exact()
	w.stop(r)
}

func TestASlotOfAnotherDatabaseIsRefused(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	w.exec("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", other.slot)
	if err := other.fails(other.start(nil)); !errors.Is(err, stream.ErrSlotForeign) || !strings.Contains(err.Error(), "--slot") {
		t.Fatalf("a slot of another database: %v", err)
	}
}
