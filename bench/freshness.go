package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"freshet/examples/blog"
)

const (
	commitRate = 500 // a second, while freshness is measured
	warmUp     = 2 * time.Second
)

// stand lets the same writer and the same meter work where there is no
// Freshet: the comment itself stands for its document, and its writer
// notifies. It is what the measurement takes of itself.
const stand = `
CREATE VIEW tv_comment AS SELECT id, jsonb_build_object('content', content) AS data FROM tb_comment;
CREATE FUNCTION notify() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_notify(''freshet'', ''''); RETURN NULL; END';
CREATE TRIGGER notify AFTER INSERT OR UPDATE ON tb_comment EXECUTE FUNCTION notify()`

// freshness measures, at 500 commits a second, the time from a writer's COMMIT
// to the moment when another connection has read the document with the change.
func freshness(ctx context.Context, w *world) error {
	theirs, err := w.floor(ctx)
	if err != nil {
		return err
	}
	name, err := w.copyOf(ctx, documents)
	if err != nil {
		return err
	}
	s, err := w.start(ctx, name, "run")
	if err != nil {
		return err
	}
	ours, err := w.freshness(ctx, name, 0, time.Duration(w.seconds)*time.Second)
	if err != nil {
		return err
	}
	w.log("freshness: %s; without Freshet: %s", ours, theirs)
	const against = "the writer notifies, and its row is read"
	w.report.add(row{Name: "commits while measuring freshness", Unit: "/s", Value: ours.rate, Baseline: commitRate, Against: "asked for"}, nothing)
	w.report.add(row{Name: "freshness p50", Unit: "ms", Value: quantile(ours.times, 0.5), Baseline: quantile(theirs.times, 0.5), Against: against}, valueAtMost(5))
	w.report.add(row{Name: "freshness p99", Unit: "ms", Value: quantile(ours.times, 0.99), Baseline: quantile(theirs.times, 0.99), Against: against}, valueAtMost(50))
	if err := s.stop(); err != nil {
		return err
	}
	return w.drop(ctx, name)
}

// floor measures where no Freshet runs.
func (w *world) floor(ctx context.Context) (freshSample, error) {
	name, err := w.copyOf(ctx, sources)
	if err != nil {
		return freshSample{}, err
	}
	err = w.with(ctx, name, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, stand)
		return err
	})
	if err != nil {
		return freshSample{}, err
	}
	sample, err := w.freshness(ctx, name, 0, time.Duration(w.seconds)*time.Second/4)
	if err != nil {
		return sample, err
	}
	return sample, w.drop(ctx, name)
}

// freshSample is what was measured.
type freshSample struct {
	times []time.Duration
	rate  float64 // commits a second
	lost  int64
}

// String is for the log.
func (f freshSample) String() string {
	return fmt.Sprintf("p50 %.2f ms, p99 %.2f ms, worst %.1f ms of %d writes at %.0f commits/s, %d never seen",
		quantile(f.times, 0.5), quantile(f.times, 0.99), quantile(f.times, 1), len(f.times), f.rate, f.lost)
}

// freshness writes and measures for a while: what differs in each part of a
// measurement on one database is the part's number.
func (w *world) freshness(ctx context.Context, database string, part uint64, while time.Duration) (freshSample, error) {
	pool, err := pgxpool.New(ctx, w.server.URL(database)+"&pool_max_conns=8")
	if err != nil {
		return freshSample{}, err
	}
	defer pool.Close()
	counted := tally{pool: pool, meter: blog.NewFreshness(), seed: seed + part}
	return counted.run(ctx, while)
}

// tally is a writer with a meter of its writes.
type tally struct {
	pool    *pgxpool.Pool
	meter   *blog.Freshness
	seed    uint64
	commits atomic.Int64
}

func (t *tally) run(ctx context.Context, while time.Duration) (freshSample, error) {
	var sample freshSample
	playing, stop := context.WithCancel(ctx)
	defer stop()
	group, playing := errgroup.WithContext(playing)
	writer := blog.Writer{Pool: t.pool, Rate: commitRate, Seed: t.seed, Spared: hotAuthor, Wrote: func(wr blog.Write) {
		t.commits.Add(1)
		t.meter.Wrote(wr)
	}}
	group.Go(func() error { return writer.Run(playing) })
	group.Go(func() error { return t.meter.Run(playing, t.pool.Config().ConnConfig) })
	group.Go(func() error {
		defer stop()
		if err := pause(playing, warmUp); err != nil {
			return err
		}
		t.meter.Take()
		began, before := time.Now(), t.commits.Load()
		if err := pause(playing, while); err != nil {
			return err
		}
		sample.rate = float64(t.commits.Load()-before) / time.Since(began).Seconds()
		taken := t.meter.Take()
		sample.times, sample.lost = taken.Times, t.meter.Lost()
		if taken.Oldest > 0 {
			sample.times = append(sample.times, taken.Oldest) // it waits still: it counts at least so much
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return sample, err
	}
	if len(sample.times) == 0 {
		return sample, fmt.Errorf("no write was seen in any document")
	}
	return sample, nil
}

// pause waits, unless the context ends first.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
