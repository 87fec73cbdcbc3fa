package api

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestComplexity: pages count as many times as they have rows.
func TestComplexity(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	s := newServer(t, m, newMemStore(t, m, shop), func(c *Config) { c.MaxComplexity = 300 })
	for _, c := range []struct {
		query, vars string
		ok          bool
	}{
		{`{ orders(first: 100) { nodes { id total } } }`, "", true},
		{`{ orders(first: 100) { nodes { id total note } } }`, "", false},
		{`{ orders(first: 90) { nodes { id total note } } }`, "", true},
		{`{ orders(first: 90) { nodes { id } edges { node { id } } } }`, "", true},
		{`{ orders(first: 90) { nodes { id } edges { cursor node { id total } } } }`, "", false},
		{`{ orders { nodes { id total note } } }`, "", true},
		{`query($n: Int) { orders(last: $n) { nodes { id total note } } }`, `{"n": 99}`, true},
		{`query($n: Int) { orders(last: $n) { nodes { id total note rank } } }`, `{"n": 99}`, false},
		{`query($n: Int = 100) { orderList(limit: $n) { id total note } }`, "", false},
		{`query($n: Int = 100) { orderList(limit: $n) { id total note } }`, `{"n": 5}`, true},
		{`{ customer(id: "c1") { orders { id lines { position } } } }`, "", true},
		{`{ customer(id: "c1") { orders { lines { position quantity product { id } } } } }`, "", false},
		{`query($ids: [ID!]!) { customersById(ids: $ids) { orders { id placedAt total } } }`, `{"ids": ["c1", "c2"]}`, true},
		{`query($ids: [ID!]!) { customersById(ids: $ids) { orders { id placedAt total } } }`, `{"ids": [` + strings.Repeat(`"c1",`, 11) + `"c1"]}`, false},
		{`{ a: orders(first: 60) { nodes { id total } } b: orders(first: 60) { nodes { id total } } }`, "", true},
		{`{ a: orders(first: 90) { nodes { id total } } b: orders(first: 90) { nodes { id total } } }`, "", false},
	} {
		w := ask(t, s, c.query, c.vars)
		if (w.Code == 200) != c.ok || !c.ok && (w.Code != 422 || !strings.Contains(w.Body.String(), `"TOO_COMPLEX"`)) {
			t.Errorf("%s with %s: %d %s", c.query, c.vars, w.Code, w.Body)
		}
	}
}

// TestIntrospectionOff: nothing tells of the schema, not even a typo's remedy.
func TestIntrospectionOff(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	hiding := newServer(t, m, newMemStore(t, m, shop), func(c *Config) { c.NoIntrospection = true })
	plain := newServer(t, m, newMemStore(t, m, shop))
	quiet := newServer(t, m, newMemStore(t, m, shop), func(c *Config) { c.NoSuggestions = true })
	for _, q := range []string{`{ __schema { queryType { name } } }`, `{ ...F } fragment F on Query { ... { x: __type(name: "Order") { name } } }`} {
		if w := ask(t, hiding, q, ""); w.Code != 422 || !strings.Contains(w.Body.String(), "introspection has been disabled") {
			t.Errorf("%s: %d %s", q, w.Code, w.Body)
		}
		if w := ask(t, quiet, q, ""); w.Code != 200 {
			t.Errorf("%s: %d %s", q, w.Code, w.Body)
		}
	}
	if w := ask(t, hiding, `{ __typename order(id: "o1") { __typename } }`, ""); w.Code != 200 {
		t.Errorf("__typename: %s", w.Body)
	}
	for _, q := range []string{`{ ordr(id: "o1") { id } }`, `{ order(idd: "o1") { id } }`, `{ orders(orderBy: [{rank: AS}]) { totalCount } }`} {
		if got := ask(t, plain, q, "").Body.String(); !strings.Contains(got, "Did you mean") {
			t.Errorf("%s: %s", q, got)
		}
		for _, s := range []*Server{hiding, quiet} {
			if got := ask(t, s, q, "").Body.String(); strings.Contains(got, "Did you mean") || !strings.Contains(got, "errors") {
				t.Errorf("%s: %s", q, got)
			}
		}
	}
}

const persistedText = `query P($id: ID!) { order(id: $id) { id } }`

// send posts a body, or gets by its members as parameters.
func send(s *Server, method, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/graphql", strings.NewReader(body))
	if method == "GET" {
		params := url.Values{}
		if err := members([]byte(body), func(name, value []byte) {
			if plain, ok := plainString(value); ok {
				value = []byte(plain)
			}
			params.Set(string(name), string(value))
		}); err != nil {
			panic(err)
		}
		r = httptest.NewRequest("GET", "/graphql?"+params.Encode(), nil)
		r.Header.Set(HeaderPreflight, "1")
	} else {
		r.Header.Set("Content-Type", jsonType)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// TestPersisted: a query is sent once, and named from then on.
func TestPersisted(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	hash := hashOf([]byte(persistedText))
	named := fmt.Sprintf(`{"variables":{"id":"o2"},"extensions":{"persistedQuery":{"version":1,"sha256Hash":"%s"}}}`, hash)
	whole := `{"query":"` + persistedText + `",` + named[1:]
	const answer = `{"data":{"order":{"id":"o2"}}}`
	for _, method := range []string{"GET", "POST"} {
		s := newServer(t, m, newMemStore(t, m, shop))
		if w := send(s, method, named); w.Code != 404 || w.Body.String() != `{"errors":[{"message":"PersistedQueryNotFound","extensions":{"code":"PERSISTED_QUERY_NOT_FOUND"}}]}` {
			t.Errorf("before: %d %s", w.Code, w.Body)
		}
		if w := send(s, method, strings.Replace(whole, "{ id }", "{ id total }", 1)); w.Code != 400 || !strings.Contains(w.Body.String(), "does not match") {
			t.Errorf("another text: %d %s", w.Code, w.Body)
		}
		for _, body := range []string{whole, named, fmt.Sprintf(`{"documentId":"sha256:%s","variables":{"id":"o2"}}`, hash)} {
			if w := send(s, method, body); w.Code != 200 || w.Body.String() != answer {
				t.Errorf("%s: %d %s", body, w.Code, w.Body)
			}
		}
		if w := send(s, method, strings.Replace(named, `"version":1`, `"version":2`, 1)); w.Code != 422 {
			t.Errorf("another version: %d %s", w.Code, w.Body)
		}
	}
	off := newServer(t, m, newMemStore(t, m, shop), func(c *Config) { c.PersistedBytes = -1 })
	if w := send(off, "POST", whole); w.Code != 200 {
		t.Errorf("off, whole: %d %s", w.Code, w.Body)
	}
	if w := send(off, "POST", named); w.Code != 404 {
		t.Errorf("off, named: %d %s", w.Code, w.Body)
	}
	a := newAPQ(10_000)
	for i := range 1000 {
		a.add(fmt.Sprint(i), strings.Repeat("x", 100))
	}
	if a.bytes > 10_000 || a.bytes < 9_000 {
		t.Errorf("%d bytes are kept", a.bytes)
	}
}

// TestTrusted: with an allow-list, only what is in it is answered.
func TestTrusted(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	hash := hashOf([]byte(persistedText))
	for _, file := range []string{
		`{"` + hash + `": "` + persistedText + `"}`,
		`{"format":"apollo-persisted-query-manifest","version":1,"operations":[{"id":"` + hash + `","name":"P","type":"query","body":"` + persistedText + `"}]}`,
	} {
		docs, err := ParseDocuments([]byte(file))
		if err != nil {
			t.Fatal(err)
		}
		s := newServer(t, m, newMemStore(t, m, shop), func(c *Config) { c.Documents, c.DocumentsOnly = docs, true })
		open := newServer(t, m, newMemStore(t, m, shop), func(c *Config) { c.Documents = docs })
		for body, status := range map[string]int{
			`{"query":"` + persistedText + `","variables":{"id":"o2"}}`:                                            200,
			`{"documentId":"` + hash + `","variables":{"id":"o2"}}`:                                                200,
			`{"documentId":"sha256:` + hash + `","variables":{"id":"o2"}}`:                                         200,
			`{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + hash + `"}},"variables":{"id":"o2"}}`:  200,
			`{"query":"{ __typename }"}`:                                                                           403,
			`{"query":"{ __typename }","documentId":"` + hash + `"}`:                                               403,
			`{"query":"{ __typename }","extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + hash + `"}}}`: 403,
			`{"documentId":"other"}`: 404,
			`{"documentId":1}`:       422,
			`{}`:                     422,
		} {
			if w := send(s, "POST", body); w.Code != status {
				t.Errorf("%s: %d %s", body, w.Code, w.Body)
			}
			if w := send(open, "POST", body); status == 200 && w.Code != 200 {
				t.Errorf("open: %s: %d %s", body, w.Code, w.Body)
			}
		}
		if w := send(open, "POST", `{"query":"{ __typename }"}`); w.Code != 200 {
			t.Errorf("open: %d %s", w.Code, w.Body)
		}
	}
	for _, bad := range []string{``, `[]`, `{}`, `{"a":1}`, `{"a":"{"}`, `{"format":"apollo-persisted-query-manifest"}`} {
		if _, err := ParseDocuments([]byte(bad)); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	if _, err := New(Config{Model: m, Layouts: layoutsOf(m, "text"), Store: newMemStore(t, m, shop), DocumentsOnly: true}); err == nil {
		t.Error("an allow-list of nothing was taken")
	}
}
