package projector_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"

	"freshet/deploy/pgserver/pgtest"
)

// TestPausedOverARestart hurts tables while no projector runs, and mends one
// while none does.
func TestPausedOverARestart(t *testing.T) {
	s := newShopping(t)
	s.end()
	s.exec("ALTER PUBLICATION freshet DROP TABLE tb_item")
	s.exec("UPDATE tb_item SET n = 7 WHERE id < 100")
	s.begin()
	s.hears(1, "paused Item")
	s.paused("Item", "Owner")
	s.others("Item", "Owner")
	since := s.r.engine.Status().Paused[0].Since
	s.end()
	s.begin()
	s.hears(1, "paused Owner") // a new process tells of it too
	s.paused("Item", "Owner")
	s.others("Item", "Owner")
	if again := s.r.engine.Status().Paused[0].Since; !again.Equal(since) {
		t.Errorf("paused since %s, before the restart since %s", again, since)
	}
	s.end()
	s.exec("ALTER PUBLICATION freshet ADD TABLE tb_item")
	s.exec("UPDATE tb_item SET n = 5 WHERE id < 10")
	s.begin()
	s.hears(1, "mended Item")
	s.hears(1, "mended Owner")
	s.whole()

	// And what was done and undone while it was down.
	s.end()
	s.exec("ALTER PUBLICATION freshet DROP TABLE tb_item")
	s.exec("UPDATE tb_item SET n = 4 WHERE id < 100")
	s.exec("ALTER PUBLICATION freshet ADD TABLE tb_item")
	s.begin()
	s.hears(1, "mended Item")
	s.hears(1, "mended Owner")
	s.whole()
	s.end()
}

// TestAllPaused expects the projector to go on without any read model: the
// slot advances.
func TestAllPaused(t *testing.T) {
	s := newShopping(t)
	s.exec("ALTER PUBLICATION freshet DROP TABLE tb_item, tb_owner, tb_note")
	for _, m := range []string{"Item", "Note", "Owner"} {
		s.hears(1, "paused "+m)
	}
	s.paused("Item", "Note", "Owner")
	before := s.lsn()
	s.exec("UPDATE tb_note SET t = 'unseen'")
	s.exec("CREATE TABLE other AS SELECT repeat('x', 1000) FROM generate_series(1, 1000)")
	s.settle()
	s.end()
	var confirmed pglogrepl.LSN
	must(t, s.conn.QueryRow(context.Background(), "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = $1", s.slot).Scan(&confirmed))
	if confirmed < before {
		t.Errorf("the slot stands at %s, before %s", confirmed, before)
	}
	s.begin()
	s.exec("ALTER PUBLICATION freshet ADD TABLE tb_item, tb_owner, tb_note")
	for _, m := range []string{"Item", "Note", "Owner"} {
		s.hears(1, "mended "+m)
	}
	s.whole()
	s.end()
}

// TestMigratedWhileRunning changes a type and runs migrate. Where no document,
// table or index would be another the read models go on without a restart.
func TestMigratedWhileRunning(t *testing.T) {
	s := newShopping(t)
	s.exec("ALTER TABLE tb_item ALTER label TYPE varchar(40)")
	s.hears(1, "paused Item")
	s.paused("Item")
	s.others("Item")
	if !strings.Contains(s.errors["Item"], "freshet migrate --apply") {
		t.Errorf("it says %q", s.errors["Item"])
	}
	s.migrate()
	s.hears(1, "mended Item")
	s.exec("UPDATE tb_item SET label = 'shorter' WHERE id < 10")
	s.whole()

	s.exec("ALTER TABLE tb_item ALTER n TYPE smallint")
	s.hears(2, "paused Item")
	s.hears(1, "paused Owner")
	s.migrate()
	// The table of Item has another column by now: what runs holds to the old
	// one, and says what to do.
	deadline := time.Now().Add(20 * time.Second)
	for told := 0; told < 2; {
		told = 0
		for _, p := range s.r.engine.Status().Paused {
			told += strings.Count(p.Error, "Restart the projector")
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not say to restart: %+v", s.r.engine.Status().Paused)
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.others("Item", "Owner")
	s.end()
	s.begin()
	s.ready()
	s.whole()
	s.end()
}

// TestAStatementThatFailsPausesItsReadModel has a column renamed while a batch
// that needs it waits for a lock: its statement fails before the stream tells.
func TestAStatementThatFailsPausesItsReadModel(t *testing.T) {
	s := newShopping(t)
	ctx := context.Background()
	s.exec("UPDATE tb_item SET n = 2 WHERE id = 1") // the statement is prepared now, and locks nothing until it runs
	s.exec("UPDATE tb_note SET t = 'warm' WHERE id = 1")
	s.settle()
	holder := pgtest.Connect(t, s.url)
	lock, err := holder.Begin(ctx)
	must(t, err)
	_, err = lock.Exec(ctx, "SELECT FROM tv_note WHERE id = 1 FOR UPDATE")
	must(t, err)
	tx, err := s.conn.Begin(ctx)
	must(t, err)
	_, err = tx.Exec(ctx, "UPDATE tb_item SET label = 'late' WHERE id = 1; UPDATE tb_note SET t = 'late' WHERE id = 1")
	must(t, err)
	must(t, tx.Commit(ctx))
	deadline := time.Now().Add(20 * time.Second)
	for s.count("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'freshet projector' AND wait_event_type = 'Lock'") == 0 {
		if time.Now().After(deadline) {
			t.Fatal("the batch does not wait")
		}
		time.Sleep(5 * time.Millisecond)
	}
	s.exec("ALTER TABLE tb_item RENAME label TO title")
	must(t, lock.Rollback(ctx))
	s.hears(1, "paused Item")
	if !strings.Contains(s.errors["Item"], "42703") {
		t.Errorf("it says %q", s.errors["Item"])
	}
	s.paused("Item")
	s.others("Item")
	s.exec("ALTER TABLE tb_item RENAME title TO label")
	s.hears(1, "mended Item")
	s.whole()
	s.end()
}

// TestPoisonInAFillAfterAPause has a document of a paused read model impossible
// to build when its table is mended: it is set aside, and the others are kept.
func TestPoisonInAFillAfterAPause(t *testing.T) {
	s := newShopping(t)
	s.exec("ALTER TABLE tb_item RENAME label TO title")
	s.hears(1, "paused Item")
	s.exec("UPDATE tb_item SET n = 0 WHERE id = 7")
	s.exec("ALTER TABLE tb_item RENAME title TO label")
	s.hears(1, "mended Item")
	s.paused()
	s.others("Item")
	if n := s.count("SELECT count(*) FROM freshet.pending WHERE model = 'Item' AND key = '7' AND error LIKE '%division by zero%'"); n != 1 {
		t.Errorf("%d documents are set aside with their error", n)
	}
	s.exec("UPDATE tb_item SET label = 'kept' WHERE id = 8")
	s.exec("UPDATE tb_item SET n = 1 WHERE id = 7")
	s.whole()
	if n := s.count("SELECT count(*) FROM freshet.pending"); n != 0 {
		t.Errorf("%d documents are still set aside", n)
	}
	s.end()
}

// TestAnOldTransactionIsWaitedFor expects a read model not to be filled while
// a transaction runs that has written to its table before it was published
// again, and the others not to wait.
func TestAnOldTransactionIsWaitedFor(t *testing.T) {
	s := newShopping(t)
	ctx := context.Background()
	s.exec("ALTER PUBLICATION freshet DROP TABLE tb_item")
	s.hears(1, "paused Item")
	old, err := pgtest.Connect(t, s.url).Begin(ctx)
	must(t, err)
	_, err = old.Exec(ctx, "UPDATE tb_item SET n = 3 WHERE id = 5")
	must(t, err)
	s.exec("ALTER PUBLICATION freshet ADD TABLE tb_item")
	deadline := time.Now().Add(20 * time.Second)
	for waits := ""; !strings.Contains(waits, "pid "); {
		for _, p := range s.r.engine.Status().Paused {
			waits = p.Waits
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not say for whom it waits: %+v", s.r.engine.Status())
		}
		time.Sleep(20 * time.Millisecond)
	}
	var told bool
	must(t, pgtest.Connect(t, s.url).QueryRow(ctx, "SELECT bool_or(waits LIKE '%pid %') FROM freshet.models").Scan(&told))
	if !told {
		t.Error("freshet.models does not tell for whom it waits")
	}
	s.others("Item", "Owner")
	s.paused("Item", "Owner")
	must(t, old.Commit(ctx))
	s.hears(1, "mended Item")
	s.hears(1, "mended Owner")
	s.whole()
	s.end()
}

// TestTablesChangeUnderLoad changes tables again and again while others write
// to them; what was committed must not be lost.
func TestTablesChangeUnderLoad(t *testing.T) {
	s := newShopping(t)
	ctx, stop := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	for i := range 3 {
		conn := pgtest.Connect(t, s.url)
		wait.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				for _, sql := range []string{
					"UPDATE tb_item SET n = 1 + (n + 1) % 7, owner_id = 1 + (owner_id + 3) % 20 WHERE id % 50 = $1::int",
					"UPDATE tb_owner SET name = 'o' || $1::int || clock_timestamp() WHERE id = 1 + $1::int % 20",
					"INSERT INTO tb_note SELECT max(id) + 1 + $1::int FROM tb_note ON CONFLICT DO NOTHING",
				} {
					_, _ = conn.Exec(ctx, sql, (n+i)%50) // may fail: a column is away
				}
			}
		})
	}
	for i := range 2 {
		for _, sql := range []string{
			"ALTER TABLE tb_item RENAME n TO m", "ALTER TABLE tb_item RENAME m TO n",
			"ALTER TABLE tb_owner RENAME name TO called", "ALTER TABLE tb_owner RENAME called TO name",
			"ALTER TABLE tb_item REPLICA IDENTITY DEFAULT", "ALTER TABLE tb_item REPLICA IDENTITY FULL",
			fmt.Sprintf("ALTER TABLE tb_item ADD extra%d integer DEFAULT 1", i),
			"ALTER PUBLICATION freshet DROP TABLE tb_owner", "ALTER PUBLICATION freshet ADD TABLE tb_owner",
		} {
			s.exec(sql)
			time.Sleep(40 * time.Millisecond) // for some load in between
		}
		s.settle() // the projector lives, and Note is kept
		s.hears(i+1, "paused Owner")
		s.hears(i+1, "mended Owner") // while the load goes on
		s.ready()
	}
	stop()
	wait.Wait()
	s.ready()
	s.whole()
	s.end()
}

// ready waits until no read model is paused.
func (s *shopping) ready() {
	s.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for s.count("SELECT count(*) FROM freshet.models WHERE state <> 'ready'") > 0 {
		if time.Now().After(deadline) {
			s.t.Fatalf("still paused: %+v", s.r.engine.Status().Paused)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
