package api

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/vektah/gqlparser/v2/gqlerror"
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
	if s.cfg.Feed == nil {
		r.bypass, r.lsn = true, maxLSN
		return
	}
	r.lsn = s.cfg.Feed.Watermark()
	if ok, _ := s.cfg.Feed.Fresh(); !ok {
		// What is read says itself what it is of.
		r.bypass, r.lsn = true, maxLSN
	}
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
	err := s.awaitDemand(r, d)
	if err != nil && !d.stale {
		return err
	}
	if err != nil {
		r.stale, r.min = true, 0
	}
	s.freshness(r)
	if r.lsn < r.min {
		// The database has what is wanted, and the feed, just back, has not yet.
		r.bypass, r.lsn = true, maxLSN
	}
	return nil
}

// awaitDemand waits for what the demand asks, at most Config.WaitTimeout.
func (s *Server) awaitDemand(r *run, d demand) *gqlerror.Error {
	ctx, cancel := context.WithTimeout(r.ctx, s.cfg.WaitTimeout)
	defer cancel()
	want := d.min
	if d.strong {
		lsn, err := s.mark(ctx)
		if err != nil {
			return err
		}
		want = max(want, lsn)
	}
	r.min = want
	have, reached := s.reached(ctx, want)
	if reached {
		return nil
	}
	return staleError(have, want)
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

// reached waits for the watermark. A watermark below a demanded LSN may be one
// that nothing pushes on, on an idle system: a marker does.
func (s *Server) reached(ctx context.Context, want pglogrepl.LSN) (have pglogrepl.LSN, ok bool) {
	if s.cfg.Feed == nil {
		return s.poll(ctx, want)
	}
	if fresh, _ := s.cfg.Feed.Fresh(); !fresh {
		return s.poll(ctx, want)
	}
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

// poll waits for the watermark in the database itself.
func (s *Server) poll(ctx context.Context, want pglogrepl.LSN) (have pglogrepl.LSN, ok bool) {
	for nudged := false; ; nudged = true {
		lsn, err := s.store.Watermark(ctx)
		if err == nil {
			have = lsn
		}
		if err == nil && have >= want {
			return have, true
		}
		if !nudged {
			s.nudge(ctx)
		}
		select {
		case <-ctx.Done():
			return have, false
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
