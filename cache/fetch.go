package cache

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pglogrepl"
)

// Load reads documents of one model by key, all in one snapshot. It must not
// keep or change keys.
type Load[V any] func(ctx context.Context, keys []string) (Loaded[V], error)

// Loaded is what a Load has read.
type Loaded[V any] struct {
	// Values by key; a key that is missing has no document.
	Values map[string]V
	// Watermark of freshet.checkpoint in the snapshot that the values were
	// read from.
	Watermark pglogrepl.LSN
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
// A load runs apart from the caller that started it: when ctx ends the caller
// leaves with its error, and the load goes on for the others until
// Options.LoadTimeout. The error of a load is given to all who joined it and
// is not cached. Errors: of ctx, of the load, TooOldError, ErrClosed.
func (c *Cache[V]) Fetch(ctx context.Context, req Request, load Load[V]) (Result[V], error) {
	if err := ctx.Err(); err != nil {
		return Result[V]{}, fmt.Errorf("fetch %s: %w", req.Model, err)
	}
	if !c.enabled {
		return c.through(ctx, req, load)
	}
	g := gather[V]{c: c, m: c.models.get(req.Model), req: req, local: c.watermark()}
	g.collect()
	if g.own != nil {
		c.launch(ctx, g.own, load)
	}
	return g.await(ctx)
}

// through answers a request without the cache.
func (c *Cache[V]) through(ctx context.Context, req Request, load Load[V]) (Result[V], error) {
	loaded, err := load(ctx, req.Keys)
	if err != nil {
		return Result[V]{}, fmt.Errorf("load %s: %w", req.Model, err)
	}
	if loaded.Watermark < req.MinLSN {
		return Result[V]{}, &TooOldError{req.Model, req.MinLSN, loaded.Watermark}
	}
	docs := make([]Doc[V], len(req.Keys))
	for i, key := range req.Keys {
		docs[i].Value, docs[i].Present = loaded.Values[key]
	}
	return Result[V]{Docs: docs, Watermark: loaded.Watermark, Loaded: len(docs)}, nil
}

// gather is one Fetch under way.
type gather[V any] struct {
	c     *Cache[V]
	m     *modelInfo
	req   Request
	local pglogrepl.LSN // local watermark before anything was looked up
	docs  []Doc[V]
	floor pglogrepl.LSN // lowest watermark of the answers so far
	any   bool          // floor is set
	own   *flight[V]    // the load that this Fetch starts, if any
	waits []wait[V]
}

// wait is a key that a flight brings.
type wait[V any] struct {
	f     *flight[V]
	index int // into Request.Keys
}

// collect serves what is cached and finds or makes a flight for the rest.
func (g *gather[V]) collect() {
	g.docs = make([]Doc[V], len(g.req.Keys))
	for i, key := range g.req.Keys {
		id := g.c.ident(g.m, key)
		sh := g.c.shard(id)
		sh.mu.Lock()
		if !g.hit(sh, id, i) {
			g.board(sh, id, i)
		}
		sh.mu.Unlock()
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
	}
	return ok
}

// board joins the flight that brings the key, or takes the key on the own one.
func (g *gather[V]) board(sh *shard[V], id ident, i int) {
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
		g.own = newFlight(g.c, g.m)
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
		d := &g.docs[w.index]
		d.Value, d.Present = w.f.loaded.Values[g.req.Keys[w.index]]
	}
	if !g.any {
		g.floor = g.local
	}
	return Result[V]{Docs: g.docs, Watermark: g.floor, Loaded: len(g.waits)}, nil
}
