package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/99designs/gqlgen/graphql/introspection"

	"freshet/api/page"
)

func checkJSON(t *testing.T, body []byte) {
	t.Helper()
	if !json.Valid(body) {
		t.Fatalf("not JSON: %q", body)
	}
}

// TestIntrospection is what tools ask.
func TestIntrospection(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	s := newServer(t, m, newMemStore(t, m, shop))
	golden(t, "introspection.json", indent(t, ask(t, s, introspection.Query, "").Body.Bytes()))
}

// TestGqlgen: gqlgen's own server over the executable schema gives the same
// answers.
func TestGqlgen(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	s := newServer(t, m, newMemStore(t, m, shop))
	stock := handler.New(s.Executable())
	stock.AddTransport(transport.POST{})
	stock.Use(extension.Introspection{})
	for _, q := range []string{
		`{ order(id: "o1") { total customer { name orders { note } } payload } }`,
		`query { orders(first: 2) { nodes { id } pageInfo { endCursor } } __schema { queryType { name } } }`,
	} {
		want, got := ask(t, s, q, "").Body.String(), ask(t, stock, q, "").Body.String()
		got = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(got) // the stock transport copies through encoding/json
		if got != want {
			t.Errorf("%s\ngot  %s\nwant %s", q, got, want)
		}
	}
	q := `query($id: ID!) { order(id: $id) { id } }`
	if got := ask(t, stock, q, `{"id":"o2"}`).Body.String(); got != `{"data":{"order":{"id":"o2"}}}` {
		t.Error(got)
	}
}

func TestKeyText(t *testing.T) {
	const u = "0a1b2c3d-0000-4000-8000-00000000abcd"
	for _, c := range []struct {
		base string
		in   any
		want string
		ok   bool
	}{
		{"uuid", u, u, true}, {"uuid", strings.ToUpper(u), u, true}, {"uuid", strings.ReplaceAll(u, "-", ""), u, true},
		{"uuid", "abc", "", false}, {"uuid", u[:35] + "g", "", false}, {"uuid", strings.Replace(u, "-", "0", 1), "", false}, {"uuid", "", "", false},
		{"int4", "7", "7", true}, {"int4", "007", "7", true}, {"int4", "-0", "0", true}, {"int4", "+7", "7", true}, {"int4", "-12", "-12", true},
		{"int4", json.Number("7"), "7", true}, {"int4", "2147483648", "", false}, {"int4", "7.0", "", false}, {"int4", " 7", "", false},
		{"int8", "9223372036854775807", "9223372036854775807", true}, {"int2", "40000", "", false}, {"int8", "", "", false}, {"int8", "-", "", false},
		{"text", " x ", " x ", true}, {"text", "", "", true}, {"text", "a\x00b", "", false}, {"text", "\xff", "", false}, {"text", nil, "", false},
		{"varchar", int64(5), "5", true},
	} {
		got, ok := keyText(&page.Column{Base: c.base}, c.in)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%s %q is %q, %v; want %q, %v", c.base, c.in, got, ok, c.want, c.ok)
		}
	}
}

// TestHostileNames: a request's own names and texts come back as JSON.
func TestHostileNames(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	s := newServer(t, m, newMemStore(t, m, shop))
	for _, body := range []string{
		`{"query":"query($id: ID!) { order(id: $id) { id } }","variables":{"id":{"a\u0000\"<":["\ud800"]}}}`,
		`{"query":"{ order(id: \"\\u0000\\ud83d\\ude00\") { id } }"}`,
		"{\"query\":\"{ order(id: \\\"\xff\\\") { id } \xfe }\"}",
	} {
		r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(body))
		r.Header.Set("Content-Type", jsonType)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		checkJSON(t, w.Body.Bytes())
	}
}
