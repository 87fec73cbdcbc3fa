package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"

	"freshet/cache"
)

const jsonType = "application/json"

// TestProtocol: GraphQL over HTTP.
func TestProtocol(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	s := newServer(t, m, newMemStore(t, m, shop), func(c *Config) { c.MaxBody = 2000 })
	get := func(q string) string { return "/graphql?query=" + url.QueryEscape(q) }
	good := `{"query":"{ order(id: \"o2\") { id } }"}`
	answer := `{"data":{"order":{"id":"o2"}}}`
	const newer = "application/graphql-response+json"
	for _, c := range []struct {
		name, method, path, contentType, accept, body string
		status                                        int
		want                                          string
	}{
		{"POST", "POST", "/graphql", jsonType, "", good, 200, answer},
		{"charset", "POST", "/graphql", "application/json; charset=UTF-8", "*/*", good, 200, answer},
		{"newer media type", "POST", "/graphql", jsonType, "application/graphql-response+json, application/json;q=0.9", good, 200, answer},
		{"unacceptable", "POST", "/graphql", jsonType, "text/html", good, 406, "application/graphql-response+json"},
		{"no content type", "POST", "/graphql", "", "", good, 415, "application/json"},
		{"form", "POST", "/graphql", "application/x-www-form-urlencoded", "", "query={a}", 415, "application/json"},
		{"text", "POST", "/graphql", "text/plain; application/json", "", good, 415, "application/json"},
		{"charset of another kind", "POST", "/graphql", "application/json; charset=latin1", "", good, 415, "application/json"},
		{"PUT", "PUT", "/graphql", jsonType, "", good, 405, "GET and POST"},
		{"not JSON", "POST", "/graphql", jsonType, "", `{"query":`, 400, "not well-formed JSON"},
		{"no body", "POST", "/graphql", jsonType, newer, ``, 400, "not well-formed JSON"},
		{"batch", "POST", "/graphql", jsonType, "", " [" + good + "]", 422, "Batches"},
		{"string", "POST", "/graphql", jsonType, newer, `"x"`, 422, "not a JSON object"},
		{"no query", "POST", "/graphql", jsonType, "", `{"variables":{}}`, 422, "no query"},
		{"query misspelt", "POST", "/graphql", jsonType, newer, `{"qeury":"{__typename}"}`, 422, "no query"},
		{"query is null", "POST", "/graphql", jsonType, newer, `{"query":null}`, 422, "no query"},
		{"query is a number", "POST", "/graphql", jsonType, "", `{"query":1}`, 422, "query must be a string"},
		{"operation name is a number", "POST", "/graphql", jsonType, newer, `{"query":"{__typename}","operationName":1}`, 422, "operationName must be a string"},
		{"variables are a list", "POST", "/graphql", jsonType, "", `{"query":"query($a:ID!){ order(id:$a) {id} }","variables":[7]}`, 422, "variables must be a JSON object"},
		{"variables are text", "POST", "/graphql", jsonType, newer, `{"query":"{__typename}","variables":"x"}`, 422, "variables must be a JSON object"},
		{"extensions are a list", "POST", "/graphql", jsonType, newer, `{"query":"{__typename}","extensions":[]}`, 422, "extensions must be a JSON object"},
		{"nulls, and what is not known", "POST", "/graphql", jsonType, newer, `{"query":"{__typename}","operationName":null,"variables":null,"extensions":null,"other":1}`, 200, `{"data":{"__typename":"Query"}}`},
		{"too large", "POST", "/graphql", jsonType, "", `{"query":"` + strings.Repeat(" ", 3000) + `"}`, 413, "larger than"},
		{"syntax, older media type", "POST", "/graphql", jsonType, jsonType, `{"query":"{"}`, 400, "Syntax Error"},
		{"syntax, newer media type", "POST", "/graphql", jsonType, newer, `{"query":"{"}`, 400, "Syntax Error"},
		{"invalid, older media type", "POST", "/graphql", jsonType, jsonType, `{"query":"{ nope }"}`, 422, "Cannot query field"},
		{"invalid, newer media type", "POST", "/graphql", jsonType, newer, `{"query":"{ nope }"}`, 422, "Cannot query field"},
		{"variable of a wrong type", "POST", "/graphql", jsonType, newer, `{"query":"query($a:ID!){ order(id:$a) {id} }","variables":{"a":{}}}`, 422, "got invalid value"},
		{"variable missing", "POST", "/graphql", jsonType, "", `{"query":"query($a:ID!){ order(id:$a) {id} }"}`, 422, "was not provided"},
		{"unknown operation", "POST", "/graphql", jsonType, "", `{"query":"query A { __typename } query B { __typename }","operationName":"C"}`, 422, "Unknown operation named"},
		{"which operation", "POST", "/graphql", jsonType, newer, `{"query":"query A { __typename } query B { __typename }"}`, 422, "Must provide operation name"},
		{"operation by name", "POST", "/graphql", jsonType, "", `{"query":"query A { a: __typename } query B { b: __typename }","operationName":"B"}`, 200, `{"data":{"b":"Query"}}`},
		{"field error, newer media type", "POST", "/graphql", jsonType, newer, `{"query":"{ orders(first: -1) { totalCount } }"}`, 294, `"data":null`},
		{"field error, older media type", "POST", "/graphql", jsonType, "", `{"query":"{ orders(first: -1) { totalCount } }"}`, 200, `"data":null`},
		{"escapes", "POST", "/graphql", jsonType, "", `{"query":"query(\n$id: ID!) {\torder(id: \u0024id) { id } }","variables":{"\u0069d":"\u006f2"},"operationName":null,"extensions":{"a":[{}]}}`, 200, answer},
		{"GET", "GET", get(`{ order(id: "o2") { id } }`), "", "", "", 200, answer},
		{"GET with variables", "GET", get(`query($a: ID!) { order(id: $a) { id } }`) + "&variables=" + url.QueryEscape(`{"a":"o2"}`), "", newer, "", 200, answer},
		{"GET with empty parameters", "GET", get(`{ order(id: "o2") { id } }`) + "&variables=&operationName=&extensions=", "", "", "", 200, answer},
		{"GET without a query", "GET", "/graphql", "", "", "", 422, "no query"},
		{"GET, variables are no JSON", "GET", get("{ __typename }") + "&variables=" + url.QueryEscape(`{`), "", "", "", 400, "variables is not well-formed"},
		{"GET, variables are a list", "GET", get("{ __typename }") + "&variables=" + url.QueryEscape(`[7]`), "", newer, "", 422, "variables must be"},
		{"GET, too long", "GET", get(strings.Repeat(" ", 3000)), "", "", "", 414, "use POST"},
		{"mutation by GET", "GET", get(`mutation { x }`), "", "", "", 405, "cannot be sent with GET"},
		{"mutation by POST", "POST", "/graphql", jsonType, "", `{"query":"mutation { x }"}`, 422, "Schema is not configured to execute mutation operation."},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
			for name, v := range map[string]string{"Content-Type": c.contentType, "Accept": c.accept} {
				if v != "" {
					r.Header.Set(name, v)
				}
			}
			if c.method == "GET" {
				r.Header.Set("GraphQL-Require-Preflight", "true")
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
				t.Errorf("%d %s, want %d with %q", w.Code, w.Body, c.status, c.want)
			}
			if strings.HasPrefix(c.accept, "application/graphql") && !strings.HasPrefix(w.Header().Get("Content-Type"), "application/graphql-response+json") {
				t.Errorf("Content-Type is %q", w.Header().Get("Content-Type"))
			}
			if c.status >= 300 && strings.Contains(w.Body.String(), `"data"`) {
				t.Error("an error of the request has data")
			}
			if newerType := strings.HasPrefix(w.Header().Get("Content-Type"), newer); c.status >= 300 && c.status != 406 && !newerType {
				t.Errorf("the Content-Type of an error is %q", w.Header().Get("Content-Type"))
			}
			if c.status == 405 && w.Header().Get("Allow") == "" {
				t.Error("no Allow")
			}
		})
	}
}

// TestLimits: what is too much is refused before it costs anything.
func TestLimits(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	s := newServer(t, m, newMemStore(t, m, shop), func(c *Config) { c.MaxTokens = 2000 })
	deep := "{ category(id: \"k1\") { " + strings.Repeat("parent { ", 15) + "id" + strings.Repeat(" }", 17)
	aliases := "{ " + strings.Repeat("a: __typename ", 101) + "}"
	tokens := "{ " + strings.Repeat("__typename ", 2001) + "}"
	bomb := "{ category(id: \"k1\") { ...A0 } }"
	for i := range 12 {
		next := "id"
		if i < 11 {
			next = fmt.Sprintf("a: parent { ...A%d } b: parent { ...A%d }", i+1, i+1)
		}
		bomb += fmt.Sprintf(" fragment A%d on Category { %s }", i, next)
	}
	wide := "query($w: OrderFilter) { orders(where: $w) { totalCount } }"
	vars := `{"w":{"or":[` + strings.TrimSuffix(strings.Repeat(`{"rank":{"eq":1}},`, 201), ",") + `]}}`
	circle := "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }"
	for _, c := range []struct{ name, query, vars, want string }{
		{"depth", deep, "", "levels deep"}, {"aliases", aliases, "", "aliases"}, {"tokens", tokens, "", "more that 2000 tokens"},
		{"fragments", bomb, "", "4094 aliases"}, {"comparisons", wide, vars, "comparisons"}, {"circle", circle, "", "Cannot spread fragment"},
	} {
		t.Run(c.name, func(t *testing.T) {
			began := time.Now()
			if got := ask(t, s, c.query, c.vars).Body.String(); !strings.Contains(got, c.want) {
				t.Errorf("got %.300s", got)
			}
			if d := time.Since(began); d > 2*time.Second {
				t.Errorf("it took %s", d)
			}
		})
	}
}

type fixedMarker struct {
	lsn pglogrepl.LSN
	err error
	n   int
	do  func()
}

func (m *fixedMarker) LSN(context.Context) (pglogrepl.LSN, error) {
	m.n++
	if m.do != nil {
		m.do()
	}
	return m.lsn, m.err
}

func (m *fixedMarker) Want(ctx context.Context, _ map[string][]string) (pglogrepl.LSN, error) {
	return m.LSN(ctx)
}

// TestConsistency: the headers, and what happens when time runs out.
func TestConsistency(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	feed := newFakeFeed(0x1000)
	marker := &fixedMarker{lsn: 0x2000}
	store := newMemStore(t, m, shop)
	store.lsn = 0x1000
	s := newServer(t, m, store, func(c *Config) { c.Feed, c.Marker, c.WaitTimeout = feed, marker, 20*time.Millisecond })
	const q = `{ order(id: "o1") { id } orders { totalCount } }`
	for _, c := range []struct {
		name    string
		headers []string
		status  int
		lsn     string
		want    string
	}{
		{"eventual", nil, 200, "0/1000", `"id":"o1"`},
		{"said so", []string{"Freshet-Consistency", "eventual"}, 200, "0/1000", `"id":"o1"`},
		{"reached already", []string{"Freshet-Min-LSN", "0/FFF"}, 200, "0/1000", `"id":"o1"`},
		{"not reached", []string{"Freshet-Min-LSN", "0/1001"}, 503, "", `"extensions":{"code":"STALE","watermark":"0/1000","wanted":"0/1001"}`},
		{"stale will do", []string{"Freshet-Min-LSN", "0/1001", "Freshet-On-Timeout", "stale"}, 200, "0/1000", `"id":"o1"`},
		{"strong, out of time", []string{"Freshet-Consistency", "strong"}, 503, "", `"wanted":"0/2000"`},
		{"malformed LSN", []string{"Freshet-Min-LSN", "12"}, 400, "", "is not an LSN such as"},
		{"malformed LSN", []string{"Freshet-Min-LSN", "0/123456789"}, 400, "", "is not an LSN such as"},
		{"malformed consistency", []string{"Freshet-Consistency", "sometimes"}, 400, "", "eventual or strong"},
		{"source", []string{"Freshet-On-Timeout", "source"}, 400, "", "not supported yet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := ask(t, s, q, "", c.headers...)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) || w.Header().Get("Freshet-LSN") != c.lsn {
				t.Errorf("%d at %q: %s", w.Code, w.Header().Get("Freshet-LSN"), w.Body)
			}
			if stale := w.Header().Get("Freshet-Stale") == "true"; stale != (c.name == "stale will do") {
				t.Errorf("Freshet-Stale is %v", stale)
			}
		})
	}
	marker.do = func() { store.lsn = 0x2000; feed.move(0x2000) }
	if w := ask(t, s, q, "", "Freshet-Consistency", "strong"); w.Code != 200 || w.Header().Get("Freshet-LSN") != "0/2000" {
		t.Errorf("strong after the marker came: %d %s", w.Code, w.Body)
	}
}

// TestReadBelowDemand: a database that is behind what the feed told is noticed.
func TestReadBelowDemand(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	store := newMemStore(t, m, shop)
	store.lsn = 0x500
	s := newServer(t, m, store, func(c *Config) { c.Feed = newFakeFeed(0x1000) })
	w := ask(t, s, `{ order(id: "o1") { id } customerByEmail(email: "ada@example.org") { id } }`, "", "Freshet-Min-LSN", "0/900")
	if strings.Count(w.Body.String(), `"STALE"`) != 2 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestFeedDown: without a feed to trust, the database is read, and its own
// watermark told.
func TestFeedDown(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	feed := newFakeFeed(0x1000)
	store := newMemStore(t, m, shop)
	store.lsn = 0x1500
	var last RequestInfo
	s := newServer(t, m, store, func(c *Config) { c.Feed, c.Observe = feed, func(i RequestInfo) { last = i } })
	const q = `query Name { order(id: "o1") { id } }`
	ask(t, s, q, "")
	if ask(t, s, q, ""); last.Queries != 0 || last.LSN != 0x1000 || last.Operation != "Name" || last.Status != 200 {
		t.Errorf("cached: %+v", last)
	}
	feed.stale = true
	w := ask(t, s, q, "", "Freshet-Min-LSN", "0/1400")
	if w.Header().Get("Freshet-LSN") != "0/1500" || last.Queries != 1 || !last.Bypass {
		t.Errorf("feed down: %d at %s, %+v", w.Code, w.Header().Get("Freshet-LSN"), last)
	}
}

// TestFailures: clients learn nothing of the cause, OnError all of it.
func TestFailures(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	store := newMemStore(t, m, shop)
	var reported []error
	s := newServer(t, m, store, func(c *Config) { c.OnError = func(_ context.Context, err error) { reported = append(reported, err) } })
	store.fail = errors.New("password=secret host=db")
	w := ask(t, s, `{ a: order(id: "o1") { id } b: customerByEmail(email: "x") { id } c: __typename }`, "")
	if got := w.Body.String(); w.Code != 200 || strings.Contains(got, "secret") || !strings.Contains(got, `"data":{"a":null,"b":null,"c":"Query"}`) || !strings.Contains(got, "UNAVAILABLE") {
		t.Errorf("%d %s", w.Code, got)
	}
	if len(reported) != 2 {
		t.Errorf("reported: %v", reported)
	}
	store.fail = fmt.Errorf("cast: %w", errBadValue)
	if got := ask(t, s, `{ orders(where: {total: {gt: "x"}}) { totalCount } }`, "").Body.String(); !strings.Contains(got, "BAD_INPUT") || !strings.Contains(got, `"data":null`) {
		t.Error(got)
	}
}

// panicStore panics when it is asked for a page.
type panicStore struct{ *memStore }

func (panicStore) Watermark(context.Context) (pglogrepl.LSN, cache.Lags, error) { panic("secret") }

func TestPanic(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	reported := 0
	s := newServer(t, m, panicStore{newMemStore(t, m, shop)}, func(c *Config) {
		c.Feed, c.CacheBytes, c.OnError = nil, 0, func(context.Context, error) { reported++ }
	})
	w := ask(t, s, `{ __typename }`, "", "Freshet-Min-LSN", "0/1")
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") || reported != 1 {
		t.Errorf("%d %s, reported %d", w.Code, w.Body, reported)
	}
}
