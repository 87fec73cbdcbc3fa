package api

import (
	"io"
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
)

// BenchmarkUncachedPost and BenchmarkBareSelect are the ratio of interest
// without a cache: against a handler that does one pooled SELECT and writes
// what it finds.
func BenchmarkUncachedPost(b *testing.B) {
	pool := blogTables(b)
	s := newServer(b, blogModel(b), nil, func(c *Config) { c.Pool, c.Feed, c.CacheBytes = pool, nil, 0 })
	load(b, s, bodyOf(blogPost, postVars))
}

func BenchmarkBareSelect(b *testing.B) {
	pool := blogTables(b)
	load(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		var data []byte
		if err := pool.QueryRow(r.Context(), "SELECT data FROM tv_post WHERE id = $1", "10000000-0000-4000-8000-000000000003").Scan(&data); err != nil {
			b.Error(err)
		}
		(&exchange{w: w, media: mediaJSON}).send(http.StatusOK, mediaJSON, data)
	}), bodyOf(blogPost, postVars))
}

// BenchmarkUncachedPosts and BenchmarkBareSelectPosts are the same for a list.
func BenchmarkUncachedPosts(b *testing.B) {
	pool := blogTables(b)
	s := newServer(b, blogModel(b), nil, func(c *Config) { c.Pool, c.Feed, c.CacheBytes = pool, nil, 0 })
	load(b, s, bodyOf(blogPosts, "null"))
}

func BenchmarkBareSelectPosts(b *testing.B) {
	pool := blogTables(b)
	load(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		rows, err := pool.Query(r.Context(), "SELECT data FROM tv_post ORDER BY created_at DESC, id DESC LIMIT 20")
		if err != nil {
			b.Error(err)
			return
		}
		var out []byte
		for rows.Next() {
			out = append(out, rows.RawValues()[0]...)
		}
		rows.Close()
		(&exchange{w: w, media: mediaJSON}).send(http.StatusOK, mediaJSON, out[:min(len(out), 4000)])
	}), bodyOf(blogPosts, "null"))
}

func blogTables(b *testing.B) *pgxpool.Pool {
	b.Helper()
	_, pool := database(b)
	m := blogModel(b)
	tables(b, pool, m, layoutsOf(m, "text"), newMemStore(b, m, blog()))
	must(b, pool, "CREATE INDEX ON tv_post (created_at, id)")
	must(b, pool, "ANALYZE")
	return pool
}
