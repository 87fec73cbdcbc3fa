package cache

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pglogrepl"
)

// Reasons of a Lag.
const (
	ReasonFanOut = "fan-out" // a change that reaches very many documents is being applied
	ReasonRefill = "refill"  // the model is being filled, for the first time or again
	ReasonPaused = "paused"  // the model is not kept up to date until its source is mended
)

// weight orders the reasons of one model: the heaviest is told. One that is not
// known weighs as much as a refill, for all that is known is that it lags.
func weight(reason string) int {
	switch reason {
	case ReasonFanOut:
		return 0
	case ReasonPaused:
		return 2
	}
	return 1
}

// Lag says that documents of a read model may lack commits that the watermark
// counts as reflected.
type Lag struct {
	// Since is the first commit that some document may lack: all before it are
	// reflected. 0 is not known: any may be lacking.
	Since pglogrepl.LSN
	// Reason is ReasonFanOut, ReasonRefill or ReasonPaused: the last of those that hold.
	Reason string
}

// Wantable reports whether documents of the model can be had before the rest:
// see Marker.Want.
func (l Lag) Wantable() bool { return l.Reason == ReasonFanOut }

// Paused reports whether waiting is of no use: nothing of the model is rebuilt
// until somebody mends its source.
func (l Lag) Paused() bool { return l.Reason == ReasonPaused }

// Lags are the read models that are not as fresh as the watermark, by name: nil
// when all are. Those that were handed out are not to be changed.
type Lags map[string]Lag

// Behind reports whether documents of a model may lack commits at or before
// lsn, given that the watermark is there.
func (l Lags) Behind(model string, lsn pglogrepl.LSN) (Lag, bool) {
	lag, ok := l[model]
	return lag, ok && lag.Since <= lsn
}

// Watermark returns the watermark of one model: every commit at or before it is
// reflected in all of its documents. w is the watermark of the whole.
func (l Lags) Watermark(model string, w pglogrepl.LSN) pglogrepl.LSN {
	lag, ok := l[model]
	switch {
	case !ok:
		return w
	case lag.Since == 0:
		return 0
	}
	return min(w, lag.Since-1)
}

// Late returns the error of a reader that needs the models at lsn, while the
// watermark of the whole is w: it names one of them with the heaviest reason.
// nil: none lags behind lsn.
func (l Lags) Late(w, lsn pglogrepl.LSN, models []string) (late *LagError) {
	for _, model := range models {
		lag, behind := l.Behind(model, lsn)
		if behind && (late == nil || weight(lag.Reason) > weight(late.Lag.Reason)) {
			late = &LagError{Model: model, Lag: lag, Want: lsn, Have: l.Watermark(model, w)}
		}
	}
	return late
}

// LagsSQL is an SQL expression that yields freshet.lag as one jsonb value, for
// ParseLags: NULL when no model lags. A reader puts it into the statement that
// reads the watermark, because the one means something only with the other.
const LagsSQL = `(SELECT jsonb_agg(jsonb_build_array(model, since_lsn::text, reason) ORDER BY model, reason) FROM freshet.lag)`

// ParseLags reads what LagsSQL has yielded; nil stands for NULL.
func ParseLags(text []byte) (Lags, error) {
	if len(text) == 0 {
		return nil, nil
	}
	var rows [][3]*string
	if err := json.Unmarshal(text, &rows); err != nil {
		return nil, fmt.Errorf("read freshet.lag: %w", err)
	}
	lags := make(Lags, len(rows))
	for _, row := range rows {
		if row[0] == nil || row[2] == nil {
			return nil, fmt.Errorf("read freshet.lag: a row without model or reason: %s", text)
		}
		if err := lags.add(*row[0], row[1], *row[2]); err != nil {
			return nil, err
		}
	}
	return lags, nil
}

// add takes a row in: of several of a model the lowest LSN counts, and the
// heaviest reason.
func (l Lags) add(model string, since *string, reason string) error {
	lag := Lag{Reason: reason}
	if since != nil {
		var err error
		if lag.Since, err = pglogrepl.ParseLSN(*since); err != nil {
			return fmt.Errorf("read freshet.lag: since_lsn of %s: %w", model, err)
		}
	}
	if old, ok := l[model]; ok {
		lag.Since = min(lag.Since, old.Since)
		if weight(old.Reason) > weight(reason) {
			lag.Reason = old.Reason
		}
	}
	l[model] = lag
	return nil
}

// LagError is the error of a wait for read models that ended before they were
// fresh enough: it names one of them.
type LagError struct {
	Model string
	Lag   Lag
	Want  pglogrepl.LSN
	Have  pglogrepl.LSN // the watermark of the model
	// Cause is the error of the context, or nil: the model is paused, and was
	// not waited for.
	Cause error
}

func (e *LagError) Error() string {
	text := fmt.Sprintf("wait for %s of %s: it is at %s (%s)", e.Want, e.Model, e.Have, e.Lag.Reason)
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns the error of the context.
func (e *LagError) Unwrap() error { return e.Cause }

// lagging is freshet.lag as it was last read. It is immutable.
type lagging struct {
	lags    Lags
	text    string        // as read
	changed chan struct{} // closed when there is a newer one
}

func newLagging() *lagging { return &lagging{changed: make(chan struct{})} }

// setLags publishes what was read together with a watermark. It must be done
// after the invalidations of that snapshot, so that a model that has caught up
// is so in the caches too, and before the watermark moves, so that whoever reads
// the watermark first and the lags then never misses one.
func (f *Feed) setLags(h *head) {
	old := f.lagging.Load()
	if old.text == string(h.lagText) {
		return
	}
	f.lagging.Store(&lagging{lags: h.lags, text: string(h.lagText), changed: make(chan struct{})})
	close(old.changed)
}

// Lags returns the read models that are not as fresh as the watermark; nil when
// all are. A caller reads Watermark first: what it then finds here is at least
// as new, so that Lags.Watermark of the two is a true lower bound.
func (f *Feed) Lags() Lags { return f.lagging.Load().lags }

// WaitModels returns once every commit at or before lsn is reflected in all
// documents of the models, and in what the attached caches hold of them. When
// ctx ends first it returns a BehindError or a LagError. A paused model it does
// not wait for: it returns a LagError without a cause at once.
func (f *Feed) WaitModels(ctx context.Context, lsn pglogrepl.LSN, models []string) error {
	for {
		if err := f.Wait(ctx, lsn); err != nil {
			return err
		}
		now := f.lagging.Load()
		late := now.lags.Late(f.Watermark(), lsn, models)
		if late == nil {
			return nil
		}
		if late.Lag.Paused() {
			return late
		}
		select {
		case <-now.changed:
		case <-ctx.Done():
			late.Cause = ctx.Err()
			return late
		}
	}
}
