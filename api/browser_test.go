package api

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// getting sends a GET for one order, with headers given as name, value, …
func getting(s http.Handler, method string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/graphql?query="+url.QueryEscape(`{ order(id: "o2") { id } }`), nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// TestPreflightRequired: what any page can make a browser send is refused.
func TestPreflightRequired(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	s := newServer(t, m, newMemStore(t, m, shop))
	for _, c := range []struct {
		name, value string
		status      int
	}{
		{"Accept", "application/graphql-response+json", 400},
		{"Content-Type", "text/plain; charset=utf-8", 400},
		{"Content-Type", "multipart/form-data; boundary=x", 400},
		{"Content-Type", "application/x-www-form-urlencoded", 400},
		{"Content-Type", "nonsense;", 400},
		{"Authorization", "Basic eA==", 400},
		{"If-None-Match", "*", 400},
		{"GraphQL-Require-Preflight", "", 400},
		{"Sec-Fetch-Site", "cross-site", 400},
		{"Sec-Fetch-Site", "same-site", 400},
		{"Sec-Fetch-Site", "same-origin", 200},
		{"Sec-Fetch-Site", "none", 200},
		{"Content-Type", "application/json", 200},
		{"GraphQL-Require-Preflight", "1", 200},
		{"Apollo-Require-Preflight", "true", 200},
		{"X-Apollo-Operation-Name", "Order", 200},
		{"Freshet-Consistency", "eventual", 200},
	} {
		if w := getting(s, "GET", c.name, c.value); w.Code != c.status {
			t.Errorf("%s: %s: %d %s", c.name, c.value, w.Code, w.Body)
		}
	}
}

// TestETag: an answer that the client has is not sent again.
func TestETag(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	store := newMemStore(t, m, shop)
	s := newServer(t, m, store, func(c *Config) { c.CacheBytes = 0 })
	const name = "GraphQL-Require-Preflight"
	first := getting(s, "GET", name, "1")
	tag := first.Header().Get("ETag")
	if tag == "" || first.Header().Get("Cache-Control") != "private, no-cache" || first.Header().Get("Vary") != "Accept" {
		t.Fatalf("headers: %v", first.Header())
	}
	for _, have := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
		w := getting(s, "GET", name, "1", "If-None-Match", have)
		if w.Code != 304 || w.Body.Len() != 0 || w.Header().Get("ETag") != tag || w.Header().Get("Freshet-LSN") == "" || w.Header().Get("Content-Type") != "" {
			t.Errorf("If-None-Match: %s: %d %v", have, w.Code, w.Header())
		}
	}
	if w := getting(s, "HEAD", name, "1"); w.Header().Get("ETag") != tag {
		t.Errorf("HEAD: %v", w.Header())
	}
	other := getting(s, "GET", name, "1", "If-None-Match", tag, "Accept", "application/graphql-response+json")
	if other.Code != 200 || other.Header().Get("ETag") == tag {
		t.Errorf("the other media type: %d %v", other.Code, other.Header())
	}
	store.docs["Order"]["o2"] = []byte(`{"id": "new"}`)
	if w := getting(s, "GET", name, "1", "If-None-Match", tag); w.Code != 200 || w.Header().Get("ETag") == tag {
		t.Errorf("after a change: %d %s", w.Code, w.Body)
	}
	if w := ask(t, s, `{ __typename }`, "", "If-None-Match", "*"); w.Code != 200 || w.Header().Get("ETag") != "" {
		t.Errorf("POST: %d %v", w.Code, w.Header())
	}
	store.fail = errBadValue
	if w := getting(s, "GET", name, "1", "If-None-Match", "*"); w.Code != 200 || w.Header().Get("ETag") != "" {
		t.Errorf("an error: %d %v", w.Code, w.Header())
	}
}

// TestCORS: off, for some origins, for all.
func TestCORS(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	const ours, theirs = "https://app.example", "https://evil.example"
	for _, c := range []struct {
		origins []string
		origin  string
		allowed bool
	}{{nil, ours, false}, {[]string{ours}, ours, true}, {[]string{ours}, theirs, false}, {[]string{"*"}, theirs, true}, {[]string{ours}, "", false}} {
		s := newServer(t, m, newMemStore(t, m, shop), func(cfg *Config) { cfg.Origins = c.origins })
		asks := getting(s, "OPTIONS", "Origin", c.origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type")
		sends := getting(s, "GET", "Origin", c.origin, HeaderPreflight, "1")
		want, status := "", 405
		if c.allowed {
			want, status = c.origin, 204
		}
		if asks.Code != status || asks.Header().Get("Access-Control-Allow-Origin") != want || (asks.Header().Get("Access-Control-Allow-Headers") == "content-type") != c.allowed {
			t.Errorf("%v asked by %q: %d %v", c.origins, c.origin, asks.Code, asks.Header())
		}
		if sends.Code != 200 || sends.Header().Get("Access-Control-Allow-Origin") != want || sends.Header().Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%v sent by %q: %d %v", c.origins, c.origin, sends.Code, sends.Header())
		}
		if vary := sends.Header().Values("Vary"); len(c.origins) > 0 && vary[0] != "Origin" {
			t.Errorf("Vary: %v", vary)
		}
	}
	for _, bad := range []string{"app.example", "https://app.example/", "https://app.example/x", "https://", "null"} {
		if _, err := (Config{Model: m, Store: newMemStore(t, m, shop), Feed: newFakeFeed(1), Origins: []string{bad}}).withDefaults(); err == nil {
			t.Errorf("the origin %q was taken", bad)
		}
	}
}

// TestNegotiation: which media type an Accept header leads to.
func TestNegotiation(t *testing.T) {
	const newer, older = "application/graphql-response+json; charset=utf-8", "application/json; charset=utf-8"
	m := parseModel(t, "testdata/shop.graphql")
	s := newServer(t, m, newMemStore(t, m, shop))
	for accept, want := range map[string]string{
		"application/graphql-response+json":                              newer,
		"application/graphql-response+json, application/json":            newer,
		"application/json, application/graphql-response+json;q=0.5":      older,
		"application/json;q=0.5, application/graphql-response+json;q=.6": newer,
		"*/*":                       older,
		"application/*;q=0.1, */*":  older,
		"application/json;q=0, */*": newer,
		"application/graphql-response+json;q=0, application/*": older,
		"application/json; charset=utf-8":                      older,
		"text/event-stream, */*;q=0.1":                         older,
	} {
		if w := ask(t, s, `{ __typename }`, "", "Accept", accept); w.Header().Get("Content-Type") != want {
			t.Errorf("%s: %d %s", accept, w.Code, w.Header().Get("Content-Type"))
		}
	}
	for _, accept := range []string{"text/html", "application/json;q=0", "nonsense"} {
		if w := ask(t, s, `{ __typename }`, "", "Accept", accept); w.Code != 406 {
			t.Errorf("%s: %d", accept, w.Code)
		}
	}
}
