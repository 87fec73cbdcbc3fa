package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkCachedListHandler is a list of 20 with its documents from the cache,
// without net/http.
func BenchmarkCachedListHandler(b *testing.B) {
	m := blogModel(b)
	store := newMemStore(b, m, blog())
	store.batch = 1
	feed := newFakeFeed(store.lsn)
	s := newServer(b, m, store, func(c *Config) { c.Feed = feed })
	feed.cache.Advance(1)
	h := s.GraphQL()
	body := bodyOf(blogPosts, "null")
	reader := strings.NewReader(body)
	r := httptest.NewRequest(http.MethodPost, "/graphql", reader)
	r.Header.Set("Content-Type", "application/json")
	w := &discard{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		r.Body = io.NopCloser(reader)
		h.ServeHTTP(w, r)
	}
	b.SetBytes(int64(w.n / b.N))
	if st := s.PageStats()["Post"]; st.Misses > 1 {
		b.Errorf("%+v", st)
	}
}
