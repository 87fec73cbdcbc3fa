package api

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"freshet/api/page"
	"freshet/api/served"
	"freshet/cache"
	"freshet/model"
)

// blog is the world of examples/blog: one post with ten comments, and a list.
func blog() world {
	text := strings.Repeat("Rivers rise after rain, and fall again. ", 12)
	user := func(i int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", i) }
	w := world{"User": {}, "Post": {}, "Comment": {}}
	for i := range 12 {
		w["User"][user(i)] = row{"id": user(i), "username": fmt.Sprintf("user%d", i), "fullName": "Somebody Else", "createdAt": "2024-01-01T00:00:00+00:00", "posts": []any{}, "postCount": 3}
	}
	for p := range 30 {
		id := fmt.Sprintf("10000000-0000-4000-8000-%012d", p)
		comments := []any{}
		for c := range 10 {
			cid := fmt.Sprintf("20000000-0000-4000-%04d-%012d", p, c)
			w["Comment"][cid] = row{"id": cid, "content": "A comment of some length, as people write them.", "createdAt": "2024-01-02T00:00:00+00:00", "post": id, "author": user(c)}
			comments = append(comments, cid)
		}
		w["Post"][id] = row{"id": id, "title": fmt.Sprintf("Post %d about rivers", p), "content": text, "published": true,
			"createdAt": fmt.Sprintf("2024-01-%02dT00:00:00+00:00", p+1), "author": user(p % 12), "comments": comments, "commentCount": 10}
	}
	return w
}

const (
	blogPost  = `query Post($id: ID!) { post(id: $id) { id title content author { id username fullName } comments { id content createdAt author { id username } } } }`
	blogPosts = `query Posts { posts(first: 20, orderBy: [{createdAt: DESC}]) { nodes { id title author { id username } } pageInfo { hasNextPage endCursor } } }`
	postVars  = `{"id":"10000000-0000-4000-8000-000000000003"}`
)

func blogModel(tb testing.TB) *model.Model {
	tb.Helper()
	return parseModel(tb, "../examples/blog/model.graphql")
}

func bodyOf(query, vars string) string {
	return fmt.Sprintf(`{"query":%q,"variables":%s}`, query, vars)
}

// discard is a ResponseWriter that costs nothing.
type discard struct {
	header http.Header
	n      int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { d.n += len(p); return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// BenchmarkCachedPostHandler is the handler without net/http: what it
// allocates, beyond the request itself, is ours.
func BenchmarkCachedPostHandler(b *testing.B) {
	m := blogModel(b)
	s := newServer(b, m, newMemStore(b, m, blog()))
	h := s.GraphQL()
	body := bodyOf(blogPost, postVars)
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
}

// BenchmarkCachedPost and BenchmarkBarePost are the ratio of interest: one
// connection for each worker over loopback, against a handler that writes the
// same bytes.
func BenchmarkCachedPost(b *testing.B) {
	m := blogModel(b)
	s := newServer(b, m, newMemStore(b, m, blog()))
	load(b, s, bodyOf(blogPost, postVars))
}

func BenchmarkBarePost(b *testing.B) {
	m := blogModel(b)
	s := newServer(b, m, newMemStore(b, m, blog()))
	load(b, bare(ask(b, s, blogPost, postVars).Body.Bytes()), bodyOf(blogPost, postVars))
}

// BenchmarkPosts is a list of 20 whose page comes from memory.
func BenchmarkPosts(b *testing.B) {
	m := blogModel(b)
	store := &pageOnce{memStore: newMemStore(b, m, blog())}
	load(b, newServer(b, m, store), bodyOf(blogPosts, "null"))
}

// bare answers with the same bytes always, after reading the request.
func bare(answer []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header()["Content-Type"] = mediaJSON
		w.Header()["Content-Length"] = []string{fmt.Sprint(len(answer))}
		_, _ = w.Write(answer)
	})
}

// load sends requests over kept connections, with a client that does no more
// than it must.
func load(b *testing.B, h http.Handler, body string) {
	b.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	request := fmt.Appendf(nil, "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	b.ResetTimer()
	b.SetParallelism(16)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		in := bufio.NewReaderSize(conn, 1<<16)
		for pb.Next() {
			if err := roundTrip(conn, in, request); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func roundTrip(conn net.Conn, in *bufio.Reader, request []byte) error {
	if _, err := conn.Write(request); err != nil {
		return err
	}
	length := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == 2 {
			break
		}
		if bytes.HasPrefix(line, []byte("Content-Length: ")) {
			fmt.Sscan(string(line[16:]), &length)
		}
	}
	_, err := in.Discard(length)
	return err
}

// pageOnce keeps the rows of the first page that is asked for, so that a
// benchmark does not measure the memory store.
type pageOnce struct {
	*memStore
	rows []PageRow
}

func (p *pageOnce) Page(ctx context.Context, q *page.Query, visit func(PageRow) error) (PageSummary, error) {
	if p.rows == nil {
		if _, err := p.memStore.Page(ctx, q, func(r PageRow) error { p.rows = append(p.rows, r); return nil }); err != nil {
			return PageSummary{}, err
		}
	}
	for _, r := range p.rows {
		if err := visit(r); err != nil {
			return PageSummary{}, err
		}
	}
	return PageSummary{Watermark: p.lsn, Count: 30}, nil
}

// Documents leaves out the notes that memStore takes, which would grow.
func (p *pageOnce) Documents(ctx context.Context, t *served.Type, keys []string, visit func(string, []byte) error) (cache.Position, error) {
	at, err := p.memStore.Documents(ctx, t, keys, visit)
	p.calls = p.calls[:0]
	return at, err
}

// TestAllocations: a cached hit allocates at most 20 objects, the request's
// own context and the copy of it that gqlgen makes included.
func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	m := blogModel(t)
	h := newServer(t, m, newMemStore(t, m, blog())).GraphQL()
	body := bodyOf(blogPost, postVars)
	reader := strings.NewReader(body)
	r := httptest.NewRequest(http.MethodPost, "/graphql", reader)
	r.Header.Set("Content-Type", "application/json")
	w := &discard{header: http.Header{}}
	got := testing.AllocsPerRun(200, func() {
		reader.Reset(body)
		r.Body = io.NopCloser(reader)
		h.ServeHTTP(w, r)
	})
	if got > 20 {
		t.Errorf("a cached hit allocates %v objects", got)
	}
	t.Logf("%v objects", got)
}
