package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pglogrepl"
)

// Load reads documents of one model by key, all in one snapshot. It must not
// keep or change keys; one may stand among them twice.
type Load[V any] func(ctx context.Context, keys []string) (Loaded[V], error)

// Loaded is what a Load has read.
type Loaded[V any] struct {
	// Values by key; a key that is missing has no document.
	Values map[string]V
	// Watermark of freshet.checkpoint in the snapshot that the values were
	// read from.
	Watermark pglogrepl.LSN
	// Batch of freshet.checkpoint in the same snapshot: see Position. 0 is unknown.
	Batch int64
}

// Request asks for documents of a model by key.
type Request struct {
	Model string
	Keys  []string
	// MinLSN is how fresh the answer must be at least: 0 is no demand. A
	// caller waits for the local watermark (Feed.Wait) first; without that
	// the cache is passed over and the load may turn out to be too old.
	MinLSN pglogrepl.LSN
	// Bypass passes over what is cached, for when the feed has been down too
	// long to trust it. Loads are still shared and still fill the cache.
	Bypass bool
}

// Doc is the answer for one key.
type Doc[V any] struct {
	Value   V
	Present bool // false: there is no such document
}

// Result is the answer to a Request.
type Result[V any] struct {
	// Docs stand in the order of Request.Keys.
	Docs []Doc[V]
	// Watermark is the LSN that every one of them is at least as fresh as.
	// With no keys it is the local watermark.
	Watermark pglogrepl.LSN
	// Batch is the highest that any of them was read at, or UnknownBatch; 0
	// without keys.
	Batch int64
	// Loaded is how many keys were not in the cache.
	Loaded int
}

// ErrTooOld is matched by a TooOldError.
var ErrTooOld = errors.New("the data read is older than the request asks for")

// TooOldError says that documents were loaded from a snapshot below
// Request.MinLSN; a caller waits for the watermark and tries again.
type TooOldError struct {
	Model string
	Want  pglogrepl.LSN
	Have  pglogrepl.LSN
}

func (e *TooOldError) Error() string {
	return fmt.Sprintf("fetch %s: data at %s is older than %s", e.Model, e.Have, e.Want)
}

// Unwrap returns ErrTooOld.
func (e *TooOldError) Unwrap() error { return ErrTooOld }

// Fetch answers a request from the cache where it can, joins loads in flight
// for keys that somebody else is loading, and loads the rest in one call.
//
// At most Options.Parallel loads of a model run at once. While they do, the
// keys of further requests gather and go as one load together, so that a
// request's keys are part of one load, but that need not be its own alone; and
// the loads given for one model must do the same.
//
// A load that others may join runs apart from the caller that started it: when
// ctx ends the caller leaves with its error, and the load goes on for the others
// until Options.LoadTimeout. The error of a load is given to all who joined it and
// is not cached; but if it wraps ErrBadKey, only to those who asked for that
// key. Errors: of ctx, of the load, TooOldError, ErrClosed.
func (c *Cache[V]) Fetch(ctx context.Context, req Request, load Load[V]) (Result[V], error) {
	if err := ctx.Err(); err != nil {
		return Result[V]{}, fmt.Errorf("fetch %s: %w", req.Model, err)
	}
	g := gather[V]{c: c, m: c.models.get(req.Model), req: req, load: load, local: c.watermark()}
	switch {
	case c.enabled:
		if g.collect(ctx); g.own != nil {
			c.lane(g.m).send(g.own)
		}
	case len(req.Keys) > 0:
		g.all(ctx)
		c.lane(g.m).carry(ctx, g.own)
	}
	return g.await(ctx)
}

// gather is one Fetch under way.
type gather[V any] struct {
	c     *Cache[V]
	m     *modelInfo
	req   Request
	load  Load[V]
	local pglogrepl.LSN // local watermark before anything was looked up
	docs  []Doc[V]
	floor pglogrepl.LSN // lowest watermark of the answers so far
	any   bool          // floor is set
	batch int64         // highest of the answers so far
	own   *flight[V]    // the load that this Fetch starts, if any
	waits []wait[V]
}

// wait is a key that a flight brings.
type wait[V any] struct {
	f     *flight[V]
	index int // into Request.Keys
}

// collect serves what is cached and finds or makes a flight for the rest.
func (g *gather[V]) collect(ctx context.Context) {
	g.docs = make([]Doc[V], len(g.req.Keys))
	for i, key := range g.req.Keys {
		id := g.c.ident(g.m, key)
		sh := g.c.shard(id)
		sh.mu.Lock()
		if !g.hit(sh, id, i) {
			g.board(ctx, sh, id, i)
		}
		sh.mu.Unlock()
	}
}

// all takes all keys on a flight of their own: the cache is off, and nobody
// tells which loads in flight are fresh enough to be joined.
func (g *gather[V]) all(ctx context.Context) {
	g.docs = make([]Doc[V], len(g.req.Keys))
	g.own = newFlight(ctx, g.m, g.load)
	g.own.keys = slices.Clone(g.req.Keys)
	g.waits = make([]wait[V], len(g.docs))
	for i := range g.waits {
		g.waits[i] = wait[V]{g.own, i}
	}
}

// hit serves a key from the cache if what is there is fresh enough: it
// reflects all up to the local watermark, and up to that of its own fill.
func (g *gather[V]) hit(sh *shard[V], id ident, i int) bool {
	var e entry[V]
	ok := false
	if !g.req.Bypass {
		e, ok = sh.lookup(id)
	}
	lsn := max(g.local, e.lsn)
	ok = ok && lsn >= g.req.MinLSN
	sh.stat(g.m).count(e.absent, ok)
	if ok {
		g.docs[i] = Doc[V]{Value: e.value, Present: !e.absent}
		g.lower(lsn)
		g.batch = max(g.batch, e.batch)
	}
	return ok
}

// board joins the flight that brings the key, or takes the key on the own one.
func (g *gather[V]) board(ctx context.Context, sh *shard[V], id ident, i int) {
	f := sh.flights[id]
	switch {
	case f == nil:
	case f == g.own: // a key asked for twice
		g.waits = append(g.waits, wait[V]{f, i})
		return
	case f.joinable(g.c, sh, id, g.req.MinLSN):
		sh.stat(g.m).Joins++
		g.waits = append(g.waits, wait[V]{f, i})
		return
	}
	if g.own == nil {
		g.own = newFlight(ctx, g.m, g.load)
	}
	g.own.keys = append(g.own.keys, id.key)
	sh.flights[id] = g.own
	g.waits = append(g.waits, wait[V]{g.own, i})
}

func (g *gather[V]) lower(lsn pglogrepl.LSN) {
	if !g.any || lsn < g.floor {
		g.floor, g.any = lsn, true
	}
}

// await collects what the flights bring.
func (g *gather[V]) await(ctx context.Context) (Result[V], error) {
	for _, w := range g.waits {
		select {
		case <-w.f.done:
		case <-ctx.Done():
			return Result[V]{}, fmt.Errorf("fetch %s: %w", g.req.Model, ctx.Err())
		}
		if w.f.err != nil {
			return Result[V]{}, w.f.err
		}
		if w.f.loaded.Watermark < g.req.MinLSN {
			return Result[V]{}, &TooOldError{g.req.Model, g.req.MinLSN, w.f.loaded.Watermark}
		}
		g.lower(w.f.loaded.Watermark)
		g.batch = max(g.batch, known(w.f.loaded.Batch))
		d := &g.docs[w.index]
		d.Value, d.Present = w.f.loaded.Values[g.req.Keys[w.index]]
	}
	if !g.any {
		g.floor = g.local
	}
	return Result[V]{Docs: g.docs, Watermark: g.floor, Batch: g.batch, Loaded: len(g.waits)}, nil
}
