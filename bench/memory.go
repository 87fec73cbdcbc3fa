package main

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// memory is what `freshet run` needs: for its first start on the data, and
// with a cache as full as the data make it.
func memory(ctx context.Context, w *world) error {
	name, err := w.copyOf(ctx, sources)
	if err != nil {
		return err
	}
	s, err := w.start(ctx, name, "run", "--migrate")
	if err != nil {
		return err
	}
	now, peak := s.resident()
	w.log("after the backfill: resident %.0f MB, at most %.0f MB", now, peak)
	w.report.add(row{Name: "memory of freshet run, backfill (highest)", Unit: "MB", Value: peak}, valueAtMost(200))
	if err := w.warm(ctx, s, name); err != nil {
		return err
	}
	st, err := s.status(ctx)
	if err != nil {
		return err
	}
	now, peak = s.resident()
	w.log("with %d documents cached, %.0f MB of them: resident %.0f MB, at most %.0f MB",
		st.API.Cache.Entries, float64(st.API.Cache.Bytes)/(1<<20), now, peak)
	w.report.add(row{Name: "memory of freshet run, warm cache (highest)", Unit: "MB", Value: peak,
		Baseline: float64(st.API.Cache.Bytes) / (1 << 20), Against: "the cached documents by the cache's own count"}, valueAtMost(200))
	if err := s.stop(); err != nil {
		return err
	}
	return w.drop(ctx, name)
}

// warm asks for every post once.
func (w *world) warm(ctx context.Context, s *service, database string) error {
	return w.with(ctx, database, func(conn *pgx.Conn) error {
		keys, err := keysOf(ctx, conn, "tb_post")
		if err != nil {
			return err
		}
		l := load{Address: s.graphql, Connections: connections, Once: true}
		for _, key := range keys {
			l.Requests = append(l.Requests, graphRequest(s.graphql, key))
		}
		_, err = l.run(ctx)
		return err
	})
}
