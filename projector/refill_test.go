package projector_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"freshet/deploy/pgserver/pgtest"
	"freshet/model"
	"freshet/projector"
	"freshet/projector/catalog"
	"freshet/projector/compile"
	"freshet/projector/migrate"
	"freshet/projector/resync"
)

// refill is a world of 12,000 items, an engine over it, and what it tells
// while the items are filled again. All items are spoiled before, so that it
// shows which of them are done.
type refill struct {
	*world
	in, out *eye // inside the engine's events, and outside
	r       *running

	mu     sync.Mutex
	mended []string
	batch  func(done int) // called after each batch while some items are spoiled and some are not
}

const spoilItems = `UPDATE tv_item SET data = '{"spoiled": true}'`

func newRefill(t *testing.T, w *world) *refill {
	s := &refill{world: w, in: w.eye(), out: w.eye()}
	s.begin(true)
	return s
}

// begin starts an engine; streams says whether it comes as far by itself.
func (s *refill) begin(streams bool) {
	s.t.Helper()
	s.r = s.start(func(c *projector.Config) {
		c.Events.Mended = func(model string) { s.mu.Lock(); defer s.mu.Unlock(); s.mended = append(s.mended, model) }
		c.Events.Batch = func(projector.BatchEvent) {
			s.mu.Lock()
			f := s.batch
			s.mu.Unlock()
			if n := s.in.done(); f != nil && n > 0 && n < s.in.items() {
				f(n)
			}
		}
	})
	if streams {
		s.reach(s.r, projector.Streaming)
	}
}

// during has f called after the batches of the next fill.
func (s *refill) during(f func(done int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batch = f
}

// once has f called after the first of them.
func (s *refill) once(f func()) {
	called := false
	s.during(func(int) {
		if !called {
			called = true
			f()
		}
	})
}

// ask has the items filled again.
func (s *refill) ask() {
	s.t.Helper()
	s.exec(spoilItems)
	must(s.t, resync.Refill(context.Background(), s.conn, "Item"))
}

func (s *refill) ready() {
	s.t.Helper()
	s.until(s.r, func() bool {
		return s.out.number("SELECT count(*) FROM freshet.models WHERE state <> 'ready' OR paused_lsn IS NOT NULL OR waits IS NOT NULL") == 0
	})
	if n := s.count("SELECT count(*) FROM freshet.fanout"); n > 0 {
		s.t.Errorf("%d fan-outs are left", n)
	}
}

func (e *eye) done() int {
	return e.number(`SELECT count(*) FROM tv_item WHERE NOT data ? 'spoiled'`)
}

func (e *eye) items() int { return e.number(`SELECT count(*) FROM tb_item`) }

func (e *eye) number(sql string) (n int) {
	e.t.Helper()
	must(e.t, e.conn.QueryRow(context.Background(), sql).Scan(&n))
	return n
}

// TestARefillDoesNotHoldUpTheOthers has a change of another read model made
// when a part of the items is filled: it is seen before the others are.
func TestARefillDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	s := newRefill(t, newWorld(t))
	wrote, seen := false, -1
	s.during(func(done int) {
		switch {
		case !wrote:
			wrote = true
			s.in.exec("UPDATE tb_owner SET name = 'meanwhile' WHERE id = 7")
		case seen < 0 && s.in.number("SELECT count(*) FROM tv_owner WHERE id = 7 AND data->>'name' = 'meanwhile'") == 1:
			seen = done
			if n := s.in.number("SELECT count(*) FROM freshet.lag WHERE model = 'Item' AND reason = 'refill'"); n != 1 {
				t.Errorf("freshet.lag has %d rows of Item", n)
			}
			if n := s.in.number("SELECT count(*) FROM freshet.lag WHERE model <> 'Item'"); n != 0 {
				t.Errorf("freshet.lag has %d rows of others", n)
			}
		}
	})
	s.ask()
	s.ready()
	s.stop(s.r)
	if seen < 0 {
		t.Error("the change of an owner was not seen before all items were filled")
	}
	if n := s.count("SELECT count(*) FROM freshet.sync_log WHERE model = 'Item' AND operation = 'backfill' AND whole AND upserted = 12000 AND batch > 1"); n != 1 {
		t.Errorf("the log has %d rows of the fill", n)
	}
	for _, state := range s.r.states[len(s.r.states)-2:] {
		if state == projector.Backfilling {
			t.Errorf("it filled by itself: %v", s.r.states)
		}
	}
	s.exact()
}

// TestARefillWhileItsRowsChange changes, removes and adds what is filled, on
// both sides of where the fill is.
func TestARefillWhileItsRowsChange(t *testing.T) {
	t.Parallel()
	s := newRefill(t, newWorld(t))
	writes := []string{
		"UPDATE tb_item SET n = 1 + (n + 3) % 7 WHERE id % 10 = 3",
		"DELETE FROM tb_item WHERE id % 100 = 7",
		"INSERT INTO tb_item SELECT -i, 1, 5 FROM generate_series(1, 50) AS i; INSERT INTO tb_item SELECT i, 1, 5 FROM generate_series(90001, 90050) AS i",
		"UPDATE tb_owner SET name = 'all of them'",
		"UPDATE tb_item SET id = id + 200000 WHERE id % 100 = 9",
	}
	made := 0
	s.during(func(int) {
		if made < len(writes) {
			s.in.exec(writes[made])
			made++
		}
	})
	s.exec("INSERT INTO tv_item SELECT -1000 - i, '{\"spoiled\": true}', 1, '0/1', now() FROM generate_series(1, 20) AS i") // of no row
	s.ask()
	s.ready()
	if made < 3 {
		t.Errorf("only %d writes were made while it was filled", made)
	}
	s.settle()
	s.exact()

	// All of it goes while it is filled.
	s.once(func() { s.in.exec("TRUNCATE tb_item") })
	s.ask()
	s.ready()
	s.settle()
	if n := s.count("SELECT count(*) FROM tv_item"); n != 0 {
		t.Errorf("%d items after TRUNCATE", n)
	}
	s.stop(s.r)
}

// TestARefillGoesOnAfterACrash kills the engine's connections half way, and
// then the engine.
func TestARefillGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	s := newRefill(t, newWorld(t))
	cut := make(chan struct{})
	s.once(func() {
		s.in.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'freshet projector%' AND datname = current_database()")
		close(cut)
	})
	s.ask()
	select {
	case <-cut:
	case <-time.After(20 * time.Second):
		t.Fatal("the fill was not seen half done")
	}
	s.r.cancel()
	<-s.r.done // with the error of the connections that were cut, or without
	if n := s.count("SELECT count(*) FROM freshet.fanout WHERE path = '*'"); n != 1 {
		t.Fatalf("%d fills are under way", n)
	}
	s.exec("UPDATE tb_item SET n = 1 + n % 6 WHERE id % 5 = 1")
	s.during(nil)
	s.begin(true)
	s.ready()
	s.settle()
	s.exact()
	s.stop(s.r)
}

// TestAskedForAgainWhileItIsFilled begins anew: what was done may have been
// spoiled since.
func TestAskedForAgainWhileItIsFilled(t *testing.T) {
	t.Parallel()
	s := newRefill(t, newWorld(t))
	s.once(func() {
		s.in.exec(spoilItems)
		must(t, resync.Refill(context.Background(), s.in.conn, "Item"))
	})
	s.ask()
	s.ready()
	s.settle()
	s.exact()
	s.stop(s.r)
}

// TestARefillWaitsForOldTransactions: a transaction that ran before it began
// has to end, and nobody else waits for it.
func TestARefillWaitsForOldTransactions(t *testing.T) {
	t.Parallel()
	s := newRefill(t, newWorld(t))
	old, err := pgtest.Connect(t, s.url).Begin(context.Background())
	must(t, err)
	_, err = old.Exec(context.Background(), "UPDATE tb_item SET n = 2 WHERE id = 5")
	must(t, err)
	s.ask()
	s.until(s.r, func() bool {
		return s.out.number("SELECT count(*) FROM freshet.models WHERE name = 'Item' AND waits LIKE '%pid %'") == 1
	})
	s.exec("UPDATE tb_owner SET name = 'meanwhile' WHERE id = 7")
	s.exec("UPDATE tb_item SET n = 6 WHERE id = 9")
	s.settle()
	if n := s.count("SELECT count(*) FROM tv_owner WHERE id = 7 AND data->>'name' = 'meanwhile'"); n != 1 {
		t.Error("a change of an owner waits as well")
	}
	if n := s.count("SELECT count(*) FROM tv_item WHERE NOT data ? 'spoiled'"); n < 1 || n > 200 {
		t.Errorf("%d items are done, want those that were written since", n)
	}
	must(t, old.Commit(context.Background()))
	s.ready()
	s.settle()
	s.exact()
	s.stop(s.r)
}

// TestPoisonInARefill sets the documents aside that cannot be built, and fills
// the others.
func TestPoisonInARefill(t *testing.T) {
	t.Parallel()
	s := newRefill(t, newWorld(t))
	s.exec("ALTER TABLE tb_item DISABLE TRIGGER ALL")
	s.ask()
	s.exec("UPDATE tb_item SET n = 0 WHERE id % 1000 = 7")
	s.ready()
	if n := s.count("SELECT count(*) FROM freshet.pending WHERE model = 'Item' AND reason = 'quarantine' AND error LIKE '%division by zero%'"); n != 12 {
		t.Errorf("%d documents are set aside, want 12", n)
	}
	if n := s.count("SELECT count(*) FROM tv_item WHERE NOT data ? 'spoiled'"); n != 11988 {
		t.Errorf("%d items are done, want 11,988", n)
	}
	s.exec("UPDATE tb_item SET n = 1 WHERE n = 0")
	s.settle()
	s.exact()
	s.stop(s.r)
}

// TestMuchPoisonInARefill finds the documents that cannot be built a few at a
// time, so that no batch takes long over them.
func TestMuchPoisonInARefill(t *testing.T) {
	t.Parallel()
	w := newWorldAt(t, pgtest.Database(t), schema, file+noteType)
	r := w.start(nil)
	w.reach(r, projector.Streaming)
	w.stop(r)
	// By no transaction of the stream: that would have them all in one batch.
	w.exec("ALTER PUBLICATION freshet DROP TABLE tb_item")
	w.exec("UPDATE tb_item SET n = 0 WHERE id BETWEEN 5000 AND 5399")
	w.exec("ALTER PUBLICATION freshet ADD TABLE tb_item")
	var failed int64 // in this batch: the engine's alone
	var most atomic.Int64
	r = w.start(func(c *projector.Config) {
		c.Events.Quarantined = func(string, string, error) { failed++ }
		c.Events.Batch = func(projector.BatchEvent) {
			most.Store(max(most.Load(), failed))
			failed = 0
		}
	})
	w.until(r, func() bool {
		return w.count("SELECT count(*) FROM freshet.pending WHERE reason = 'quarantine'") == 400 &&
			w.count("SELECT count(*) FROM freshet.models WHERE state <> 'ready'") == 0
	})
	if most := most.Load(); most > 300 { // of a chunk no more than 50, and of those that are tried again no more than 250
		t.Errorf("a batch found %d documents that cannot be built", most)
	}
	w.exec("UPDATE tb_item SET n = 1 WHERE n = 0")
	w.settle()
	w.exact()
	w.stop(r)
	if n := w.count("SELECT count(*) FROM tv_item"); n != 12000 {
		t.Errorf("%d items", n)
	}
}

const noteType = `
type Note @table(name: "tb_other") {
  id: ID!
  t: String @index
}`

// TestANewReadModelIsFilledBesideTheOthers adds a type to the model file of a
// slot that is there.
func TestANewReadModelIsFilledBesideTheOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec("INSERT INTO tb_other SELECT i, 'note ' || i FROM generate_series(1, 5000) AS i")
	r := w.start(nil)
	w.reach(r, projector.Streaming)
	w.stop(r)
	w.extend(file + noteType)
	w.exec("UPDATE tb_owner SET name = 'before' WHERE id = 3")
	w.exec("DELETE FROM tb_other WHERE id = 4")
	var mu sync.Mutex
	var fills []projector.BackfillEvent
	r = w.start(func(c *projector.Config) {
		c.Events.Refill = func(e projector.BackfillEvent) { mu.Lock(); defer mu.Unlock(); fills = append(fills, e) }
	})
	w.until(r, func() bool { return w.count("SELECT count(*) FROM freshet.models WHERE state = 'ready'") == 3 })
	w.settle()
	w.exact()
	w.stop(r)
	if strings.Contains(fmt.Sprint(r.states), string(projector.Backfilling)) {
		t.Errorf("the others waited: %v", r.states)
	}
	if n := w.count("SELECT count(*) FROM pg_indexes WHERE tablename = 'tv_note'"); n != 2 {
		t.Errorf("tv_note has %d indexes, want 2", n)
	}
	if n := len(fills); n < 2 || fills[n-1].Documents != 4999 || !fills[n-1].Done || fills[0].Estimate != 4999 {
		t.Errorf("it told %+v", fills)
	}
}

// extend migrates the world to another model file.
func (w *world) extend(file string) {
	w.t.Helper()
	ctx := context.Background()
	m, faults := model.Parse("model.graphql", file)
	must(w.t, faults.Err())
	c, err := catalog.Load(ctx, w.conn, compile.Request(m))
	must(w.t, err)
	w.plan, faults = compile.Compile(m, c)
	must(w.t, faults.Err())
	migration, err := migrate.Plan(ctx, w.conn, w.plan, migrate.Options{Slot: w.slot, LeaveSlot: true})
	must(w.t, err)
	must(w.t, migrate.Apply(ctx, w.cfg, migration, nil))
}
