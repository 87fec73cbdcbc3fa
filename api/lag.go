package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"freshet/api/served"
	"freshet/cache"
)

// A read model may lag behind the watermark: a change that reaches very many of
// its documents is being applied to them bit by bit, or it is paused. A run
// tells the truth about it in two ways.
//
// What it answers is of the LSN that it says. For each model that it reads it
// goes down to the model's own watermark: min(watermark, first commit that
// documents may lack - 1). Watermark and lags are of one moment, before
// anything is read. That is enough, for documents only get fresher: a batch puts
// off no commits but its own. Whatever is read later, by a statement with
// another snapshot or from the cache, is therefore at least as fresh; and where
// watermark and lags are not of one snapshot, as two words of the feed, the lags
// are the younger, which leaves out nothing that the watermark has passed.
// (A pause may reach back to when the source was last looked at. What was told
// since then nobody could know better.)
//
// While the feed is down they are read from the database by a statement of
// their own before the first of the documents: the watermark that comes with
// documents says nothing of the lags by then.
//
// What it is asked for it waits for. Of a document by key only that document is
// needed: the projector is asked for it, in the WAL, and does it with the batch
// whose watermark passes what Marker.Want returns. By then it has been
// invalidated, and reading goes on as ever. A list may have to have any
// document, so it waits for the model.

// maxWanted is how many documents the projector is asked for at a time. For more
// the run waits as a list does: to rebuild them would hold up everybody.
const maxWanted = 1000

// lagError says of which model the answer would be how far behind, and why.
func lagError(e *cache.LagError) *gqlerror.Error {
	why := e.Model + " lags behind"
	switch e.Lag.Reason {
	case cache.ReasonFanOut:
		why = "a large change to " + e.Model + " is being applied"
	case cache.ReasonRefill:
		why = e.Model + " is being filled"
	case cache.ReasonPaused:
		why = e.Model + " is paused; its operator's log says why"
	}
	err := staleError(e.Have, e.Want)
	err.Message = fmt.Sprintf("The answer would be older than asked for: %s. It would be of %s, and %s is wanted (%d bytes of WAL).",
		why, e.Have, e.Want, uint64(e.Want-min(e.Have, e.Want)))
	return err
}

// behind says whether documents of a type may be older than what is asked for.
func (r *run) behind(t *served.Type) bool {
	if r.lags == nil || r.min == 0 {
		return false
	}
	_, behind := r.lags.Behind(t.Model.Name, r.min)
	return behind
}

// touch notes that documents of a type were read: those that were behind what
// is asked for have been waited for.
func (r *run) touch(t *served.Type) {
	if r.lags != nil {
		r.lower(max(r.min, r.lags.Watermark(t.Model.Name, r.lsn)))
	}
}

// readAt makes the run read from the database, at what was found there.
func (r *run) readAt(lsn pglogrepl.LSN, lags cache.Lags) {
	r.lower(lsn)
	r.lags, r.bypass, r.unknown = lags, true, false
}

// looking returns the context for a read of the database. Where the feed is
// down the watermark and the lags come first.
func (r *run) looking() context.Context {
	ctx := r.dbContext()
	if r.unknown {
		lsn, lags, err := r.s.store.Watermark(ctx)
		if err != nil {
			_ = r.s.failure(r.ctx, err) // who knows how old it is, then
			lsn, lags = 0, nil
		}
		r.readAt(lsn, lags)
	}
	return ctx
}

// giveIn makes the run go on with what there is.
func (r *run) giveIn() { r.stale, r.min = true, 0 }

// paused returns an error if the plan is sure to read of a paused model what is
// too old.
func (r *run) paused(w pglogrepl.LSN, lags cache.Lags) *gqlerror.Error {
	if lags == nil {
		return nil
	}
	late := lags.Late(w, r.min, r.rootModels(func(rootKind) bool { return true }))
	if late == nil || !late.Lag.Paused() {
		return nil
	}
	return lagError(late)
}

// awaitPlan waits for the models of the plan's lists.
func (r *run) awaitPlan(ctx context.Context) *gqlerror.Error {
	if r.lags == nil {
		return nil
	}
	if err := r.paused(r.lsn, r.lags); err != nil {
		return err
	}
	return r.waitModels(ctx, r.rootModels(func(k rootKind) bool { return k == rootList || k == rootPlain }))
}

// rootModels returns the models of root fields of certain kinds.
func (r *run) rootModels(of func(rootKind) bool) (models []string) {
	for i := range r.plan.roots {
		if f := &r.plan.roots[i]; f.root != nil && f.root.Type != nil && of(f.kind) {
			models = append(models, f.root.Type.Model.Name)
		}
	}
	return models
}

// waitModels waits until no document of the models is older than asked for.
func (r *run) waitModels(ctx context.Context, models []string) *gqlerror.Error {
	if r.lags.Late(r.lsn, r.min, models) == nil {
		return nil
	}
	if r.bypass {
		return r.s.poll(ctx, r, r.min, models)
	}
	err := r.s.cfg.Feed.WaitModels(ctx, r.min, models)
	r.lags = r.s.cfg.Feed.Lags()
	var late *cache.LagError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &late):
		return lagError(late)
	}
	return staleError(r.s.cfg.Feed.Watermark(), r.min) // the feed has started over meanwhile
}

// awaitModels does the same while the run is under way. Its error ends the run.
func (r *run) awaitModels(models []string) *gqlerror.Error {
	return r.outside(func(ctx context.Context) *gqlerror.Error { return r.waitModels(ctx, models) })
}

// outside waits for something, as long as the run may, and meanwhile gives its
// place to others. Its error ends the run.
func (r *run) outside(wait func(ctx context.Context) *gqlerror.Error) *gqlerror.Error {
	if r.x != nil {
		r.s.leave(r.x)
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(r.ctx, r.left)
	err := wait(ctx)
	cancel()
	took := time.Since(began)
	r.left -= took
	if r.x != nil {
		r.x.waited += took
		if refused := r.s.enter(r.x); refused != nil {
			r.late = refused.errs[0]
			return r.late
		}
	}
	return r.fail(err)
}

// fail ends the run with an error, unless older data will do.
func (r *run) fail(err *gqlerror.Error) *gqlerror.Error {
	if err != nil && r.lenient {
		r.giveIn()
		return nil
	}
	r.late = err
	return err
}

// want makes sure that documents about to be loaded are as fresh as asked for:
// the projector is asked for those that may not be. Its error ends the run.
func (r *run) want(keys map[*served.Type][]string) *gqlerror.Error {
	if r.lags == nil || r.min == 0 {
		return nil
	}
	if !r.bypass {
		r.lags = r.s.cfg.Feed.Lags() // some may have caught up
	}
	var models []string
	var wanted map[string][]string
	n := 0
	for t, list := range keys {
		if r.behind(t) {
			if wanted == nil {
				wanted = map[string][]string{}
			}
			wanted[t.Model.Name] = list
			models, n = append(models, t.Model.Name), n+len(list)
		}
	}
	late := r.lags.Late(r.lsn, r.min, models)
	switch {
	case late == nil:
		return nil
	case late.Lag.Paused():
		return r.fail(lagError(late))
	case n > maxWanted || r.s.cfg.Marker == nil || !late.Lag.Wantable():
		return r.awaitModels(models)
	}
	return r.outside(func(ctx context.Context) *gqlerror.Error { return r.obtain(ctx, wanted, late) })
}

// obtain asks the projector for documents and waits for them.
func (r *run) obtain(ctx context.Context, wanted map[string][]string, late *cache.LagError) *gqlerror.Error {
	at, err := r.s.cfg.Marker.Want(ctx, wanted)
	if err != nil {
		if r.s.cfg.OnError != nil && ctx.Err() == nil {
			r.s.cfg.OnError(ctx, err)
		}
		return lagError(late)
	}
	if r.bypass {
		if r.s.poll(ctx, r, at, nil) != nil {
			return lagError(late)
		}
	} else if r.s.cfg.Feed.Wait(ctx, at) != nil {
		return lagError(late)
	}
	// Not less: a load that somebody has begun before the documents were there
	// is not to be joined.
	r.wanted = at
	return nil
}
