package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/jackc/pglogrepl"
)

// ErrClosed is the error of a Fetch that needs a load after Close.
var ErrClosed = errors.New("cache is closed")

// flight is what one Fetch has loaded: one or more keys of a model. It departs
// with a load of its own, or together with others (see lane).
type flight[V any] struct {
	m    *modelInfo
	keys []string
	load Load[V]
	ctx  context.Context // of the Fetch, for its values: a load outlives its caller

	// departed is set before the load begins: up to then anybody may come
	// aboard, since what is loaded is younger than that.
	departed atomic.Bool
	begin    uint64        // tick before the load began; once departed
	start    pglogrepl.LSN // local watermark before the load began: its snapshot is not older; once departed

	done   chan struct{} // closed when what follows is set
	loaded Loaded[V]
	err    error
}

func newFlight[V any](ctx context.Context, m *modelInfo, load Load[V]) *flight[V] {
	return &flight[V]{m: m, ctx: ctx, load: load, done: make(chan struct{})}
}

// depart notes what a load that begins now will have seen. A flight that is
// loaded a second time, for the fault of another, stays with its first
// departure: readers may have come aboard by it.
func (f *flight[V]) depart(c *Cache[V]) {
	if f.departed.Load() {
		return
	}
	f.begin, f.start = c.tick.Load(), c.watermark()
	f.departed.Store(true)
}

// joinable reports whether a reader that comes now may share the flight for a
// key: it has yet to depart; or no invalidation of the key has come since it
// began, and its snapshot cannot be older than minLSN. The shard of the key is
// locked.
func (f *flight[V]) joinable(c *Cache[V], sh *shard[V], id ident, minLSN pglogrepl.LSN) bool {
	return !f.departed.Load() ||
		f.start >= minLSN &&
			!sh.slot(id).overtakes(f.begin) &&
			!id.model.whole.Load().overtakes(f.begin) &&
			f.begin >= c.purged.Load()
}

// run calls the load. A panic in it becomes an error: it would otherwise take
// down the process from a goroutine where no request handler can recover.
func (f *flight[V]) run(ctx context.Context, keys []string) (loaded Loaded[V], err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("load %s: %w: panic: %v\n%s", f.m.name, ErrBadKey, p, debug.Stack())
		}
	}()
	loaded, err = f.load(ctx, keys)
	if err != nil {
		return Loaded[V]{}, fmt.Errorf("load %s: %w", f.m.name, err)
	}
	return loaded, nil
}

// land stores what a flight has brought, takes it off the board, and wakes
// those who wait.
func (c *Cache[V]) land(f *flight[V]) {
	defer close(f.done)
	if !c.enabled {
		return // it was on no board
	}
	for _, key := range f.keys {
		id := c.ident(f.m, key)
		e := entry[V]{lsn: f.loaded.Watermark, batch: f.loaded.Batch}
		cost := 0
		if v, ok := f.loaded.Values[key]; ok {
			e.value = v
			cost = c.cost(v)
		} else {
			e.absent = true
		}
		sh := c.shard(id)
		sh.mu.Lock()
		if f.err == nil {
			c.store(sh, id, e, cost, f.begin)
		}
		if sh.flights[id] == f {
			delete(sh.flights, id)
		}
		sh.mu.Unlock()
	}
}

// lifetime owns goroutines: it starts them until it is closed, then cancels
// them and waits.
type lifetime struct {
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
	base   context.Context
	cancel context.CancelFunc
}

func (l *lifetime) init() { l.base, l.cancel = context.WithCancel(context.Background()) }

// start runs f in a goroutine, or reports false when closed.
func (l *lifetime) start(f func(base context.Context)) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.wg.Go(func() { f(l.base) })
	return true
}

// close cancels what runs and waits for its end, or for that of ctx.
func (l *lifetime) close(ctx context.Context) error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.cancel()
	done := make(chan struct{})
	go func() {
		l.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for loads to end: %w", ctx.Err())
	}
}
