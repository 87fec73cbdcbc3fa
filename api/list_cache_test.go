package api

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"

	"freshet/api/page"
	"freshet/cache"
)

// listShop is a server whose statements are counted, over a store and a feed
// that are at one batch.
type listShop struct {
	*Server
	t     *testing.T
	store *memStore
	feed  *fakeFeed
}

func newListShop(t *testing.T) *listShop {
	m := parseModel(t, "testdata/shop.graphql")
	l := &listShop{t: t, store: newMemStore(t, m, manyOrders())}
	l.store.batch = 1
	l.feed = newFakeFeed(l.store.lsn)
	l.Server = newServer(t, m, l.store, func(c *Config) { c.Feed = l.feed })
	l.feed.cache.Advance(1)
	return l
}

// change is a batch that changes some orders, and the feed's reading of it.
func (l *listShop) change(keys []string, moved ...string) {
	l.store.mu.Lock()
	l.store.batch++
	at := l.store.lsn
	l.store.mu.Unlock()
	l.feed.cache.Invalidate("Order", keys, at)
	if len(moved) > 0 {
		l.feed.cache.InvalidatePages("Order", moved, at)
	}
	l.feed.cache.Advance(l.store.batch)
}

// reads asks, and compares the statements that were needed.
func (l *listShop) reads(what, query string, want ...string) string {
	l.t.Helper()
	l.store.calls = nil
	body := ask(l.t, l.Server, query, "").Body.String()
	if strings.Contains(body, `"errors"`) {
		l.t.Errorf("%s: %s", what, body)
	}
	if !slices.Equal(l.store.calls, want) {
		l.t.Errorf("%s took the statements %q, want %q", what, l.store.calls, want)
	}
	return body
}

// TestStatementsOfLists: a page is read again only when something moved that it
// depends on, and of its documents only those that have changed.
func TestStatementsOfLists(t *testing.T) {
	l := newListShop(t)
	list := `{ orders(first: 4, where: {rank: {gte: 1}}, orderBy: [{placedAt: DESC}]) { totalCount nodes { id note } pageInfo { hasNextPage endCursor } } }`
	var keys []string
	for _, n := range decode(t, l.reads("the first time", list, "page of Order 4")).Data.Orders.Nodes {
		keys = append(keys, n.ID)
	}
	l.reads("the second time", list)
	l.reads("fewer fields", `{ orders(first: 4, where: {rank: {gte: 1}}, orderBy: [{placedAt: DESC}]) { totalCount pageInfo { hasNextPage } edges { cursor } } }`)
	l.reads("less", strings.Replace(list, "4", "3", 1), "page of Order 3")
	l.reads("less", strings.Replace(list, "4", "3", 1))
	for _, c := range []struct {
		what  string
		keys  []string
		moved []string
		want  []string
	}{
		{"the content of one", keys[:1], nil, []string{"Order 1"}},
		{"another column of two", keys[1:3], []string{"note", "total"}, []string{"Order 2"}},
		{"a document that is not there", []string{"o99"}, nil, nil},
		{"most documents", keys[:3], nil, []string{"page of Order 4"}},
		{"a column of the filter", []string{"o99"}, []string{"rank"}, []string{"page of Order 4"}},
		{"a column of the order", []string{"o99"}, []string{"note", "placed_at"}, []string{"page of Order 4"}},
		{"one that came", []string{"o99"}, []string{cache.AnyColumn}, []string{"page of Order 4"}},
	} {
		l.change(c.keys, c.moved...)
		l.reads(c.what, list, c.want...)
		l.reads(c.what+", again", list)
	}
}

// TestStatementsWithoutTrust: no page is taken from the cache while the feed is
// down, while the model is filled again, or where the question is one of today.
func TestStatementsWithoutTrust(t *testing.T) {
	l := newListShop(t)
	list := `{ orders(first: 4) { nodes { id } } }`
	l.reads("the first time", list, "page of Order 4")
	l.feed.lag(cache.Lags{"Order": {Since: 1, Reason: cache.ReasonRefill}})
	l.reads("while it is filled", list, "page of Order 4")
	l.feed.lag(cache.Lags{"Order": {Since: 1, Reason: cache.ReasonFanOut}})
	l.reads("in a fan-out", list)
	l.feed.lag(nil)
	l.feed.mu.Lock()
	l.feed.stale = true
	l.feed.mu.Unlock()
	l.reads("without a feed", list, "page of Order 4")
	l.feed.mu.Lock()
	l.feed.stale = false
	l.feed.mu.Unlock()
	l.reads("with it again", list)
	today := `{ orders(first: 4, where: {placedAt: {lt: "today"}}) { nodes { id } } }`
	for range 2 {
		l.reads("until today", today, "page of Order 4")
	}
	l.reads("the pages of before", list)
}

// TestListsAheadOfTheFeed: a page or a document that the feed has not come to
// is not mixed with others.
func TestListsAheadOfTheFeed(t *testing.T) {
	l := newListShop(t)
	list := `{ orders(first: 4) { nodes { id note } } }`
	key := decode(t, l.reads("the first time", list, "page of Order 4")).Data.Orders.Nodes[0].ID
	l.store.batch = 2
	l.feed.cache.Invalidate("Order", []string{key}, l.store.lsn)
	l.reads("a document ahead", list, "Order 1", "page of Order 4")
	l.reads("a page ahead", list, "page of Order 4")
	l.feed.cache.Advance(2)
	l.reads("the feed has come", list)
}

// TestETagOfLists: a list that the client has is not sent again, also from the
// cache, and is once something in it has changed.
func TestETagOfLists(t *testing.T) {
	l := newListShop(t)
	query := `{ orders(first: 3, orderBy: [{rank: ASC}]) { totalCount nodes { id old } pageInfo { endCursor } } }`
	path := "/graphql?query=" + url.QueryEscape(query)
	get := func(tag string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("GraphQL-Require-Preflight", "1")
		r.Header.Set("If-None-Match", tag)
		w := httptest.NewRecorder()
		l.ServeHTTP(w, r)
		return w
	}
	tag := ""
	for i := range 3 {
		l.store.calls = nil
		w := get(tag)
		if i == 0 {
			tag = w.Header().Get("ETag")
		} else if w.Code != 304 || w.Body.Len() != 0 || w.Header().Get("ETag") != tag || len(l.store.calls) != 0 {
			t.Errorf("%d: %d %s, statements %q", i, w.Code, w.Body, l.store.calls)
		}
	}
	key := decode(t, l.reads("it", query)).Data.Orders.Nodes[0].ID
	l.store.docs["Order"][key] = []byte(strings.Replace(string(l.store.docs["Order"][key]), `"old": null`, `"old": "new"`, 1))
	l.change([]string{key})
	w := get(tag)
	if w.Code != 200 || w.Header().Get("ETag") == tag || !strings.Contains(w.Body.String(), fmt.Sprintf(`{"id":%q,"old":"new"}`, key)) {
		t.Errorf("after a change: %d %s", w.Code, w.Body)
	}
}

// TestPageSizeIsTrue compares what pages are said to take with the heap.
func TestPageSizeIsTrue(t *testing.T) {
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before, said := heap(), 0
	pages := make([]*listPage, 2000)
	said -= 8 * len(pages)
	for i := range pages {
		lp := &listPage{sum: PageSummary{Aggregates: [][]byte{[]byte(strings.Repeat("9", 12)), nil}}}
		for j := range 20 {
			row := PageRow{Key: fmt.Sprintf("%036d", j), Order: texts([][]byte{[]byte("2024-02-02 00:00:00+00"), nil, fmt.Appendf(nil, "%036d", j)})}
			if err := lp.add(nil, &page.Query{Limit: 20}, row); err != nil {
				t.Fatal(err)
			}
		}
		pages[i] = lp.keys()
		said += pages[i].size()
	}
	held := heap() - before - 8*len(pages)
	if ratio := float64(held) / float64(said); ratio < 0.85 || ratio > 1.15 {
		t.Errorf("%d bytes are held where %d are said to be: %.2f", held, said, ratio)
	}
	runtime.KeepAlive(pages)
}
