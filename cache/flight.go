package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/jackc/pglogrepl"
)

// ErrClosed is the error of a Fetch that needs a load after Close.
var ErrClosed = errors.New("cache is closed")

// flight is one load under way, for one or more keys of a model.
type flight[V any] struct {
	m     *modelInfo
	keys  []string
	begin uint64        // tick before the load began
	start pglogrepl.LSN // local watermark before the load began: its snapshot is not older

	done   chan struct{} // closed when what follows is set
	loaded Loaded[V]
	err    error
}

func newFlight[V any](c *Cache[V], m *modelInfo) *flight[V] {
	return &flight[V]{m: m, begin: c.tick.Load(), start: c.watermark(), done: make(chan struct{})}
}

// joinable reports whether a reader that comes now may share the flight for a
// key: no invalidation of the key has come since it began, and its snapshot
// cannot be older than minLSN. The shard of the key is locked.
func (f *flight[V]) joinable(c *Cache[V], sh *shard[V], id ident, minLSN pglogrepl.LSN) bool {
	return f.start >= minLSN &&
		!sh.slot(id).overtakes(f.begin) &&
		!id.model.whole.Load().overtakes(f.begin) &&
		f.begin >= c.purged.Load()
}

// launch runs a flight to its end in a goroutine that Close waits for.
func (c *Cache[V]) launch(ctx context.Context, f *flight[V], load Load[V]) {
	started := c.flights.start(func(base context.Context) {
		fctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.loadTimeout)
		defer cancel()
		defer context.AfterFunc(base, cancel)()
		f.loaded, f.err = f.run(fctx, load)
		c.land(f)
	})
	if !started {
		f.err = fmt.Errorf("fetch %s: %w", f.m.name, ErrClosed)
		c.land(f)
	}
}

// run calls the load. A panic in it becomes an error: it would otherwise take
// down the process from a goroutine where no request handler can recover.
func (f *flight[V]) run(ctx context.Context, load Load[V]) (loaded Loaded[V], err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("load %s: panic: %v\n%s", f.m.name, p, debug.Stack())
		}
	}()
	loaded, err = load(ctx, f.keys)
	if err != nil {
		return Loaded[V]{}, fmt.Errorf("load %s: %w", f.m.name, err)
	}
	return loaded, nil
}

// land stores what a flight has brought, takes it off the board, and wakes
// those who wait.
func (c *Cache[V]) land(f *flight[V]) {
	for _, key := range f.keys {
		id := c.ident(f.m, key)
		e := entry[V]{lsn: f.loaded.Watermark}
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
	close(f.done)
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
