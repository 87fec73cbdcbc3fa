package cache

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/jackc/pglogrepl"
)

type lsn = pglogrepl.LSN

func cost(s string) int { return len(s) }

// newCache returns a cache of strings whose watermark is *w.
func newCache(tb testing.TB, bytes int64, w *lsn) *Cache[string] {
	tb.Helper()
	if w == nil {
		w = new(lsn)
	}
	c := New(Options[string]{Bytes: bytes, Cost: cost, Watermark: func() lsn { return *w }})
	tb.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return c
}

// from loads from a map at a watermark.
func from(w lsn, docs map[string]string) Load[string] {
	return func(context.Context, []string) (Loaded[string], error) {
		return Loaded[string]{Values: docs, Watermark: w}, nil
	}
}

func mustFetch(tb testing.TB, c *Cache[string], req Request, load Load[string]) Result[string] {
	tb.Helper()
	res, err := c.Fetch(context.Background(), req, load)
	if err != nil {
		tb.Fatal(err)
	}
	return res
}

func expect(tb testing.TB, c *Cache[string], model, key, want string, state State) {
	tb.Helper()
	if v, s := c.Get(model, key); v != want || s != state {
		tb.Errorf("Get(%s, %s) = %q, %d; want %q, %d", model, key, v, s, want, state)
	}
}

func TestGetKnowsPresentAndAbsent(t *testing.T) {
	c := newCache(t, 1<<20, nil)
	expect(t, c, "Post", "1", "", Miss)
	res := mustFetch(t, c, Request{Model: "Post", Keys: []string{"1", "2", "1"}}, from(10, map[string]string{"1": "one"}))
	want := []Doc[string]{{"one", true}, {"", false}, {"one", true}}
	if fmt.Sprint(res.Docs) != fmt.Sprint(want) || res.Watermark != 10 {
		t.Errorf("Fetch = %+v, want %v at 10", res, want)
	}
	expect(t, c, "Post", "1", "one", Present)
	expect(t, c, "Post", "2", "", Absent)
	expect(t, c, "User", "1", "", Miss)
	st := c.Stats()["Post"]
	if st.Hits != 1 || st.AbsentHits != 1 || st.Misses != 4 || st.Fills != 2 || st.Entries != 2 {
		t.Errorf("stats = %+v", st)
	}
}

func TestInvalidateForgets(t *testing.T) {
	c := newCache(t, 1<<20, nil)
	for _, model := range []string{"Post", "User"} {
		for _, key := range []string{"1", "2"} {
			c.Put(c.Begin(), model, key, key, 10)
		}
	}
	c.Invalidate("Post", []string{"1", "9"}, 20)
	expect(t, c, "Post", "1", "", Miss)
	expect(t, c, "Post", "2", "2", Present)
	c.InvalidateModel("Post", 30)
	expect(t, c, "Post", "2", "", Miss)
	expect(t, c, "User", "2", "2", Present)
	c.Purge()
	expect(t, c, "User", "2", "", Miss)
	if st := c.Total(); st.Entries != 0 || st.Bytes != 0 || st.Invalidations != 3 {
		t.Errorf("stats = %+v", st)
	}
}

// A fill is stored only if it has seen the last invalidation of its key.
func TestAdmission(t *testing.T) {
	invalidations := map[string]func(c *Cache[string]){
		"key":   func(c *Cache[string]) { c.Invalidate("Post", []string{"1"}, 20) },
		"model": func(c *Cache[string]) { c.InvalidateModel("Post", 20) },
	}
	cases := []struct {
		name   string
		before bool // the fill began before the invalidation
		at     lsn
		stored bool
	}{
		{"older, begun before", true, 19, false},
		{"same LSN, begun before: it may have read either side", true, 20, false},
		{"newer, begun before", true, 21, true},
		{"older, begun after: a lagging server", false, 19, false},
		{"same LSN, begun after", false, 20, true},
	}
	for kind, invalidate := range invalidations {
		for _, tc := range cases {
			t.Run(kind+"/"+tc.name, func(t *testing.T) {
				c := newCache(t, 1<<20, nil)
				before := c.Begin()
				invalidate(c)
				token := before
				if !tc.before {
					token = c.Begin()
				}
				if got := c.Put(token, "Post", "1", "v", tc.at); got != tc.stored {
					t.Errorf("Put = %v, want %v", got, tc.stored)
				}
			})
		}
	}
}

func TestPurgeRejectsWhatBeganBefore(t *testing.T) {
	c := newCache(t, 1<<20, nil)
	c.Invalidate("Post", []string{"1"}, 1000)
	token := c.Begin()
	c.Purge()
	if c.Put(token, "Post", "1", "old", 2000) {
		t.Error("a fill begun before a purge was stored")
	}
	// LSNs may have gone back: the old stamps count no more.
	if !c.Put(c.Begin(), "Post", "1", "new", 5) {
		t.Error("a fill begun after a purge was not stored")
	}
}

func TestOlderFillDoesNotReplaceNewer(t *testing.T) {
	c := newCache(t, 1<<20, nil)
	token := c.Begin()
	c.Put(token, "Post", "1", "new", 20)
	if c.Put(token, "Post", "1", "old", 10) {
		t.Error("an older fill was stored over a newer one")
	}
	expect(t, c, "Post", "1", "new", Present)
}

func TestBytesAreBounded(t *testing.T) {
	const limit = 1 << 20
	c := New(Options[string]{Bytes: limit, Shards: 4, Cost: cost})
	for i := range 20_000 {
		c.Put(c.Begin(), "Post", fmt.Sprint(i), strings.Repeat("x", i%2000), 1)
		if st := c.Total(); i%1000 == 0 && st.Bytes > limit {
			t.Fatalf("%d bytes held after %d puts, limit %d", st.Bytes, i, limit)
		}
	}
	st := c.Total()
	if st.Bytes > limit || st.Bytes < limit*9/10 || st.Evictions == 0 {
		t.Errorf("stats = %+v, limit %d", st, limit)
	}
	if c.Put(c.Begin(), "Post", "huge", strings.Repeat("x", limit/4), 1) {
		t.Error("a value larger than its shard's share was stored")
	}
}

func TestOldestIsEvicted(t *testing.T) {
	c := New(Options[string]{Bytes: 3 * footprint(entryOverhead+1), Shards: 1, Cost: cost})
	for _, key := range []string{"a", "b", "c"} {
		c.Put(c.Begin(), "Post", key, "", 1)
	}
	c.Get("Post", "a")
	c.Put(c.Begin(), "Post", "d", "", 1)
	expect(t, c, "Post", "b", "", Miss)
	for _, key := range []string{"a", "c", "d"} {
		expect(t, c, "Post", key, "", Present)
	}
}

// What the account says is what the heap holds.
func TestBytesAreTrue(t *testing.T) {
	if testing.Short() {
		t.Skip("fills 64 MiB")
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	c := New(Options[[]byte]{Bytes: 64 << 20, Cost: func(b []byte) int { return cap(b) }})
	for i := range 60_000 {
		c.Put(c.Begin(), "Post", fmt.Sprintf("%036d", i), make([]byte, 512), 1)
	}
	held, said := heap()-before, c.Total().Bytes
	ratio := float64(held) / float64(said)
	t.Logf("heap %d, account %d, ratio %.2f", held, said, ratio)
	if ratio < 0.75 || ratio > 1.15 {
		t.Errorf("the heap holds %d bytes, the account says %d", held, said)
	}
	runtime.KeepAlive(c)
}

func TestOffPassesThrough(t *testing.T) {
	c := newCache(t, 0, nil)
	loads := 0
	load := func(_ context.Context, keys []string) (Loaded[string], error) {
		loads++
		return Loaded[string]{Values: map[string]string{"1": "one"}, Watermark: 7}, nil
	}
	for range 2 {
		res := mustFetch(t, c, Request{Model: "Post", Keys: []string{"1", "2"}}, load)
		if !res.Docs[0].Present || res.Docs[1].Present || res.Watermark != 7 {
			t.Errorf("Fetch = %+v", res)
		}
	}
	c.Invalidate("Post", []string{"1"}, 1)
	c.InvalidateModel("Post", 1)
	c.Purge()
	if c.Put(c.Begin(), "Post", "1", "one", 9) || loads != 2 {
		t.Errorf("%d loads, want 2 and nothing stored", loads)
	}
	expect(t, c, "Post", "1", "", Miss)
}

func TestGetDoesNotAllocate(t *testing.T) {
	c := newCache(t, 1<<20, nil)
	c.Put(c.Begin(), "Post", "1", "one", 1)
	if n := testing.AllocsPerRun(1000, func() { c.Get("Post", "1"); c.Get("Post", "2") }); n != 0 {
		t.Errorf("Get allocates %v times", n)
	}
}

func TestShardsFitTheBytes(t *testing.T) {
	for _, tc := range []struct {
		asked int
		bytes int64
		want  int
	}{{0, 1 << 20, 1}, {0, 2 << 20, 2}, {3, 1 << 20, 4}, {100_000, 1 << 30, maxShards}} {
		if got := shardCount(tc.asked, tc.bytes); got != tc.want {
			t.Errorf("shardCount(%d, %d) = %d, want %d", tc.asked, tc.bytes, got, tc.want)
		}
	}
}

// Keys that share a hash take turns, and are never taken for each other.
func TestKeysOfOneHash(t *testing.T) {
	sh := newShard[string](1<<20, 1)
	var models registry
	a := ident{models.get("Post"), "a", 7}
	others := []ident{{a.model, "b", 7}, {models.get("User"), "a", 7}}
	for _, b := range others {
		sh.put(a, entry[string]{value: "of a", whole: a.model.whole.Load()}, 4)
		if e, ok := sh.lookup(b); ok {
			t.Errorf("%q was found for another key", e.value)
		}
		sh.put(b, entry[string]{value: "of b", whole: b.model.whole.Load()}, 4)
		_, found := sh.lookup(a)
		e, ok := sh.lookup(b)
		if found || !ok || e.value != "of b" || sh.lru.Len() != 1 || sh.bytes != footprint(4+1+entryOverhead) {
			t.Errorf("found %v, %+v, %v; %d bytes", found, e, ok, sh.bytes)
		}
	}
}

// bubble runs a test with a clock of its own, where synctest.Wait tells when
// everybody waits.
func bubble(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }
