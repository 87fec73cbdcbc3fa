package cache

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/jackc/pglogrepl"
)

// LoadPage reads a page in one snapshot.
type LoadPage[P any] func(ctx context.Context) (LoadedPage[P], error)

// LoadedPage is what a LoadPage has read.
type LoadedPage[P any] struct {
	Page P
	// Position of the snapshot that the page was read from.
	Position
}

// pageFlight is a LoadPage under way.
type pageFlight[P any] struct {
	begin uint64        // tick before the load began
	start pglogrepl.LSN // local watermark before it

	done   chan struct{} // closed when what follows is set
	loaded LoadedPage[P]
	err    error
}

// Fetch loads a page that Get did not find, or that did not hold: readers who
// want the same one at the same time share one load. Nobody joins a load that an
// invalidation of any document of the model has overtaken, for a page comes with
// documents; or one that may read what is older than MinLSN.
//
// A load runs apart from its caller, as those of Cache.Fetch do, but for one
// with Bypass, or with the cache turned off: that is its caller's own.
//
// Errors: of ctx, of the load, TooOldError, ErrClosed.
func (p *Pages[V, P]) Fetch(ctx context.Context, req PageRequest, load LoadPage[P]) (loaded LoadedPage[P], err error) {
	if err := ctx.Err(); err != nil {
		return loaded, fmt.Errorf("fetch a page of %s: %w", req.Model, err)
	}
	if !p.c.enabled || req.Bypass {
		loaded, err = p.alone(ctx, &req, load)
	} else {
		loaded, err = p.together(ctx, &req, load)
	}
	if err == nil && loaded.Watermark < req.MinLSN {
		err = &TooOldError{req.Model, req.MinLSN, loaded.Watermark}
	}
	return loaded, err
}

// alone loads a page in the caller's goroutine.
func (p *Pages[V, P]) alone(ctx context.Context, req *PageRequest, load LoadPage[P]) (LoadedPage[P], error) {
	begin := p.c.tick.Load()
	loaded, err := load(ctx)
	if err != nil {
		return loaded, fmt.Errorf("load a page of %s: %w", req.Model, err)
	}
	if p.c.enabled && req.Key != "" {
		p.put(p.ident(req), req, loaded, begin)
	}
	return loaded, nil
}

// together joins a load in flight, or starts one.
func (p *Pages[V, P]) together(ctx context.Context, req *PageRequest, load LoadPage[P]) (loaded LoadedPage[P], err error) {
	id := p.ident(req)
	f, mine := p.board(id, req)
	if mine && !p.c.flights.start(func(base context.Context) { p.fly(ctx, base, id, req, f, load) }) {
		f.err = fmt.Errorf("fetch a page of %s: %w", req.Model, ErrClosed)
		p.land(id, f)
	}
	select {
	case <-f.done:
		return f.loaded, f.err
	case <-ctx.Done():
		return loaded, fmt.Errorf("fetch a page of %s: %w", req.Model, ctx.Err())
	}
}

// board returns the flight that brings a page, and whether it is a new one.
func (p *Pages[V, P]) board(id ident, req *PageRequest) (f *pageFlight[P], mine bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.flights[id]; f != nil && p.joinable(f, req) {
		id.model.joins.Add(1)
		return f, false
	}
	f = &pageFlight[P]{begin: p.c.tick.Load(), start: p.c.watermark(), done: make(chan struct{})}
	p.flights[id] = f
	return f, true
}

func (p *Pages[V, P]) joinable(f *pageFlight[P], req *PageRequest) bool {
	return f.start >= req.MinLSN && p.c.models.get(req.Model).touched.Load() <= f.begin && f.begin >= p.c.purged.Load()
}

// fly loads a page, stores it, and gives it to those who wait.
func (p *Pages[V, P]) fly(ctx, base context.Context, id ident, req *PageRequest, f *pageFlight[P], load LoadPage[P]) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.c.loadTimeout)
	defer cancel()
	defer context.AfterFunc(base, cancel)()
	f.loaded, f.err = guarded(ctx, req, load)
	if f.err == nil {
		p.put(id, req, f.loaded, f.begin)
	}
	p.land(id, f)
}

// guarded calls a load; a panic becomes an error, as in flight.run.
func guarded[P any](ctx context.Context, req *PageRequest, load LoadPage[P]) (loaded LoadedPage[P], err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("load a page of %s: panic: %v\n%s", req.Model, v, debug.Stack())
		}
	}()
	if loaded, err = load(ctx); err != nil {
		return loaded, fmt.Errorf("load a page of %s: %w", req.Model, err)
	}
	return loaded, nil
}

// land takes a flight off the board and wakes those who wait.
func (p *Pages[V, P]) land(id ident, f *pageFlight[P]) {
	p.mu.Lock()
	if p.flights[id] == f {
		delete(p.flights, id)
	}
	p.mu.Unlock()
	close(f.done)
}
