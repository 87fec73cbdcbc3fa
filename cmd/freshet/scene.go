package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"freshet/cache"
	"freshet/examples/blog"
	"freshet/projector"
)

// scene is what the demo plays once the documents are there: a writer, a
// reader, and a line every second on how they fare.
type scene struct {
	cmd     *demoCmd
	app     *app
	service *service
	cfg     *pgx.ConnConfig
	meter   *blog.Freshness

	streaming chan struct{} // closed when the first backfill is over
	once      sync.Once
	commits   atomic.Int64 // by the writer
	documents atomic.Int64 // written and deleted by the projector
	requests  atomic.Int64
}

func newScene(c *demoCmd, a *app, s *service, cfg *pgx.ConnConfig) *scene {
	return &scene{cmd: c, app: a, service: s, cfg: cfg, meter: blog.NewFreshness(), streaming: make(chan struct{})}
}

func (s *scene) events() projector.Events {
	return projector.Events{
		State: func(state projector.State, _ string) {
			if state == projector.Streaming {
				s.once.Do(func() { close(s.streaming) })
			}
		},
		Batch: func(b projector.BatchEvent) { s.documents.Add(int64(b.Upserted + b.Deleted)) },
	}
}

// run waits for the documents and plays until ctx ends, or --for is over.
func (s *scene) run(ctx context.Context) error {
	began := time.Now()
	select {
	case <-ctx.Done():
		return nil
	case <-s.streaming:
	}
	s.app.printf("Documents built in %s\n", time.Since(began).Round(100*time.Millisecond))
	pool, err := s.pool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := s.introduce(ctx, pool); err != nil {
		return err
	}
	if s.cmd.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.cmd.For)
		defer cancel()
	}
	return s.play(ctx, pool)
}

func (s *scene) pool(ctx context.Context) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig("")
	if err != nil {
		return nil, err
	}
	cfg.ConnConfig = s.cfg.Copy()
	cfg.ConnConfig.RuntimeParams["application_name"] = "the blog"
	cfg.MaxConns = 10
	return pgxpool.NewWithConfig(ctx, cfg)
}

func (s *scene) play(ctx context.Context, pool *pgxpool.Pool) error {
	writer := blog.Writer{Pool: pool, Rate: s.cmd.Rate, Seed: s.cmd.Seed, Wrote: func(w blog.Write) {
		s.commits.Add(1)
		s.meter.Wrote(w)
	}}
	reader := &reader{url: s.service.graphURL, rate: s.cmd.Readers, requests: &s.requests}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return writer.Run(ctx) })
	group.Go(func() error { return s.meter.Run(ctx, s.cfg) })
	group.Go(func() error { return reader.run(ctx, pool) })
	group.Go(func() error { return s.report(ctx) })
	return group.Wait()
}

// report prints a line every second.
func (s *scene) report(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last := s.totals()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := s.totals()
		s.app.printf("%s\n", line(last, now, s.meter.Take()))
		last = now
	}
}

// totals are counters at a moment.
type totals struct {
	at                  time.Time
	commits, out, reads int64
	cache               cache.Stats
}

func (s *scene) totals() totals {
	return totals{at: time.Now(), commits: s.commits.Load(), out: s.documents.Load(), reads: s.requests.Load(), cache: s.service.graph.total()}
}

// line is what happened between two moments.
func line(a, b totals, f blog.Sample) string {
	seconds := b.at.Sub(a.at).Seconds()
	rate := func(from, to int64) string { return humanize.CommafWithDigits(float64(to-from)/seconds, 0) }
	var l strings.Builder
	fmt.Fprintf(&l, "%s  in %4s commits/s  out %5s documents/s", b.at.Format(time.TimeOnly), rate(a.commits, b.commits), rate(a.out, b.out))
	if len(f.Times) > 0 {
		fmt.Fprintf(&l, "  fresh after p50 %s p99 %s", millis(f.Quantile(0.5)), millis(f.Quantile(0.99)))
	} else {
		l.WriteString("  fresh after p50    - ms p99    - ms")
	}
	window := cache.Stats{Hits: b.cache.Hits - a.cache.Hits, AbsentHits: b.cache.AbsentHits - a.cache.AbsentHits, Misses: b.cache.Misses - a.cache.Misses}
	fmt.Fprintf(&l, "  %3s requests/s, cache hits %3.0f %%", rate(a.reads, b.reads), window.HitRate()*100)
	if f.Oldest > time.Second {
		fmt.Fprintf(&l, "  (a write waits since %s)", f.Oldest.Round(time.Second))
	}
	return l.String()
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%4.1f ms", float64(d.Microseconds())/1000)
}
