package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// hotPosts are the posts that are read and written: every write falls on what
// is being read.
const hotPosts = 1000

// writesCache measures whether the cache pays while there are writes: the same
// clients read from an API with its cache and from one without, and write to
// the source tables meanwhile; a projector follows. With the cache, reads must
// be more a second and faster.
func writesCache(ctx context.Context, w *world) error {
	name, err := w.copyOf(ctx, documents)
	if err != nil {
		return err
	}
	projector, err := w.start(ctx, name, "projector")
	if err != nil {
		return err
	}
	on, err := w.start(ctx, name, "api")
	if err != nil {
		return err
	}
	off, err := w.start(ctx, name, "api", "--cache-bytes", "0")
	if err != nil {
		return err
	}
	keys, err := w.someKeys(ctx, name, "tb_post", hotPosts)
	if err != nil {
		return err
	}
	for _, share := range []float64{0.1, 0.5} {
		if err := w.underWrites(ctx, name, on, off, keys, share); err != nil {
			return err
		}
	}
	return errors.Join(on.stop(), off.stop(), projector.stop(), w.drop(ctx, name))
}

// underWrites compares at one share of writes.
func (w *world) underWrites(ctx context.Context, database string, on, off *service, keys []string, share float64) error {
	var rate, p99, writes sides
	for range w.rounds {
		without, err := w.mixed(ctx, database, off, keys, share)
		if err != nil {
			return err
		}
		with, err := w.mixed(ctx, database, on, keys, share)
		if err != nil {
			return err
		}
		w.log("%.0f %% writes: without a cache %s; with it %s", share*100, without, with)
		rate.theirs, rate.ours = append(rate.theirs, without.Reads.rate()), append(rate.ours, with.Reads.rate())
		p99.theirs, p99.ours = append(p99.theirs, without.Reads.P99), append(p99.ours, with.Reads.P99)
		writes.theirs, writes.ours = append(writes.theirs, without.writeRate()), append(writes.ours, with.writeRate())
	}
	mix := fmt.Sprintf("%.0f/%.0f reads to writes: ", 100-share*100, share*100)
	for _, l := range []struct {
		name, unit string
		of         sides
		promise    bound
	}{
		{mix + "reads", "/s", rate, ratioAtLeast(1)},
		{mix + "reads, p99", "ms", p99, ratioAtMost(1)},
		{mix + "writes", "/s", writes, nothing},
	} {
		ours, theirs := l.of.values()
		w.report.add(row{Name: l.name, Unit: l.unit, Value: ours, Baseline: theirs, Against: "the same without a cache"}, l.promise)
	}
	return nil
}

// mixed lets clients read from a service and write, in a process of their own.
func (w *world) mixed(ctx context.Context, database string, s *service, keys []string, share float64) (r mixedResult, err error) {
	while := time.Duration(w.seconds) * time.Second / 5
	m := mixed{URL: w.server.URL(database), Keys: keys, Writes: share,
		Load: load{Address: s.graphql, Connections: connections, WarmUp: while / 4, For: while}}
	for _, key := range keys {
		m.Load.Requests = append(m.Load.Requests, graphRequest(s.graphql, key))
	}
	p, err := cast(ctx, roleMixed, m)
	if err != nil {
		return r, err
	}
	line, err := p.line()
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		return r, err
	}
	return r, p.end()
}

func (r mixedResult) writeRate() float64 { return float64(r.Writes) / r.Reads.Took.Seconds() }

// String is for the log.
func (r mixedResult) String() string {
	return fmt.Sprintf("%.0f reads/s (p50 %.2f ms, p99 %.1f ms), %.0f writes/s", r.Reads.rate(), r.Reads.P50, r.Reads.P99, r.writeRate())
}
