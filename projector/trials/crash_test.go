package trials

import (
	"context"
	"testing"
	"time"

	"freshet/projector"
	"freshet/projector/checkpoint"
)

// TestCommitsLostInACrash kills the server just after a batch has committed and
// before anybody flushed it: it is gone after the crash. The slot must not have
// been told of it, and the engine must do it again, by itself.
//
// The server's walwriter, which would flush it in the background, is slowed
// down, so that only what the engine itself waits for is durable, and what
// happens to fill a page of the WAL: the load is over by then, and has left the
// images of the pages that the batch changes in the WAL.
func TestCommitsLostInACrash(t *testing.T) {
	t.Parallel()
	w := newServer(t, map[string]string{"fsync": "on", "wal_writer_delay": "10s", "wal_writer_flush_after": "1GB"})
	lost, rounds := 0, 0
	for ; rounds < sized(3, 100) || lost == 0 && rounds < 25; rounds++ {
		var held heldBatch
		r := w.start(held.hook)
		r.streams(1)
		load := background(t, func(ctx context.Context) error { return w.writes(ctx, w.url, "SET synchronous_commit = off") })
		began := r.told().batches
		r.await("the load is applied", func(v *seen) bool { return v.batches >= began+2 })
		load()
		w.settle()
		number := held.next(t, func() {
			w.exec("SET synchronous_commit = off; UPDATE tb_book SET title = 'last' WHERE id = 1")
		})
		must(t, w.server.Kill())
		must(t, w.server.Resume(context.Background()))
		w.connect()
		// The engine is still where the crash has caught it.
		c, err := checkpoint.Load(context.Background(), w.conn, w.slot)
		must(t, err)
		if c.Batch < number {
			lost++
		}
		if confirmed := w.confirmed(); confirmed > int(c.Applied) {
			t.Errorf("the slot is confirmed up to %x, beyond what is durable, %x", confirmed, uint64(c.Applied))
		}
		held.release()
		r.await("it tells of the crash", func(v *seen) bool { return len(v.retries) > 0 })
		r.streams(2)
		w.settle()
		w.exact()
		r.stop()
	}
	t.Logf("%d of %d crashes took a batch back", lost, rounds)
	if lost == 0 {
		t.Error("the test has proved nothing")
	}
	w.nothingWaits()
}

// heldBatch stops an engine just behind the commit of a batch.
type heldBatch struct {
	want, let chan struct{}
	got       chan int64
}

func (h *heldBatch) hook(c *projector.Config) {
	h.want, h.let, h.got = make(chan struct{}, 1), make(chan struct{}), make(chan int64)
	told := c.Events.Batch
	c.Events.Batch = func(b projector.BatchEvent) {
		told(b)
		select {
		case <-h.want:
			h.got <- b.Number
			<-h.let
		default:
		}
	}
}

// next waits for the batch of a change, and returns its number. The engine does
// nothing more until release.
func (h *heldBatch) next(t *testing.T, change func()) int64 {
	t.Helper()
	h.want <- struct{}{}
	change()
	select {
	case n := <-h.got:
		return n
	case <-time.After(deadline()):
		t.Fatal("no further batch")
		return 0
	}
}

func (h *heldBatch) release() { close(h.let) }

// TestCrashOfOneBackend has the server crash as a whole because one backend
// died of a signal: all sessions are cut, and the server recovers on its own.
func TestCrashOfOneBackend(t *testing.T) {
	t.Parallel()
	w := newServer(t, nil)
	r := w.start()
	r.streams(1)
	load := background(t, func(ctx context.Context) error { return w.writes(ctx, w.url, "SELECT") })
	r.await("the load is applied", func(v *seen) bool { return v.batches >= 20 })
	pid := ask[int](w, "SELECT pid FROM pg_stat_activity WHERE application_name = 'freshet projector'")
	must(t, killProcess(pid))
	r.await("it tells of the crash", func(v *seen) bool { return len(v.retries) > 0 })
	load()
	r.streams(2)
	w.reconnect()
	w.settle()
	w.exact()
	r.stop()
	w.nothingWaits()
}

// reconnect connects once the server lets us.
func (w *world) reconnect() {
	w.t.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		err := w.server.Resume(context.Background()) // does nothing while it is up
		if err == nil && w.reachable() {
			break
		}
		if time.Since(began) > deadline() {
			w.t.Fatalf("the server does not come back: %v", err)
		}
	}
	w.connect()
}
