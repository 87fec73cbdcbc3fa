package projector_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver"
	"freshet/deploy/pgserver/pgtest"
	"freshet/projector"
	"freshet/projector/checkpoint"
	"freshet/projector/migrate"
)

// pair is a primary and its physical standby, which keeps the failover slots
// in step.
type pair struct {
	t                *testing.T
	primary, standby *pgserver.Server
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{t: t, primary: pgtest.Server(t)}
	if p.ask(p.primary, "postgres", "SELECT (current_setting('server_version_num')::int >= 170000)::text") != "true" {
		t.Skip("slots that a standby keeps in step came with Postgres 17")
	}
	// A third of it is how often the projector tells the slot how far it is.
	p.primary = pgtest.Start(t, map[string]string{"wal_sender_timeout": "6s"})
	pgtest.Exec(t, p.primary.URL("postgres"), "SELECT pg_create_physical_replication_slot('standby')")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	p.standby, err = p.primary.Standby(ctx, "standby", map[string]string{"hot_standby_feedback": "on", "sync_replication_slots": "on"})
	must(t, err)
	t.Cleanup(func() { must(t, p.standby.Stop(pgserver.Immediate)) })
	return p
}

func (p *pair) ask(server *pgserver.Server, database, sql string) (text string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, server.URL(database))
	must(p.t, err)
	defer conn.Close(ctx)
	must(p.t, conn.QueryRow(ctx, sql).Scan(&text))
	return text
}

// world makes a database with its read models on the primary.
func (p *pair) world(name string) *world {
	p.t.Helper()
	pgtest.Exec(p.t, p.primary.URL("postgres"), "CREATE DATABASE "+name)
	return newWorldAt(p.t, p.primary.URL(name), schema, file)
}

// moved is the world on the standby.
func (p *pair) moved(w *world) *world {
	p.t.Helper()
	conn := pgtest.Connect(p.t, p.standby.URL(w.conn.Config().Database))
	return &world{t: w.t, url: p.standby.URL(w.conn.Config().Database), conn: conn, plan: w.plan, cfg: conn.Config(), slot: w.slot}
}

// caughtUp waits until the standby has replayed all that the primary wrote.
func (p *pair) caughtUp() {
	p.t.Helper()
	end := p.ask(p.primary, "postgres", "SELECT pg_current_wal_insert_lsn()::text")
	p.until("the standby has replayed up to "+end, "SELECT (pg_last_wal_replay_lsn() >= '"+end+"')::text", func() {})
}

// until polls the standby for what nothing signals, and calls work in between.
func (p *pair) until(what, sql string, work func()) {
	p.t.Helper()
	for deadline := time.Now().Add(45 * time.Second); p.ask(p.standby, "postgres", sql) != "true"; time.Sleep(50 * time.Millisecond) {
		work()
		if time.Now().After(deadline) {
			p.t.Fatalf("it does not come about: %s; the standby's log ends:\n%s", what, p.standby.Log())
		}
	}
}

// A projector that is led to a promoted standby goes on with the slot that the
// standby kept in step: what was committed before the failover and not yet
// applied is applied, nothing is filled again, and every document is right.
// One whose slot did not come along is refused.
func TestFailoverWithASyncedSlot(t *testing.T) {
	p := newPair(t)
	w, other := p.world("followed"), p.world("left_behind")
	other.exec("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", other.slot)
	for _, each := range []*world{w, other} {
		r := each.start(nil)
		each.reach(r, projector.Streaming)
		each.exec("UPDATE tb_owner SET name = name || '!' WHERE id < 20")
		each.settle()
		if each == w {
			// The standby takes the slot over once it needs no older rows than the
			// standby has, which a busy database comes to by itself.
			p.until("the slot is kept in step", "SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '"+w.slot+"' AND synced AND NOT temporary)::text",
				func() {
					w.exec("SELECT pg_log_standby_snapshot()")
					w.exec("UPDATE tb_owner SET name = name WHERE id = 1")
					p.ask(p.standby, "postgres", "SELECT pg_reload_conf()::text") // wakes who does it, which sleeps for up to 30 s
				})
			w.exec("DELETE FROM tb_item WHERE id % 10 = 0")
			w.settle()
		}
		each.stop(r)
	}
	w.exec("UPDATE tb_item SET owner_id = 3, n = 5 WHERE id % 7 = 0") // for the next leader
	p.caughtUp()
	must(t, p.primary.Kill())
	must(t, p.standby.Promote(context.Background()))

	followed := p.moved(w)
	followed.refusesASlotAhead()
	if f := followed.progressFault(); f != "" {
		t.Errorf("check finds fault with a slot that was kept in step: %s", f)
	}
	fills := p.ask(p.standby, "followed", "SELECT count(*)::text FROM freshet.sync_log WHERE operation = 'backfill'")
	r := followed.start(nil)
	followed.reach(r, projector.Streaming)
	followed.exec("UPDATE tb_owner SET name = 'after' WHERE id = 3")
	followed.settle()
	followed.exact()
	followed.stop(r)
	if again := p.ask(p.standby, "followed", "SELECT count(*)::text FROM freshet.sync_log WHERE operation = 'backfill'"); again != fills {
		t.Errorf("%s fills after the failover, %s before", again, fills)
	}

	behind := p.moved(other)
	if behind.progressFault() == "" {
		t.Error("check finds no fault with a slot that did not come along")
	}
	var mismatch *checkpoint.Mismatch
	if err := behind.fails(behind.start(nil)); !errors.As(err, &mismatch) || mismatch.Found.Timeline <= mismatch.Stored.Timeline {
		t.Errorf("a slot that did not come along: %v", err)
	}
}

// progressFault is what freshet check says of the checkpoint.
func (w *world) progressFault() string {
	w.t.Helper()
	for _, f := range migrate.Check(context.Background(), w.conn, w.plan, migrate.Options{Slot: w.slot}) {
		if f.Where == "freshet.checkpoint" && f.Severity == migrate.Fault {
			return f.What
		}
	}
	return ""
}

// refusesASlotAhead pretends that the slot was told more than the checkpoint,
// as it comes to the standby, knows of.
func (w *world) refusesASlotAhead() {
	w.t.Helper()
	ctx := context.Background()
	id, err := checkpoint.Find(ctx, w.conn, w.slot)
	must(w.t, err)
	tx, err := w.conn.Begin(ctx)
	must(w.t, err)
	_, err = tx.Exec(ctx, `UPDATE freshet.checkpoint SET applied_lsn = (SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = slot) - 1`)
	must(w.t, err)
	if p, err := checkpoint.FollowPromotion(ctx, w.conn, id); err != nil || p != nil {
		w.t.Errorf("a slot that is ahead was followed: %+v, %v", p, err)
	}
	must(w.t, tx.Rollback(ctx))
}
