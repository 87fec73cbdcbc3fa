package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzRequest: no body and no header makes the server panic, answer 500, or
// write something that is not JSON.
func FuzzRequest(f *testing.F) {
	m := parseModel(f, "testdata/shop.graphql")
	panicked := false
	s := newServer(f, m, newMemStore(f, m, shop), func(c *Config) {
		c.WaitTimeout = 1
		c.Observe = func(i RequestInfo) { panicked = panicked || i.Status == http.StatusInternalServerError }
	})
	f.Add([]byte(`{"query":"query($id: ID!, $w: OrderFilter, $o: [OrderOrder!]) { order(id: $id) { id ...A } orders(first: 2, where: $w, orderBy: $o) { edges { cursor } totalCount } } fragment A on Order { total }","variables":{"id":"o1","w":{"not":{"rank":{"in":[1,2]}}},"o":[{"customer":{"name":"DESC"}}]}}`), "", "", "")
	f.Add([]byte(`{"query":"{ __schema { types { name fields { args { defaultValue } } } } }"}`), "0/16B3748", "strong", "stale")
	f.Add([]byte(`{"query":"{ orders(after: \"AAAA\", last: 3) { nodes { id } } }","operationName":"x"}`), "1/2", "eventual", "error")
	f.Add([]byte(`{"query":"subscription { x }","variables":{"a":[[[1e999]]]}}`), "zz", "", "")
	f.Fuzz(func(t *testing.T, body []byte, lsn, consistency, onTimeout string) {
		r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", jsonType)
		r.Header.Set(HeaderMinLSN, lsn)
		r.Header.Set(HeaderConsistency, consistency)
		r.Header.Set(HeaderOnTimeout, onTimeout)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if panicked || w.Code == http.StatusInternalServerError {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		checkJSON(t, w.Body.Bytes())
	})
}

// FuzzLSN: what is taken for an LSN is written the same way again.
func FuzzLSN(f *testing.F) {
	f.Add("0/16B3748")
	f.Add("FFFFFFFF/FFFFFFFF")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		lsn, err := parseLSN(s)
		if err != nil {
			return
		}
		if again, err := parseLSN(lsn.String()); err != nil || again != lsn {
			t.Errorf("%q is %s, and that is %s, %v", s, lsn, again, err)
		}
	})
}
