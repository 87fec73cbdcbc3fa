package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
)

// listing is a cache with pages of texts, at a watermark and a batch.
type listing struct {
	c     *Cache[string]
	pages *Pages[string, string]
	mark  lsn
	loads int
}

func newListing() *listing {
	l := &listing{mark: 100}
	l.c = New(Options[string]{Bytes: 1 << 20, Shards: 1, Cost: cost, Watermark: func() lsn { return l.mark }})
	l.pages = NewPages(l.c, PageOptions[string]{Cost: cost, Keep: func(p string) string { return strings.TrimSuffix(p, "+documents") }})
	l.c.Advance(1)
	return l
}

// ofPosts asks for a page of posts that depends on two columns.
func ofPosts(key string) PageRequest {
	return PageRequest{Model: "Post", Key: key, Columns: []string{"author_id", "created_at"}}
}

// read loads a page as of a position.
func (l *listing) read(t *testing.T, req PageRequest, at Position, during ...func()) {
	t.Helper()
	loaded, err := l.pages.Fetch(t.Context(), req, func(context.Context) (LoadedPage[string], error) {
		l.loads++
		for _, f := range during {
			f()
		}
		return LoadedPage[string]{Page: req.Key + "+documents", Position: at}, nil
	})
	if err != nil || loaded.Page != req.Key+"+documents" || loaded.Position != at {
		t.Fatalf("Fetch = %+v, %v", loaded, err)
	}
}

func (l *listing) has(req PageRequest, batch int64) bool {
	p, ok := l.pages.Get(&req)
	return ok && p.Value == req.Key && p.Holds(batch)
}

// TestPageStays: a page is forgotten with a change of what it depends on, and
// with no other.
func TestPageStays(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(c *Cache[string])
		stays  bool
	}{
		{"the content of a document", func(c *Cache[string]) { c.Invalidate("Post", []string{"1"}, 110) }, true},
		{"a column of no concern", func(c *Cache[string]) { c.InvalidatePages("Post", []string{"title"}, 110) }, true},
		{"another model's column", func(c *Cache[string]) { c.InvalidatePages("User", []string{"author_id", AnyColumn}, 110) }, true},
		{"another model", func(c *Cache[string]) { c.InvalidateModel("User", 110) }, true},
		{"a column", func(c *Cache[string]) { c.InvalidatePages("Post", []string{"title", "created_at"}, 110) }, false},
		{"any column", func(c *Cache[string]) { c.InvalidatePages("Post", []string{AnyColumn}, 110) }, false},
		{"the whole model", func(c *Cache[string]) { c.InvalidateModel("Post", 110) }, false},
		{"everything", func(c *Cache[string]) { c.Purge(); c.Advance(1) }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newListing()
			l.read(t, ofPosts("a"), Position{100, 1})
			if !l.has(ofPosts("a"), 1) || l.has(ofPosts("b"), 1) {
				t.Fatal("before the change")
			}
			tc.change(l.c)
			if got := l.has(ofPosts("a"), 1); got != tc.stays {
				t.Errorf("it stays: %v, want %v", got, tc.stays)
			}
			l.read(t, ofPosts("a"), Position{120, 1})
			if !l.has(ofPosts("a"), 1) {
				t.Error("what was read after the change is not stored")
			}
		})
	}
}

// TestPageOvertaken: what was read before an invalidation is not stored after
// it, unless it is known to be younger.
func TestPageOvertaken(t *testing.T) {
	for _, tc := range []struct {
		at     Position
		stored bool
	}{{Position{100, 1}, false}, {Position{110, 1}, false}, {Position{111, 1}, true}} {
		for name, change := range map[string]func(l *listing){
			"column": func(l *listing) { l.c.InvalidatePages("Post", []string{"author_id"}, 110) },
			"any":    func(l *listing) { l.c.InvalidatePages("Post", []string{AnyColumn}, 110) },
			"whole":  func(l *listing) { l.c.InvalidateModel("Post", 110) },
		} {
			l := newListing()
			l.read(t, ofPosts("a"), tc.at, func() { change(l) })
			if got := l.has(ofPosts("a"), 1); got != tc.stored {
				t.Errorf("%s, read at %s: stored %v", name, tc.at.Watermark, got)
			}
		}
	}
	l := newListing()
	l.read(t, ofPosts("a"), Position{500, 1}, func() { l.c.Purge(); l.c.Advance(1) })
	if l.has(ofPosts("a"), 1) {
		t.Error("what was read before a Purge was stored")
	}
}

// TestPageAndDocuments: a page answers with documents that are no younger than
// what the feed has told, as it is itself.
func TestPageAndDocuments(t *testing.T) {
	l := newListing()
	l.read(t, ofPosts("a"), Position{100, 2})
	if l.has(ofPosts("a"), 1) {
		t.Error("a page ahead of the feed was found")
	}
	l.read(t, ofPosts("b"), Position{100, 0})
	l.c.Advance(2)
	if !l.has(ofPosts("a"), 2) || !l.has(ofPosts("a"), 0) {
		t.Error("a page that the feed has come to was not found")
	}
	if l.has(ofPosts("a"), 3) || l.has(ofPosts("a"), UnknownBatch) {
		t.Error("a page held for documents ahead of the feed")
	}
	if l.has(ofPosts("b"), 0) {
		t.Error("a page of an unknown batch was found")
	}
	p, ok := l.pages.Get(&PageRequest{Model: "Post", Key: "a", Columns: []string{"author_id"}})
	l.c.InvalidatePages("Post", []string{"author_id"}, 120)
	if !ok || p.Holds(2) {
		t.Error("a page held that was invalidated while its documents were read")
	}
	if st := l.c.PageStats()["Post"]; st.Hits != 2 || st.Misses != 5 || st.Fills != 2 || st.Invalidations != 1 {
		t.Errorf("counted %+v", st)
	}
	if st := l.c.Stats()["Post"]; st != (Stats{}) {
		t.Errorf("counted as documents: %+v", st)
	}
}

// TestDocumentsTellTheirBatch, cached and loaded; the highest counts.
func TestDocumentsTellTheirBatch(t *testing.T) {
	l := newListing()
	l.c.PutAt(l.c.Begin(), "Post", "1", "one", Position{100, 3})
	l.c.Put(l.c.Begin(), "Post", "2", "two", 100)
	for key, want := range map[string]int64{"1": 3, "2": UnknownBatch, "3": 0} {
		if _, _, got := l.c.GetAt("Post", key); got != want {
			t.Errorf("%s was read at batch %d, want %d", key, got, want)
		}
	}
	for _, batch := range []int64{2, 5, 0} {
		load := func(context.Context, []string) (Loaded[string], error) {
			return Loaded[string]{Watermark: 100, Batch: batch}, nil
		}
		res, err := l.c.Fetch(t.Context(), Request{Model: "Post", Keys: []string{"1", fmt.Sprint("n", batch)}}, load)
		if want := max(3, known(batch)); err != nil || res.Batch != want {
			t.Errorf("Fetch: batch %d, %v; want %d", res.Batch, err, want)
		}
	}
}

func TestPageFreshness(t *testing.T) {
	l := newListing()
	l.read(t, ofPosts("a"), Position{105, 1})
	for _, tc := range []struct {
		mark, min lsn
		bypass    bool
		want      bool
	}{{100, 0, false, true}, {100, 105, false, true}, {100, 106, false, false}, {106, 106, false, true}, {200, 0, true, false}} {
		l.mark = tc.mark
		req := ofPosts("a")
		req.MinLSN, req.Bypass = tc.min, tc.bypass
		if got := l.has(req, 1); got != tc.want {
			t.Errorf("%+v: %v", tc, got)
		}
	}
	req := ofPosts("c")
	req.MinLSN = 300
	_, err := l.pages.Fetch(t.Context(), req, func(context.Context) (LoadedPage[string], error) {
		return LoadedPage[string]{Position: Position{200, 1}}, nil
	})
	if !errors.Is(err, ErrTooOld) {
		t.Errorf("read too old: %v", err)
	}
}

// TestPagesTogether: those who want one page at the same time share one load,
// unless a document has changed since it began, or it may be too old.
func TestPagesTogether(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(l *listing, req *PageRequest)
		loads  int
	}{
		{"nothing", func(*listing, *PageRequest) {}, 1},
		{"another model", func(l *listing, _ *PageRequest) { l.c.Invalidate("User", []string{"1"}, 100) }, 1},
		{"a document", func(l *listing, _ *PageRequest) { l.c.Invalidate("Post", []string{"1"}, 100) }, 2},
		{"the model", func(l *listing, _ *PageRequest) { l.c.InvalidateModel("Post", 100) }, 2},
		{"everything", func(l *listing, _ *PageRequest) { l.c.Purge() }, 2},
		{"a demand", func(_ *listing, r *PageRequest) { r.MinLSN = 101 }, 2},
		{"another question", func(_ *listing, r *PageRequest) { r.Key = "b" }, 2},
		{"a bypass", func(_ *listing, r *PageRequest) { r.Bypass = true }, 2},
	} {
		bubble(t, func(t *testing.T) {
			l := newListing()
			loads, go1 := 0, make(chan struct{})
			load := func(context.Context) (LoadedPage[string], error) {
				loads++
				<-go1
				return LoadedPage[string]{Page: "p", Position: Position{200, 1}}, nil
			}
			ask := func(req PageRequest) {
				if got, err := l.pages.Fetch(context.Background(), req, load); err != nil || got.Page != "p" {
					t.Errorf("%s: %+v, %v", tc.name, got, err)
				}
			}
			go ask(ofPosts("a"))
			synctest.Wait()
			req := ofPosts("a")
			tc.change(l, &req)
			go ask(req)
			synctest.Wait()
			if loads != tc.loads {
				t.Errorf("%s: %d loads, want %d", tc.name, loads, tc.loads)
			}
			close(go1)
			synctest.Wait()
		})
	}
}

// TestPageLoadFails: an error and a panic reach the caller and are not kept;
// after Close there are no loads.
func TestPageLoadFails(t *testing.T) {
	l := newListing()
	broken := errors.New("broken")
	_, err := l.pages.Fetch(t.Context(), ofPosts("a"), func(context.Context) (LoadedPage[string], error) { return LoadedPage[string]{}, broken })
	if !errors.Is(err, broken) {
		t.Errorf("an error: %v", err)
	}
	_, err = l.pages.Fetch(t.Context(), ofPosts("a"), func(context.Context) (LoadedPage[string], error) { panic("oh") })
	if err == nil || !strings.Contains(err.Error(), "oh") {
		t.Errorf("a panic: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	_, err = l.pages.Fetch(ctx, ofPosts("a"), func(context.Context) (LoadedPage[string], error) {
		cancel()
		<-release
		return LoadedPage[string]{Page: "a", Position: Position{100, 1}}, nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that leaves: %v", err)
	}
	close(release)
	if err := l.c.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if !l.has(ofPosts("a"), 1) {
		t.Error("the load did not go on without its caller")
	}
	_, err = l.pages.Fetch(t.Context(), ofPosts("b"), func(context.Context) (LoadedPage[string], error) { return LoadedPage[string]{}, nil })
	if !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestPagesShareTheLimit: pages and documents are held within one limit, and the
// ones make room for the others.
func TestPagesShareTheLimit(t *testing.T) {
	const limit = 64 << 10
	c := New(Options[string]{Bytes: limit, Shards: 1, Cost: cost})
	pages := NewPages(c, PageOptions[string]{Cost: cost})
	for i := range 500 {
		key := fmt.Sprint(i)
		c.PutAt(c.Begin(), "Post", key, strings.Repeat("d", 300), Position{100, 1})
		if _, err := pages.Fetch(t.Context(), ofPosts(key), func(context.Context) (LoadedPage[string], error) {
			return LoadedPage[string]{Page: strings.Repeat("p", 300), Position: Position{100, 1}}, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	docs, lists, total := c.Stats()["Post"], c.PageStats()["Post"], c.Total()
	if total.Bytes > limit || docs.Bytes+lists.Bytes != total.Bytes || docs.Entries < 20 || lists.Entries < 20 || lists.Evictions == 0 {
		t.Errorf("documents %+v\npages %+v", docs, lists)
	}
}

// TestPageBytesAreTrue compares what pages are said to hold with the heap.
func TestPageBytesAreTrue(t *testing.T) {
	c := New(Options[string]{Bytes: 1 << 30, Shards: 1, Cost: cost})
	pages := NewPages(c, PageOptions[string]{Cost: cost})
	const n = 20_000
	before := heapBytes()
	for i := range n {
		req := ofPosts(fmt.Sprintf("%090d", i))
		_, err := pages.Fetch(t.Context(), req, func(context.Context) (LoadedPage[string], error) {
			return LoadedPage[string]{Page: string(make([]byte, 512)), Position: Position{100, 1}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	held, said := heapBytes()-before, c.PageStats()["Post"].Bytes
	if ratio := float64(held) / float64(said); ratio < 0.75 || ratio > 1.25 {
		t.Errorf("%d bytes are held where %d are said to be: %.2f", held, said, ratio)
	}
	runtime.KeepAlive(c)
}

func heapBytes() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
