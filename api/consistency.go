package api

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"freshet/cache"
)

// The headers of consistency.
const (
	HeaderConsistency = "Freshet-Consistency" // eventual (default) or strong
	HeaderMinLSN      = "Freshet-Min-Lsn"     // 0/16B3748: read at least this
	HeaderOnTimeout   = "Freshet-On-Timeout"  // error (default) or stale
	HeaderLSN         = "Freshet-Lsn"         // of an answer: it is at least as fresh
	HeaderStale       = "Freshet-Stale"       // of an answer: true if it is older than asked for
)

// demand is what a request asks for.
type demand struct {
	min    pglogrepl.LSN
	strong bool
	stale  bool // an older answer is better than none
}

// demandOf reads the headers of consistency. Its error is for the client.
func demandOf(h http.Header) (d demand, err error) {
	if v := first(h, HeaderMinLSN); v != "" {
		if d.min, err = parseLSN(v); err != nil {
			return d, fmt.Errorf("the header Freshet-Min-LSN: %w", err)
		}
	}
	switch v := first(h, HeaderConsistency); v {
	case "", "eventual":
	case "strong":
		d.strong = true
	default:
		return d, fmt.Errorf("the header Freshet-Consistency must be eventual or strong, not %q", v)
	}
	switch v := first(h, HeaderOnTimeout); v {
	case "", "error":
	case "stale":
		d.stale = true
	case "source":
		return d, fmt.Errorf("the header Freshet-On-Timeout: source is not supported yet; it must be error or stale")
	default:
		return d, fmt.Errorf("the header Freshet-On-Timeout must be error or stale, not %q", v)
	}
	return d, nil
}

// first returns the first value of a header whose name is in canonical form.
func first(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// staleError says how far behind the answer would be.
func staleError(have, want pglogrepl.LSN) *gqlerror.Error {
	return &gqlerror.Error{
		Message: fmt.Sprintf("The answer would be older than asked for: it would be of %s, and %s is wanted (%d bytes of WAL).",
			have, want, uint64(want-min(have, want))),
		Extensions: map[string]any{"code": codeStale, "watermark": have.String(), "wanted": want.String()},
	}
}

// freshness sets what the run reads at, without waiting: the watermark is
// taken before anything is read, so that it is a lower bound of all of it.
func (s *Server) freshness(r *run) {
	if s.following() {
		// In this order: see cache.Feed.Lags.
		r.lsn = s.cfg.Feed.Watermark()
		r.lags, r.bypass, r.unknown = s.cfg.Feed.Lags(), false, false
		return
	}
	r.bypass, r.unknown, r.lsn = true, true, maxLSN
}

// following says whether there is a feed, and it is not down.
func (s *Server) following() bool {
	if s.cfg.Feed == nil {
		return false
	}
	ok, _ := s.cfg.Feed.Fresh()
	return ok
}

// maxLSN stands for "nothing was read yet".
const maxLSN = ^pglogrepl.LSN(0)

// await waits until the run can be served as the request demands, and then
// sets what it reads at. An error is for the client.
func (s *Server) await(r *run, d demand) *gqlerror.Error {
	if d.min == 0 && !d.strong {
		s.freshness(r)
		return nil
	}
	r.left, r.lenient = s.cfg.WaitTimeout, d.stale
	err := s.awaitDemand(r, d)
	if err == nil || !d.stale {
		return err
	}
	s.freshness(r)
	r.giveIn()
	return nil
}

// awaitDemand waits for what the demand asks, as long as the run may wait.
func (s *Server) awaitDemand(r *run, d demand) *gqlerror.Error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(r.ctx, r.left)
	defer cancel()
	defer func() { r.left -= time.Since(began) }()
	want := d.min
	if d.strong {
		lsn, err := s.mark(ctx)
		if err != nil {
			return err
		}
		want = max(want, lsn)
	}
	r.min = want
	if s.following() {
		// Nobody needs to wait to be told that.
		if err := r.paused(s.cfg.Feed.Watermark(), s.cfg.Feed.Lags()); err != nil {
			return err
		}
	}
	if err := s.reach(ctx, r); err != nil {
		return err
	}
	return r.awaitPlan(ctx)
}

// mark writes a marker, and returns what a strong read waits for.
func (s *Server) mark(ctx context.Context) (pglogrepl.LSN, *gqlerror.Error) {
	if s.cfg.Marker == nil {
		return 0, coded(codeUnavailable, "Strong reads are not available here: this API has no connection to the primary.")
	}
	lsn, err := s.cfg.Marker.LSN(ctx)
	if err != nil {
		if s.cfg.OnError != nil && ctx.Err() == nil {
			s.cfg.OnError(ctx, err)
		}
		return 0, coded(codeStale, "Strong reads are not available just now: no marker could be written in time.")
	}
	return lsn, nil
}

// reach waits for the watermark that the run asks for, and sets what it reads
// at: the cache, or the database while the feed is down, or just back and still
// behind what the database was seen to have.
func (s *Server) reach(ctx context.Context, r *run) *gqlerror.Error {
	if s.following() {
		if have, ok := s.follow(ctx, r.min); !ok {
			return staleError(have, r.min)
		}
		if s.freshness(r); !r.bypass && r.lsn >= r.min {
			return nil
		}
	}
	r.lsn = maxLSN
	return s.poll(ctx, r, r.min, nil)
}

// follow waits for the feed's watermark. One below a demanded LSN may be one
// that nothing pushes on, on an idle system: a marker does.
func (s *Server) follow(ctx context.Context, want pglogrepl.LSN) (have pglogrepl.LSN, ok bool) {
	if have = s.cfg.Feed.Watermark(); have >= want {
		return have, true
	}
	s.nudge(ctx)
	err := s.cfg.Feed.Wait(ctx, want)
	return s.cfg.Feed.Watermark(), err == nil
}

// nudge writes a marker so that the watermark moves, if that is possible.
func (s *Server) nudge(ctx context.Context) {
	if s.cfg.Marker == nil {
		return
	}
	if _, err := s.cfg.Marker.LSN(ctx); err != nil && ctx.Err() == nil && s.cfg.OnError != nil {
		s.cfg.OnError(ctx, err)
	}
}

// pollInterval is how often the database is asked for its watermark while the
// feed is down.
const pollInterval = 10 * time.Millisecond

// poll waits for the watermark in the database itself, and until none of the
// models lags behind it. The run then reads at what was found.
func (s *Server) poll(ctx context.Context, r *run, want pglogrepl.LSN, models []string) *gqlerror.Error {
	var have pglogrepl.LSN
	var late *cache.LagError
	for nudged := false; ; nudged = true {
		lsn, lags, err := s.store.Watermark(ctx)
		if err == nil {
			have, late = lsn, lags.Late(lsn, want, models)
		}
		switch {
		case err != nil || have < want || late != nil && !late.Lag.Paused():
		case late != nil:
			return lagError(late)
		default:
			r.readAt(lsn, lags)
			return nil
		}
		if !nudged && have < want {
			s.nudge(ctx)
		}
		select {
		case <-ctx.Done():
			if late != nil && have >= want {
				return lagError(late)
			}
			return staleError(have, want)
		case <-time.After(pollInterval):
		}
	}
}

// lsnHeader keeps the header of the last watermark that was served: it changes
// far less often than it is written.
type lsnHeader struct{ last atomic.Pointer[lsnValue] }

type lsnValue struct {
	lsn  pglogrepl.LSN
	text []string
}

func (h *lsnHeader) of(lsn pglogrepl.LSN) []string {
	if v := h.last.Load(); v != nil && v.lsn == lsn {
		return v.text
	}
	v := &lsnValue{lsn: lsn, text: []string{lsn.String()}}
	h.last.Store(v)
	return v.text
}
