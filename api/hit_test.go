package api

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

// sized is a world of one post with so many comments, each of some 100 bytes.
func sized(comments int) world {
	w := world{"User": {"u": {"id": "u", "username": "u", "fullName": "U", "createdAt": "2024-01-01T00:00:00+00:00", "posts": []any{}, "postCount": 1}}, "Post": {}, "Comment": {}}
	var ids []any
	for i := range comments {
		id := fmt.Sprintf("c%d", i)
		ids = append(ids, id)
		w["Comment"][id] = row{"id": id, "content": strings.Repeat("x", 100), "createdAt": "2024-01-01T00:00:00+00:00", "post": "p", "author": "u"}
	}
	w["Post"]["p"] = row{"id": "p", "title": "T", "content": strings.Repeat("text ", comments), "published": true,
		"createdAt": "2024-01-01T00:00:00+00:00", "author": "u", "comments": ids, "commentCount": comments}
	return w
}

const smallQuery = `{ post(id: "p") { id title author { username } } }`

// hits returns a function that has a cached post answered, n times.
func hits(tb testing.TB, comments int) func(n int) {
	m := blogModel(tb)
	h := newServer(tb, m, newMemStore(tb, m, sized(comments)), func(c *Config) { c.CacheBytes = 512 << 20 }).GraphQL()
	body := bodyOf(smallQuery, "null")
	reader := strings.NewReader(body)
	r := httptest.NewRequest(http.MethodPost, "/graphql", reader)
	r.Header.Set("Content-Type", "application/json")
	w := &discard{header: http.Header{}}
	return func(n int) {
		for range n {
			reader.Reset(body)
			r.Body = io.NopCloser(reader)
			h.ServeHTTP(w, r)
		}
	}
}

// BenchmarkSmallAnswer takes the same little of documents of 1 KB and of 2 MB:
// the cost is that of the answer.
func BenchmarkSmallAnswer(b *testing.B) {
	for _, comments := range []int{4, 400, 10_000} {
		b.Run(fmt.Sprintf("comments=%d", comments), func(b *testing.B) {
			hit := hits(b, comments)
			hit(1)
			b.ReportAllocs()
			b.ResetTimer()
			hit(b.N)
		})
	}
}

// TestAHitCostsWhatItAnswers: a hit takes as much memory from a large document
// as from a small one.
func TestAHitCostsWhatItAnswers(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	const runs = 500
	cost := func(comments int) (objects, bytes uint64) {
		hit := hits(t, comments)
		hit(50)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		hit(runs)
		runtime.ReadMemStats(&after)
		return (after.Mallocs - before.Mallocs) / runs, (after.TotalAlloc - before.TotalAlloc) / runs
	}
	objects, bytes := cost(4)
	largeObjects, largeBytes := cost(5000)
	t.Logf("of a small document %d objects, %d bytes; of a large one %d objects, %d bytes", objects, bytes, largeObjects, largeBytes)
	if largeObjects > objects+2 || largeBytes > 2*bytes {
		t.Error("a hit on a large document costs more")
	}
	if objects > 20 {
		t.Errorf("a hit allocates %d objects", objects)
	}
}
