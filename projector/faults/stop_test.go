package faults_test

import (
	"math/rand/v2"
	"testing"

	"go.uber.org/goleak"

	"freshet/deploy/pgserver/pgproxy"
	"freshet/projector"
)

// The projector is asked to stop at any step of its life: each time it ends in
// order and in time, without a goroutine left behind, and the next start goes
// on from there with nothing lost or doubled. The moments are counted in what
// it has sent to the server, so that every statement is one of them.
func TestStoppedAtAnyStep(t *testing.T) {
	w, random := newWorld(t), random(t)
	p := w.through()
	defer p.Close()
	t.Run("start and fill", func(t *testing.T) {
		for range *rounds {
			w.stopAfter(t, p, 1+random.Int64N(110))
		}
	})
	w.start(nil).streamsAndStops()
	t.Run("catch up and stream", func(t *testing.T) {
		load := w.load(random)
		for range *rounds {
			load.until(1 + int64(random.IntN(30)))
			w.stopAfter(t, p, 1+random.Int64N(400))
		}
		load.stop()
	})
	r := w.start(nil)
	r.streams()
	w.exact()
	r.stop()
	w.contiguous(random)
}

// stopAfter stops an engine when it has sent so many pieces.
func (w *world) stopAfter(t *testing.T, p *pgproxy.Proxy, pieces int64) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	r := w.start(nil)
	sent := make(chan struct{})
	p.After(pieces, func() { close(sent) })
	select {
	case <-sent:
	case <-r.ended:
		t.Fatalf("the engine ended by itself: %v", r.err)
	}
	r.stop()
	p.Cut(pgproxy.All)
	if err := goleak.Find(before); err != nil {
		t.Errorf("after %d pieces: %v", pieces, err)
	}
}

func (r *running) streamsAndStops() {
	r.w.t.Helper()
	r.streams()
	r.stop()
}

// contiguous holds that no batch was logged twice: numbers never go back.
func (w *world) contiguous(*rand.Rand) {
	w.t.Helper()
	n := w.count(`SELECT count(*) FROM (
		SELECT batch, watermark, lag(batch) OVER (ORDER BY id) AS before, lag(watermark) OVER (ORDER BY id) AS low
		FROM freshet.sync_log WHERE slot = $1 AND operation <> 'backfill') AS x WHERE batch < before OR watermark < low`, w.slot)
	if n > 0 {
		w.t.Errorf("%d rows of sync_log are out of order", n)
	}
}

// A stop while a batch waits for somebody's lock.
func TestStoppedWhileItWaitsForALock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start(nil)
	r.streams()
	release := w.lock("SELECT FROM tv_item WHERE id = 1 FOR UPDATE")
	w.exec("UPDATE tb_item SET n = 5 WHERE id <= 50")
	w.eventually("the batch waits for the lock", 1, waits)
	r.stop()
	release()
	r = w.start(nil)
	r.streams()
	w.exact()
	r.stop()
}

// A stop while another leads, while the slot is being created, and while the
// server is away.
func stoppedWhileItWaits(w *world) {
	p := w.through()
	release := w.lock("UPDATE tb_item SET n = 4 WHERE id = 9; SELECT")
	creator := w.start(nil)
	creator.hears(0, "[starting] the slot is created when these transactions have ended")
	standby := w.start(func(c *projector.Config) { c.Workers = 1 })
	standby.hears(0, "[standby]")
	standby.stop()
	creator.stop()
	if n := w.count("SELECT count(*) FROM pg_replication_slots"); n != 0 {
		w.t.Errorf("%d slots are left behind", n)
	}
	release()
	r := w.start(nil)
	r.streams()
	mark := r.mark()
	p.Refuse(true)
	p.Cut(pgproxy.All)
	r.hears(mark, "[waiting]")
	r.stop()
	p.Refuse(false)
	w.exec("UPDATE tb_item SET n = 5 WHERE id % 10 = 1")
	r = w.start(nil)
	r.streams()
	w.exact()
	r.stop()
}
