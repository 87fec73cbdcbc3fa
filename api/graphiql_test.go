package api

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

var graphiqlRefs = regexp.MustCompile(`(?:src|href)="([^"]*)"`)

// TestGraphiQL: the page refers to nothing but files of this server, which it
// has; they may be kept for ever, and are not too large.
func TestGraphiQL(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	s := newServer(t, m, newMemStore(t, m, shop))
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w
	}
	page := get("/")
	if page.Code != 200 || !strings.Contains(page.Header().Get("Content-Security-Policy"), "script-src 'self';") || strings.Contains(page.Body.String(), "//") {
		t.Fatalf("%d %v %s", page.Code, page.Header(), page.Body)
	}
	refs, size := graphiqlRefs.FindAllStringSubmatch(page.Body.String(), -1), 0
	if len(refs) != 8 {
		t.Errorf("%d references: %v", len(refs), refs)
	}
	for _, ref := range refs {
		if ref[1] == "data:," {
			continue
		}
		w := get("/" + ref[1])
		size += w.Body.Len()
		if w.Code != 200 || w.Body.Len() == 0 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Header().Get("Content-Type") == "" {
			t.Errorf("%s: %d %v", ref[1], w.Code, w.Header())
		}
		if regexp.MustCompile(`\.[0-9a-f]{16}\.`).FindString(ref[1]) == "" {
			t.Errorf("%s has no hash", ref[1])
		}
		if css := strings.HasSuffix(ref[1], ".css"); css && regexp.MustCompile(`@import|url\("?(https?:|//)`).MatchString(w.Body.String()) {
			t.Errorf("%s refers to what is elsewhere", ref[1])
		}
	}
	if size > 3<<20 {
		t.Errorf("%d bytes", size)
	}
	for _, path := range []string{"/graphiql/start.js", "/graphiql/page.html", "/graphiql/", "/x"} {
		if w := get(path); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
