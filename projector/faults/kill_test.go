package faults_test

import (
	"syscall"
	"testing"
	"time"

	"freshet/deploy/pgserver"
)

// The process is killed again and again at random moments of its life, under
// load: while it starts, fills, catches up or streams.
func TestKilledAtRandomMoments(t *testing.T) {
	t.Parallel()
	w, random := newWorld(t), random(t)
	load := w.load(random)
	for range *rounds {
		p := w.spawn(10 * time.Second)
		if random.IntN(3) > 0 {
			p.hears(0, "[streaming]")
		}
		hold(time.Duration(random.IntN(400)) * time.Millisecond)
		p.kill()
	}
	p := w.spawn(10 * time.Second)
	p.hears(0, "[streaming]")
	load.until(10)
	p.terminate() // under load, with exit code 0
	w.spawn(10 * time.Second)
	load.stop()
	w.exact()
	if load.committed.Load() == 0 {
		t.Error("nothing was written")
	}
}

// The process is frozen for longer than the watchdogs of both ends, and goes on
// by itself when it is thawed.
func TestFrozenForLongerThanTheWatchdog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec("ALTER ROLE CURRENT_USER IN DATABASE " + w.cfg.Database + " SET wal_sender_timeout = '2s'")
	load := w.load(random(t))
	p := w.spawn(2 * time.Second)
	p.hears(0, "[streaming]")
	load.until(50)
	p.signal(syscall.SIGSTOP)
	frozen := p.out.mark()
	w.eventually("the server has ended the stream", 1, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1 AND NOT active", w.slot)
	hold(9 * time.Second) // the watchdog of the stream is ten seconds
	p.signal(syscall.SIGCONT)
	p.hears(frozen, "projector again in")
	p.hears(frozen, "[streaming]")
	load.until(50)
	load.stop()
	w.exact()
}

// The server restarts, in order and as by a crash, under load.
func TestTheServerRestarts(t *testing.T) {
	t.Parallel()
	server := lonely(t)
	w := newWorldOn(t, server)
	load := w.load(random(t))
	r := w.start(nil)
	r.streams()
	for i := range max(2, *rounds/2) {
		load.until(30)
		mark := r.mark()
		must(t, server.Restart([]string{pgserver.Fast, pgserver.Immediate}[i%2]))
		r.hears(mark, "[waiting]")
		r.hears(mark, "[streaming]")
	}
	load.until(30)
	load.stop()
	w.reconnect()
	w.exact()
	r.stop()
}
