package faults_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"freshet/deploy/pgserver/pgproxy"
	"freshet/projector"
	"freshet/projector/batch"
	"freshet/projector/stream"
)

// Somebody else streams from the slot: the projector says who, waits with
// back-off, and goes on when the slot is free.
func TestASlotInUseIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start(nil)
	r.streams()
	r.stop()
	stranger, err := stream.Open(context.Background(), stream.Config{Conn: &w.cfg.Config, Slot: w.slot, Publication: "freshet"},
		batch.NewAssembler(w.plan, batch.Options{}))
	must(t, err)
	w.exec("UPDATE tb_item SET n = 5 WHERE id % 10 = 1")
	r = w.start(nil)
	who := fmt.Sprintf("is in use by process %d: ", stranger.PID())
	first := r.hears(0, "projector again in", who)
	r.hears(0, "[waiting]", who)
	if s := r.engine.Status(); !mentions(s.LastError, who) {
		t.Errorf("the status does not say who holds the slot: %+v", s)
	}
	for mark := r.mark(); r.hears(mark, "projector again in", who) == first; mark = r.mark() {
		t.Log("no back-off yet") // it is random
	}
	must(t, stranger.Close(context.Background()))
	r.streams()
	w.exact()
	r.stop()
}

// The machine of a projector vanishes: no connection of it is ever closed. The
// next start ends the sessions that the server still holds for it, that of the
// slot among them, and goes on within seconds.
func TestAVanishedMachineIsReplaced(t *testing.T) {
	t.Parallel()
	const lease = 2 * time.Second
	w := newWorld(t)
	straight, p := w.cfg, w.through()
	gone := w.spawn(lease)
	gone.hears(0, "[streaming]")
	p.Swallow(pgproxy.All)
	gone.kill()
	w.exec("UPDATE tb_item SET n = 5 WHERE id % 10 = 1")
	if n := w.count("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'freshet%'"); n < 4 {
		t.Fatalf("the server holds %d sessions of the machine that is gone: the test tests nothing", n)
	}
	w.cfg = straight
	began := time.Now()
	r := w.start(func(c *projector.Config) { c.Lease = lease })
	r.hears(0, "[standby]", "another projector leads: pid ")
	r.hears(0, "[standby] taking over: ", "has been silent for 2s")
	r.hears(0, "[starting] ended ", "that the projector before had left")
	r.streams()
	if took := time.Since(began); took > lease+8*time.Second {
		t.Errorf("took over after %s", took)
	}
	w.exact()
	r.stop()
}

// Creating a slot waits for every transaction of the server: these have one of
// their own, one after the other.
func TestSlotCreation(t *testing.T) {
	t.Parallel()
	server := lonely(t)
	for _, c := range []struct {
		name string
		run  func(*world)
	}{
		{"names who blocks it", namesWhoBlocks},
		{"killed meanwhile", killedWhileCreating},
		{"killed, and nobody starts", halfMade},
		{"killed just after", orphan},
		{"somebody else creates it", createdByAnother},
		{"stopped while it waits", stoppedWhileItWaits},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(newWorldOn(t, server)) })
	}
}

// A slot cannot be made while a transaction is open. The wait is bounded, names
// whom it is for, leaves nothing behind, and is taken up again.
func namesWhoBlocks(w *world) {
	release := w.lock("UPDATE tb_item SET n = 4 WHERE id = 9; SELECT")
	r := w.start(func(c *projector.Config) { c.SlotWait = 1200 * time.Millisecond })
	r.hears(0, "[starting] the slot is created when these transactions have ended: pid ", "reporting job, in a transaction since")
	r.hears(0, "projector again in", "create the slot: gave up after 1.2s", "reporting job, in a transaction since")
	r.stop()
	if n := w.count("SELECT count(*) FROM pg_replication_slots"); n != 0 {
		w.t.Errorf("%d slots are left behind", n)
	}
	w.eventually("no process of the server waits any more", 1, "SELECT count(*) FROM (SELECT) AS one WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'walsender')")
	r = w.start(nil)
	r.hears(0, "reporting job, in a transaction since")
	release()
	r.streams()
	w.exact()
	r.stop()
}

// creating says that a slot is being created, and its creator waits.
const creating = `SELECT count(*) FROM pg_replication_slots AS s JOIN pg_stat_activity AS a ON a.pid = s.active_pid
WHERE s.confirmed_flush_lsn IS NULL AND a.wait_event_type = 'Lock'`

// A projector is killed while it creates its slot. The server does not notice,
// and goes on creating it: the next start ends that, and makes its own.
func killedWhileCreating(w *world) {
	release := w.lock("UPDATE tb_item SET n = 4 WHERE id = 9; SELECT")
	p := w.spawn(time.Minute)
	w.eventually("the slot is being created", 1, creating)
	orphan := w.count("SELECT active_pid FROM pg_replication_slots")
	p.kill()
	w.eventually("nobody leads", 0, "SELECT 0 - count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock'")
	if n := w.count("SELECT count(*) FROM pg_replication_slots WHERE active_pid = $1", orphan); n != 1 {
		w.t.Fatal("the server has noticed: the test tests nothing")
	}
	r := w.start(nil)
	r.hears(0, "[starting] ended ", "that the projector before had left")
	r.hears(0, "the slot is created when these transactions have ended", "reporting job")
	w.exec("UPDATE tb_item SET n = 5 WHERE id % 10 = 1")
	release()
	r.streams()
	w.exact()
	r.stop()
}

// The same, but nobody starts before the transactions have ended: the server
// notices then that nobody is there any more, and drops what it had begun.
func halfMade(w *world) {
	release := w.lock("UPDATE tb_item SET n = 4 WHERE id = 9; SELECT")
	p := w.spawn(time.Minute)
	w.eventually("the slot is being created", 1, creating)
	p.kill()
	release()
	w.eventually("the slot is gone", 0, "SELECT 0 - count(*) FROM pg_replication_slots")
	r := w.start(nil)
	r.streams()
	w.exact()
	r.stop()
}

// A projector is killed after the slot is made and before there is a
// checkpoint for it: the slot is used.
func orphan(w *world) {
	created, err := stream.CreateSlot(context.Background(), stream.Config{Conn: &w.cfg.Config, Slot: w.slot})
	must(w.t, err)
	must(w.t, created.Close(context.Background()))
	w.exec("UPDATE tb_item SET n = 5 WHERE id % 10 = 1")
	r := w.start(nil)
	r.streams()
	w.exact()
	r.stop()
}

// A slot that somebody else is just creating, `freshet migrate` say, is waited
// for.
func createdByAnother(w *world) {
	release := w.lock("UPDATE tb_item SET n = 4 WHERE id = 9; SELECT")
	made := make(chan error, 1)
	go func() { // received below
		created, err := stream.CreateSlot(context.Background(), stream.Config{Conn: &w.cfg.Config, Slot: w.slot})
		if err == nil {
			err = created.Close(context.Background())
		}
		made <- err
	}()
	w.eventually("the slot is being created", 1, creating)
	r := w.start(nil)
	r.hears(0, "projector again in", "it is being created by process ")
	release()
	must(w.t, <-made)
	r.streams()
	w.exact()
	r.stop()
}
