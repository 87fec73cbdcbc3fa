package faults_test

import (
	"testing"
	"time"

	"freshet/deploy/pgserver/pgproxy"
	"freshet/projector"
)

// The network between projector and server is cut, flaps, and is slow, under
// load.
func TestTheNetworkIsCutFlapsAndIsSlow(t *testing.T) {
	t.Parallel()
	w, random := newWorld(t), random(t)
	p := w.through()
	load := w.load(random)
	r := w.start(func(c *projector.Config) { c.Lease = 3 * time.Second })
	r.streams()

	mark := r.mark()
	p.Refuse(true)
	if n := p.Cut(pgproxy.All); n < 4 {
		t.Fatalf("%d connections were cut", n)
	}
	r.hears(mark, "[waiting]")
	load.until(50)
	p.Refuse(false)
	r.hears(mark, "[streaming]")

	for range *rounds { // it is cut in the middle of connecting, too
		p.Refuse(random.IntN(2) == 0)
		p.Cut(pgproxy.All)
		hold(time.Duration(20+random.IntN(200)) * time.Millisecond)
		p.Refuse(false)
		hold(time.Duration(20+random.IntN(300)) * time.Millisecond)
	}
	mark = r.mark()
	p.Cut(pgproxy.All)
	r.hears(mark, "[streaming]")

	mark = r.mark()
	p.Slow(10*time.Millisecond, 1<<20)
	load.until(100)
	load.stop()
	w.exact()
	r.never(mark, "projector again in") // slow is not dead
	p.Slow(0, 0)
	r.stop()
}
