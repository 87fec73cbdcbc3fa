package faults_test

import (
	"testing"
	"time"

	"freshet/deploy/pgserver/pgproxy"
	"freshet/projector"
)

// A connection that swallows bytes both ways, and is never closed, is noticed
// whichever it is, and the projector goes on over new ones.
func TestHalfOpenConnectionsAreNoticed(t *testing.T) {
	const lease = 3 * time.Second
	for name, c := range map[string]struct {
		match  func(pgproxy.Session) bool
		told   string
		within time.Duration
	}{
		"replication": {replication, "the server says nothing any more", 10 * time.Second}, // the watchdog's least
		"apply":       {named("freshet projector"), "the connection is dead", lease},
		"control":     {named("freshet projector control"), "the connection is dead", lease},
		"lease":       {named("freshet projector lease"), "lost the lead", lease / 2},
		"all":         {pgproxy.All, "lost the lead", lease / 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.through()
			w.cfg.RuntimeParams["wal_sender_timeout"] = "3s" // which the stream's watchdog goes by
			r := w.start(func(c *projector.Config) { c.Lease = lease })
			r.streams()
			w.exec("UPDATE tb_item SET n = 2 WHERE id % 100 = 1")
			w.settle()
			mark, began := r.mark(), time.Now()
			if p.Swallow(c.match) == 0 {
				t.Fatal("there is no such connection")
			}
			w.exec("UPDATE tb_item SET n = 3 WHERE id % 100 = 2")
			r.hears(mark, "projector again in", c.told)
			if took := time.Since(began); took > c.within+6*time.Second { // the machine is small
				t.Errorf("noticed after %s", took)
			}
			r.hears(mark, "[streaming]")
			w.exact()
			r.stop()
		})
	}
}

// A statement that runs for long is no dead connection, however long it is.
func TestAStatementThatRunsForLongIsNoDeadConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start(func(c *projector.Config) { c.Lease = time.Second })
	r.streams()
	release := w.lock("SELECT FROM tv_item WHERE id = 1 FOR UPDATE")
	mark := r.mark()
	w.exec("UPDATE tb_item SET n = 5 WHERE id = 1")
	w.eventually("the batch waits for the lock", 1, waits)
	hold(3 * time.Second)
	release()
	w.exact()
	r.never(mark, "projector again in")
	r.stop()
}

// hold is for what shows only by lasting.
func hold(d time.Duration) { time.Sleep(d) }
