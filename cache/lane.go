package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
)

// ErrBadKey is wrapped by the error of a load for which one of its keys is to
// blame, and not the database: a text that is no number, a document that cannot
// be read. Whoever asked for other keys of that load has them loaded again,
// apart from the bad one.
var ErrBadKey = errors.New("one of the keys is at fault")

// maxJoined is how many keys are gathered for one load. A flight with as many
// of its own is large enough, and does not wait for others.
const maxJoined = 100

// defaultParallel is the default of Options.Parallel.
func defaultParallel() int { return max(2, runtime.GOMAXPROCS(0)) }

// lane sends the loads of one model. A few of them run at once. While they do,
// further flights gather, and go together as one load as soon as one returns:
// a database under load has then few large questions to answer in place of many
// small ones, which cost it far more, and nobody waits while there is room.
// First come, first served: the oldest flight is always in the next load.
type lane[V any] struct {
	c *Cache[V]

	mu      sync.Mutex
	running int // loads, of work and of carry
	waiting []*flight[V]
}

// lane returns the lane of a model.
func (c *Cache[V]) lane(m *modelInfo) *lane[V] {
	if l, ok := c.lanes.Load(m); ok {
		return l.(*lane[V])
	}
	l, _ := c.lanes.LoadOrStore(m, &lane[V]{c: c})
	return l.(*lane[V])
}

// send lets a flight depart, at once or with the next load that there is room
// for.
func (l *lane[V]) send(f *flight[V]) {
	if l.enter(f) {
		l.start([]*flight[V]{f})
	}
}

// carry is send for a flight of the caller's alone, which nobody else can join:
// if it departs at once, the caller's own goroutine carries it, and it is back
// on return.
func (l *lane[V]) carry(ctx context.Context, f *flight[V]) {
	if !l.enter(f) {
		return
	}
	f.loaded, f.err = f.run(ctx, f.keys)
	close(f.done)
	if flights := l.next(); len(flights) > 0 {
		l.start(flights)
	}
}

// enter takes a place for a load, or lets the flight wait for one.
func (l *lane[V]) enter(f *flight[V]) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running >= l.c.parallel && len(f.keys) < maxJoined {
		l.waiting = append(l.waiting, f)
		return false
	}
	l.running++
	return true
}

// start lets flights depart in a goroutine that Close waits for.
func (l *lane[V]) start(flights []*flight[V]) {
	if !l.c.flights.start(func(base context.Context) { l.work(base, flights) }) {
		l.work(closed, flights)
	}
}

// closed is the context of a lane whose cache is closed.
var closed = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// work loads what is given and then, one load after the other, what has
// gathered meanwhile.
func (l *lane[V]) work(base context.Context, flights []*flight[V]) {
	for len(flights) > 0 {
		l.c.fly(base, flights)
		flights = l.next()
	}
}

// next takes the flights of the next load: the oldest, and as many of those
// behind it as fit. Without any the worker is to end, as it is where there are
// more of them than there should be.
func (l *lane[V]) next() []*flight[V] {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 || l.running > l.c.parallel {
		l.running--
		return nil
	}
	n, keys := 0, 0
	for _, f := range l.waiting {
		if keys += len(f.keys); n > 0 && keys > maxJoined {
			break
		}
		n++
	}
	flights := l.waiting[:n:n]
	if l.waiting = l.waiting[n:]; len(l.waiting) == 0 {
		l.waiting = nil
	}
	return flights
}

// fly loads the keys of flights with one call, and lands them. Where a key is
// at fault it halves them until the flight with that key is alone with its
// error.
func (c *Cache[V]) fly(base context.Context, flights []*flight[V]) {
	loaded, err := c.loadAll(base, flights)
	if len(flights) > 1 && errors.Is(err, ErrBadKey) {
		c.fly(base, flights[:len(flights)/2])
		c.fly(base, flights[len(flights)/2:])
		return
	}
	for _, f := range flights {
		f.loaded, f.err = loaded, err
		c.land(f)
	}
}

// loadAll lets flights depart with one load, that of the first of them: those
// of a model are alike.
func (c *Cache[V]) loadAll(base context.Context, flights []*flight[V]) (Loaded[V], error) {
	first := flights[0]
	if base.Err() != nil && !first.departed.Load() {
		return Loaded[V]{}, fmt.Errorf("fetch %s: %w", first.m.name, ErrClosed)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(first.ctx), c.loadTimeout)
	defer cancel()
	defer context.AfterFunc(base, cancel)()
	keys := first.keys
	if len(flights) > 1 {
		keys = allKeys(flights)
	}
	for _, f := range flights {
		f.depart(c)
	}
	return first.run(ctx, keys)
}

func allKeys[V any](flights []*flight[V]) []string {
	n := 0
	for _, f := range flights {
		n += len(f.keys)
	}
	keys := make([]string, 0, n)
	for _, f := range flights {
		keys = append(keys, f.keys...)
	}
	return keys
}
