package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// keysQuery asks for many posts by their keys, and answers with little.
const keysQuery = `query Posts($ids: [ID!]!) { postsById(ids: $ids) { id } }`

// fullRows is how many posts are enough for more than the largest cache.
const fullRows = 220_000

// fullCaches measures the memory of `freshet api` whose cache is full and goes
// on being filled: all of the process that is resident, at its highest. The
// same process without a cache, under the same load, tells what of that the
// cache is.
func fullCaches(ctx context.Context, w *world) error {
	name, err := w.copyOf(ctx, documents)
	if err != nil {
		return err
	}
	s, err := w.start(ctx, name, "run", "--cache-bytes", "0")
	if err != nil {
		return err
	}
	keys, err := w.multiply(ctx, name)
	if err != nil {
		return err
	}
	base, _, err := w.readAll(ctx, name, 0, keys)
	if err != nil {
		return err
	}
	w.log("without a cache: resident %.0f MB at most", base)
	w.report.add(row{Name: "memory of freshet api without a cache (highest)", Unit: "MB", Value: base}, nothing)
	for _, limit := range []int64{64, 256} {
		if err := w.fullCache(ctx, name, limit, base, keys); err != nil {
			return err
		}
	}
	return errors.Join(s.stop(), w.drop(ctx, name))
}

// fullCache measures with one limit, in MB.
func (w *world) fullCache(ctx context.Context, database string, limit int64, base float64, keys []string) error {
	peak, held, err := w.readAll(ctx, database, limit<<20, keys)
	if err != nil {
		return err
	}
	w.log("with a cache of %d MB, %.0f MB in it: resident %.0f MB at most", limit, held, peak)
	whole := nothing
	if limit >= 256 { // what the process takes anyhow does not matter much
		whole = ratioAtMost(1.3)
	}
	w.report.add(row{Name: fmt.Sprintf("memory of freshet api, full cache of %d MB (highest)", limit), Unit: "MB", Value: peak,
		Baseline: float64(limit), Against: "the cache's limit"}, whole)
	w.report.add(row{Name: "the same, beyond that without a cache", Unit: "MB", Value: peak - base,
		Baseline: float64(limit), Against: "the cache's limit"}, ratioAtMost(1.3))
	return nil
}

// multiply adds copies of the posts' documents, under new keys, until there are
// enough, and returns all keys. They have no source rows: nobody rebuilds them.
func (w *world) multiply(ctx context.Context, database string) (keys []string, err error) {
	err = w.with(ctx, database, func(conn *pgx.Conn) error {
		columns, err := queryStrings(ctx, conn, `SELECT quote_ident(attname) FROM pg_attribute
			WHERE attrelid = 'tv_post'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attname <> 'id'`)
		if err != nil {
			return err
		}
		list := ""
		for _, c := range columns {
			list += ", " + c
		}
		_, err = conn.Exec(ctx, `INSERT INTO tv_post (id`+list+`)
			SELECT gen_random_uuid()`+list+` FROM tv_post, generate_series(1, (SELECT $1 / count(*) FROM tv_post))`, fullRows)
		if err != nil {
			return err
		}
		keys, err = keysOf(ctx, conn, "tv_post")
		return err
	})
	return keys, err
}

func queryStrings(ctx context.Context, conn *pgx.Conn, sql string) ([]string, error) {
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// readAll starts an API, asks for every post once, a hundred at a time, and then
// for posts one by one, most of which a full cache lacks. It returns what was
// resident at most and what the cache says it holds, in MB.
func (w *world) readAll(ctx context.Context, database string, limit int64, keys []string) (peak, held float64, err error) {
	s, err := w.start(ctx, database, "api", "--cache-bytes", strconv.FormatInt(limit, 10))
	if err != nil {
		return 0, 0, err
	}
	fill := load{Address: s.graphql, Connections: 8, Once: true}
	for at := 0; at < len(keys); at += 100 {
		fill.Requests = append(fill.Requests, queryRequest(s.graphql, keysQuery, map[string]any{"ids": keys[at:min(at+100, len(keys))]}))
	}
	single := load{Address: s.graphql, Connections: connections, Once: true}
	for _, key := range keys[:20_000] {
		single.Requests = append(single.Requests, graphRequest(s.graphql, key))
	}
	for _, l := range []load{fill, single} {
		if _, err := l.run(ctx); err != nil {
			return 0, 0, err
		}
	}
	st, err := s.status(ctx)
	if err != nil {
		return 0, 0, err
	}
	if limit > 0 && st.API.Cache.Evictions == 0 {
		return 0, 0, fmt.Errorf("the cache of %d bytes is not full: it holds %d", limit, st.API.Cache.Bytes)
	}
	_, peak = s.resident()
	return peak, float64(st.API.Cache.Bytes) / (1 << 20), s.stop()
}
