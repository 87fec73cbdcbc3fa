package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"

	"freshet/cache"
	"freshet/model"
)

// site is a server whose orders are being changed from note "old" to "new", and
// a projector that does so when it is told to, or when an order is wanted.
type site struct {
	*Server
	t     *testing.T
	feed  *fakeFeed
	store *memStore

	mu    sync.Mutex
	asked []string // keys that were wanted
	deaf  bool     // wants are not done
	fail  error    // wants cannot be written
}

// The watermark is at 0x1000 and orders may lack commits from 0x800 on.
var fanOut = cache.Lags{"Order": {Since: 0x800, Reason: cache.ReasonFanOut}}

func newSite(t *testing.T, m *model.Model, lags cache.Lags, change ...func(*Config)) *site {
	t.Helper()
	orders := world{}
	for typ, rows := range shop {
		orders[typ] = rows
	}
	orders["Order"] = map[string]row{}
	for key, r := range shop["Order"] {
		orders["Order"][key] = row{"note": "old"}
		for name, v := range r {
			if name != "note" {
				orders["Order"][key][name] = v
			}
		}
	}
	s := &site{t: t, feed: newFakeFeed(0x1000), store: newMemStore(t, m, orders)}
	s.store.lsn = 0x1000
	s.Server = newServer(t, m, s.store, append([]func(*Config){func(c *Config) {
		c.Feed, c.Marker, c.WaitTimeout = s.feed, s, 5*time.Second
	}}, change...)...)
	s.setLags(lags)
	return s
}

// setLags sets them for the feed and in the database.
func (s *site) setLags(lags cache.Lags) {
	s.store.mu.Lock()
	s.store.lags = lags
	s.store.mu.Unlock()
	s.feed.lag(lags)
}

// LSN is the marker's.
func (s *site) LSN(context.Context) (pglogrepl.LSN, error) { return s.feed.Watermark(), nil }

// Want asks for documents, and has them rebuilt by the time of the LSN.
func (s *site) Want(_ context.Context, keys map[string][]string) (pglogrepl.LSN, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return 0, s.fail
	}
	at := s.feed.Watermark() + 0x10
	for typ, list := range keys {
		for _, k := range list {
			s.asked = append(s.asked, typ+" "+k)
		}
	}
	slices.Sort(s.asked)
	if !s.deaf {
		go s.rebuild(slices.Clone(keys["Order"]), at)
	}
	return at, nil
}

// rebuild is a batch of the projector, and the feed's reading of it.
func (s *site) rebuild(keys []string, at pglogrepl.LSN) {
	s.store.mu.Lock()
	for _, k := range keys {
		if doc, ok := s.store.docs["Order"][k]; ok {
			s.store.docs["Order"][k] = bytes.Replace(doc, []byte(`"old"`), []byte(`"new"`), 1)
		}
	}
	s.store.lsn = max(s.store.lsn, at)
	s.store.mu.Unlock()
	if s.feed.cache != nil {
		s.feed.cache.Invalidate("Order", keys, at)
	}
	s.feed.mu.Lock()
	stale := s.feed.stale
	s.feed.mu.Unlock()
	if !stale && s.feed.Watermark() < at {
		s.feed.move(at)
	}
}

// finish ends the fan-out.
func (s *site) finish() {
	s.rebuild([]string{"o1", "o2", "o3"}, 0x1800)
	s.setLags(nil)
}

// get asks and checks the answer: its data, status 200, and its LSN.
func (s *site) get(query, lsn, want string, headers ...string) {
	s.t.Helper()
	s.check(ask(s.t, s, query, "", headers...), lsn, want)
}

func (s *site) check(w *httptest.ResponseRecorder, lsn, want string) {
	s.t.Helper()
	if got := w.Body.String(); w.Code != 200 || got != `{"data":`+want+`}` || w.Header().Get(HeaderLSN) != lsn {
		s.t.Errorf("%d at %s: %s, want %s at %s", w.Code, w.Header().Get(HeaderLSN), got, want, lsn)
	}
}

func (s *site) wanted(keys ...string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.asked, keys) {
		s.t.Errorf("%q were wanted, not %q", s.asked, keys)
	}
	s.asked = nil
}

var minLSN = []string{HeaderMinLSN, "0/F00"}

func TestWantedDocuments(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	id := appendNodeID(nil, "Order", "o2")
	for _, c := range []struct {
		name, query, want string
		keys              []string
	}{
		{"key", `{ order(id: "o1") { note } }`, `{"order":{"note":"new"}}`, []string{"Order o1"}},
		{"keys", `{ ordersById(ids: ["o1", "x", "o1"]) { note } order(id: "o3") { note } }`,
			`{"ordersById":[{"note":"new"},null,{"note":"new"}],"order":{"note":"new"}}`, []string{"Order o1", "Order o1", "Order o3", "Order x"}},
		{"node", `{ node(id: "` + string(id) + `") { ... on Order { note } } }`, `{"node":{"note":"new"}}`, []string{"Order o2"}},
		{"stitched", `{ customer(id: "c1") { orders { note } } }`, `{"customer":{"orders":[{"note":"new"},{"note":"new"}]}}`, []string{"Order o1", "Order o2"}},
		{"stitched below a list", `{ customers(first: 2) { nodes { orders { note } } } }`,
			`{"customers":{"nodes":[{"orders":[{"note":"new"},{"note":"new"}]},{"orders":[{"note":"new"}]}]}}`, []string{"Order o1", "Order o2", "Order o3"}},
		{"embedded", `{ customer(id: "c1") { orders { total } } }`, `{"customer":{"orders":[{"total":"7.25"},{"total":"10.50"}]}}`, nil},
		{"another model", `{ customers { totalCount } product(id: "p1") { title } }`, `{"customers":{"totalCount":3},"product":{"title":"Pen"}}`, nil},
	} {
		for _, mode := range []string{"cached", "cold", "feed down", "no feed"} {
			t.Run(c.name+", "+mode, func(t *testing.T) {
				s := newSite(t, m, fanOut, func(cfg *Config) {
					cfg.GlobalIDs = true
					if mode == "no feed" {
						cfg.Feed, cfg.CacheBytes = nil, 0
					}
				})
				if mode == "cached" { // the old ones
					ask(t, s, c.query, "")
				}
				s.feed.stale = mode == "feed down"
				lsn := "0/F00"
				if len(c.keys) == 0 {
					lsn = "0/1000"
				}
				s.get(c.query, lsn, c.want, minLSN...)
				s.wanted(c.keys...)
			})
		}
	}
}

// What is not asked for is told, but not waited for.
func TestEventualReadsOfAFanOut(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	for _, mode := range []string{"feed", "feed down", "no feed"} {
		t.Run(mode, func(t *testing.T) {
			s := newSite(t, m, fanOut, func(cfg *Config) {
				if mode == "no feed" {
					cfg.Feed, cfg.CacheBytes = nil, 0
				}
			})
			s.feed.stale = mode == "feed down"
			for range 2 { // from the database, and from the cache
				s.get(`{ order(id: "o1") { note } }`, "0/7FF", `{"order":{"note":"old"}}`)
				s.get(`{ orders { totalCount } }`, "0/7FF", `{"orders":{"totalCount":3}}`)
				s.get(`{ customer(id: "c2") { orders { note } } }`, "0/7FF", `{"customer":{"orders":[{"note":"old"}]}}`)
				s.get(`{ customer(id: "c2") { name } }`, "0/1000", `{"customer":{"name":null}}`)
				s.get(`{ order(id: "o1") { note } }`, "0/7FF", `{"order":{"note":"old"}}`, HeaderMinLSN, "0/7FF")
				s.get(`{ order(id: "none") { note } }`, "0/7FF", `{"order":null}`)
			}
			s.wanted()
		})
	}
	s := newSite(t, m, cache.Lags{"Order": {Since: 0, Reason: "other"}})
	s.get(`{ order(id: "o1") { note } }`, "0/0", `{"order":{"note":"old"}}`)
}

// A look-up by another column wants the document that it finds; which it is
// only then is sure.
func TestWantedByUniqueField(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	lags := cache.Lags{"Customer": {Since: 0x800, Reason: cache.ReasonFanOut}}
	s := newSite(t, m, lags)
	q := `{ customerByEmail(email: "bob@example.org") { id } }`
	s.get(q, "0/F00", `{"customerByEmail":{"id":"c2"}}`, minLSN...)
	s.wanted("Customer c2")
	s.get(q, "0/7FF", `{"customerByEmail":{"id":"c2"}}`)
	for name, query := range map[string]string{
		"none":                     `{ customerByEmail(email: "new@example.org") { id } }`,
		"another than what is now": `{ customerByEmail(email: "eve@example.org") { id } }`,
	} {
		done := make(chan *httptest.ResponseRecorder, 1)
		s.deaf = true
		s.setLags(lags)
		go func() { done <- ask(t, s, query, "", minLSN...) }()
		waitFor(t, func() bool { return s.waits() })
		s.store.mu.Lock()
		s.store.docs["Customer"]["c3"] = []byte(`{"id": "c3", "email": "new@example.org"}`)
		s.store.mu.Unlock()
		s.rebuild(nil, s.feed.Watermark()+0x100) // for which the wanted one waits
		s.setLags(nil)
		want := map[string]string{"none": `{"customerByEmail":{"id":"c3"}}`}[name]
		if want == "" {
			want = `{"customerByEmail":null}`
		}
		w := <-done
		if w.Code != 200 || w.Body.String() != `{"data":`+want+`}` {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		s.store.mu.Lock()
		s.store.docs["Customer"]["c3"] = []byte(`{"id": "c3", "email": "eve@example.org"}`)
		s.store.mu.Unlock()
	}
}

// waits says whether somebody waits for the feed.
func (s *site) waits() bool {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	return s.feed.waiting > 0
}

func waitFor(t *testing.T, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not come in 10 s")
		}
	}
}

// Lists wait until the model has caught up.
func TestListsWaitForAFanOut(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	for _, query := range []string{`{ orders(first: 1) { nodes { note } } }`, `{ orders: orderList(limit: 1) { note } }`} {
		for _, down := range []bool{false, true} {
			s := newSite(t, m, fanOut)
			s.feed.stale = down
			done := make(chan *httptest.ResponseRecorder, 1)
			go func() { done <- ask(t, s, query, "", minLSN...) }()
			if !down {
				waitFor(t, s.waits)
			}
			select {
			case w := <-done:
				t.Fatalf("it did not wait: %s", w.Body)
			default:
			}
			s.finish()
			w := <-done
			if !strings.Contains(w.Body.String(), `{"note":"new"}`) || w.Code != 200 {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			lsn, err := parseLSN(w.Header().Get(HeaderLSN))
			if err != nil || lsn < 0xF00 {
				t.Errorf("at %s, %v", lsn, err)
			}
			s.wanted()
		}
	}
}

func TestLagOutOfTime(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	const list, key, below = `{ orders { totalCount } }`, `{ order(id: "o1") { note } }`, `{ customer(id: "c2") { orders { note } } }`
	paused := cache.Lags{"Order": {Since: 0x800, Reason: cache.ReasonPaused}}
	large := "The answer would be older than asked for: a large change to Order is being applied. It would be of 0/7FF, and 0/F00 is wanted (1793 bytes of WAL)."
	ill := "The answer would be older than asked for: Order is paused; its operator's log says why. It would be of 0/7FF, and 0/F00 is wanted (1793 bytes of WAL)."
	filled := strings.Replace(large, "a large change to Order is being applied", "Order is being filled", 1)
	for _, c := range []struct {
		name   string
		query  string
		lags   cache.Lags
		want   string
		change func(s *site)
	}{
		{"list", list, fanOut, large, nil},
		{"key", key, fanOut, large, func(s *site) { s.deaf = true }},
		{"stitched", below, fanOut, large, func(s *site) { s.deaf = true }},
		{"no message can be written", key, fanOut, large, func(s *site) { s.fail = errors.New("boom") }},
		{"key of a model that is being filled", key, cache.Lags{"Order": {Since: 0x800, Reason: cache.ReasonRefill}}, filled, nil},
		{"list of a paused model", list, paused, ill, nil},
		{"key of a paused model", key, paused, ill, nil},
		{"stitched, of a paused model", below, paused, ill, nil},
	} {
		for _, down := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, feed down %v", c.name, down), func(t *testing.T) {
				s := newSite(t, m, c.lags, func(cfg *Config) {
					cfg.WaitTimeout = 30 * time.Millisecond
					if c.lags["Order"].Paused() {
						cfg.WaitTimeout = time.Hour // nobody waits
					}
				})
				if c.change != nil {
					c.change(s)
				}
				s.feed.stale = down
				w := ask(t, s, c.query, "", minLSN...)
				var answer struct {
					Errors []struct {
						Message    string
						Extensions struct{ Code, Watermark, Wanted string }
					}
				}
				if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || len(answer.Errors) != 1 {
					t.Fatalf("%v: %s", err, w.Body)
				}
				e := answer.Errors[0]
				if w.Code != 503 || e.Message != c.want || e.Extensions.Code != codeStale || e.Extensions.Watermark != "0/7FF" || w.Header().Get("Retry-After") == "" {
					t.Errorf("%d %s", w.Code, w.Body)
				}
				w = ask(t, s, c.query, "", append([]string{HeaderOnTimeout, "stale"}, minLSN...)...)
				if w.Code != 200 || w.Header().Get(HeaderStale) != "true" || w.Header().Get(HeaderLSN) != "0/7FF" || strings.Contains(w.Body.String(), "errors") {
					t.Errorf("stale: %d at %s: %s", w.Code, w.Header().Get(HeaderLSN), w.Body)
				}
			})
		}
	}
}

// Where no message can be written documents by key wait as lists do; so do very
// many of them.
func TestLagWithoutMarker(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	s := newSite(t, m, fanOut, func(c *Config) { c.Marker = nil })
	done := make(chan *httptest.ResponseRecorder, 1)
	go func() { done <- ask(t, s, `{ order(id: "o1") { note } }`, "", minLSN...) }()
	waitFor(t, s.waits)
	s.finish()
	s.check(<-done, "0/1000", `{"order":{"note":"new"}}`)

	s = newSite(t, m, fanOut, func(c *Config) { c.MaxPage = 2 * maxWanted })
	ids := make([]string, maxWanted+1)
	for i := range ids {
		ids[i] = fmt.Sprint(i)
	}
	text, err := json.Marshal(map[string]any{"ids": ids})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		done <- ask(t, s, `query($ids: [ID!]!) { ordersById(ids: $ids) { note } }`, string(text), minLSN...)
	}()
	waitFor(t, s.waits)
	s.finish()
	if w := <-done; w.Code != 200 {
		t.Errorf("%d %.300s", w.Code, w.Body)
	}
	s.wanted()
}

// A request that waits leaves its place to others.
func TestWantsLeaveTheGate(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	var mu sync.Mutex
	var waited time.Duration
	s := newSite(t, m, fanOut, func(c *Config) {
		c.MaxConcurrent = 1
		c.Observe = func(i RequestInfo) {
			mu.Lock()
			defer mu.Unlock()
			waited = max(waited, i.Waited)
		}
	})
	s.deaf = true
	done := make(chan *httptest.ResponseRecorder, 1)
	go func() { done <- ask(t, s, `{ order(id: "o1") { note } }`, "", minLSN...) }()
	waitFor(t, s.waits)
	s.get(`{ customer(id: "c2") { name } }`, "0/1000", `{"customer":{"name":null}}`)
	s.rebuild([]string{"o1"}, 0x1800)
	s.check(<-done, "0/F00", `{"order":{"note":"new"}}`)
	mu.Lock()
	defer mu.Unlock()
	if waited <= 0 {
		t.Error("the wait was not told")
	}
}

// ahead is a feed that reads a batch with a fan-out right after it was asked
// what lags.
type ahead struct {
	*fakeFeed
	once sync.Once
}

func (f *ahead) Lags() cache.Lags {
	lags := f.fakeFeed.Lags()
	f.once.Do(func() {
		f.lag(cache.Lags{"Order": {Since: 0x1800, Reason: cache.ReasonFanOut}})
		f.move(0x2000)
	})
	return lags
}

// The watermark is asked for before the lags: the other way around a batch in
// between would be told of, and what it has put off would not.
func TestWatermarkBeforeLags(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	s := newSite(t, m, nil, func(c *Config) { c.Feed = &ahead{fakeFeed: c.Feed.(*fakeFeed)} })
	s.store.lsn = 0x2000
	s.get(`{ order(id: "o1") { note } }`, "0/1000", `{"order":{"note":"old"}}`)
	s.get(`{ order(id: "o1") { note } }`, "0/17FF", `{"order":{"note":"old"}}`)
}
