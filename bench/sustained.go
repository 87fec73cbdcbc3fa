package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"freshet/examples/blog"
)

const (
	// sustainedRatio is how many times the triggers' rate is asked for.
	sustainedRatio = 1.5
	// followedOne is that one in so many edited comments is followed to its
	// document: the meter's work is the server's too.
	followedOne = 100
)

// sustained lets eight clients make changes at an even rate, half as much again as
// row triggers reach, for as long as the flag says, and measures how late the
// documents are: a rate is held only if that does not grow.
func sustained(ctx context.Context, w *world) error {
	if w.triggerRate == 0 && w.rate == 0 {
		var err error
		if w.triggerRate, err = w.triggered(ctx); err != nil {
			return err
		}
	}
	name, err := w.copyOf(ctx, documents)
	if err != nil {
		return err
	}
	_, plan, err := w.compiled(ctx, name)
	if err != nil {
		return err
	}
	s, err := w.start(ctx, name, "run")
	if err != nil {
		return err
	}
	wanted := sustainedRatio * w.triggerRate
	if w.rate > 0 {
		wanted = w.rate
	}
	sample, seconds, err := w.sustain(ctx, name, wanted)
	if err != nil {
		return err
	}
	slope := slopeOf(seconds)
	w.log("%.0f changes/s for %s: lag %s, growing by %.2f ms a minute", sample.rate, w.while, sample, slope)
	w.report.add(row{Name: "changes by 8 clients at an even rate", Unit: "/s", Value: sample.rate, Baseline: w.triggerRate,
		Against: "row triggers, as fast as they can"}, ratioAtLeast(sustainedRatio*0.98))
	w.report.add(row{Name: "their lag p50", Unit: "ms", Value: quantile(sample.times, 0.5)}, nothing)
	w.report.add(row{Name: "their lag p99", Unit: "ms", Value: quantile(sample.times, 0.99)}, nothing)
	w.report.add(row{Name: "growth of their lag", Unit: "ms/min", Value: slope}, nothing)
	if err := w.caughtUp(ctx, name); err != nil {
		return err
	}
	if err := errors.Join(s.stop(), w.compare(ctx, name, plan)); err != nil {
		return err
	}
	return w.drop(ctx, name)
}

// sustain makes changes at a rate, and returns all lags and the median of each
// second.
func (w *world) sustain(ctx context.Context, database string, rate float64) (sample freshSample, seconds []float64, err error) {
	cs, err := w.changers(ctx, database)
	if err != nil {
		return sample, nil, err
	}
	pool, err := pgxpool.New(ctx, w.server.URL(database)+"&pool_max_conns=4")
	if err != nil {
		return sample, nil, err
	}
	defer pool.Close()
	meter := blog.NewFreshness()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return meter.Run(ctx, pool.Config().ConnConfig) })
	began := time.Now()
	end := began.Add(w.while)
	writing, ctx2 := errgroup.WithContext(ctx)
	for _, c := range cs {
		writing.Go(func() error {
			return w.with(ctx2, database, func(conn *pgx.Conn) error { return c.paced(ctx2, conn, rate/clients, end, meter) })
		})
	}
	group.Go(func() error {
		defer stop()
		return writing.Wait()
	})
	group.Go(func() error {
		for pause(ctx, time.Second) == nil {
			taken := meter.Take()
			times := taken.Times
			if taken.Oldest > 0 {
				times = append(times, taken.Oldest)
			}
			if len(times) == 0 {
				continue
			}
			sample.times = append(sample.times, times...)
			seconds = append(seconds, quantile(times, 0.5))
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return sample, nil, err
	}
	sample.lost = meter.Lost()
	for _, c := range cs {
		sample.rate += float64(c.made)
	}
	sample.rate /= time.Since(began).Seconds()
	return sample, seconds, nil
}

// paced makes changes at an even rate: what it is behind it makes up for.
func (c *changer) paced(ctx context.Context, conn *pgx.Conn, rate float64, end time.Time, meter *blog.Freshness) error {
	began := time.Now()
	for n := 0; time.Now().Before(end); n++ {
		due := began.Add(time.Duration(float64(n) / rate * float64(time.Second)))
		if wait := time.Until(due); wait > 0 {
			if err := pause(ctx, wait); err != nil {
				return err
			}
		}
		if n%followedOne == 0 {
			if err := c.followed(ctx, conn, meter); err != nil {
				return err
			}
			continue
		}
		if err := c.change(ctx, conn); err != nil {
			return err
		}
	}
	return nil
}

// followed edits a comment, and has the meter follow it.
func (c *changer) followed(ctx context.Context, conn *pgx.Conn, meter *blog.Freshness) error {
	keys := c.keys["tb_comment"]
	w := blog.Write{Kind: "comment", Comment: keys[c.rng.IntN(len(keys))], Content: "followed " + time.Now().Format(time.RFC3339Nano) + randomText(c.rng)}
	if _, err := conn.Exec(ctx, changes[0].sql, w.Comment, w.Content); err != nil {
		return err
	}
	c.made++
	w.At = time.Now()
	meter.Wrote(w)
	return nil
}

func randomText(rng *rand.Rand) string { return string(rune('a' + rng.IntN(26))) }

// slopeOf is by how much a figure of each second grows in a minute: the least
// squares' line through it.
func slopeOf(seconds []float64) float64 {
	n := float64(len(seconds))
	if n < 2 {
		return 0
	}
	var sx, sy, sxx, sxy float64
	for i, y := range seconds {
		x := float64(i)
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	return 60 * (n*sxy - sx*sy) / (n*sxx - sx*sx)
}
