package api

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// repeat joins n copies of a text.
func repeat(n int, text, sep string) string {
	return strings.TrimSuffix(strings.Repeat(text+sep, n), sep)
}

// TestBypasses: limits hold however a request is written.
func TestBypasses(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	s := newServer(t, m, newMemStore(t, m, shop))
	ten := repeat(10, "a%d: name", " ")
	for i := range 10 {
		ten = strings.Replace(ten, "%d", fmt.Sprint(i), 1)
	}
	spread := `{ category(id: "k1") { ` + repeat(6, "...A parent { ...A", " ") + strings.Repeat(" }", 8) + ` fragment A on Category { ` + ten + ` }`
	parents := func(n int) string { return repeat(n, "parent {", " ") + " id" + strings.Repeat(" }", n) }
	chain := `{ category(id: "k1") { ...A0 } }`
	for i := range 20 {
		next := "id"
		if i < 19 {
			next = fmt.Sprintf("... on Category { parent { ...A%d } }", i+1)
		}
		chain += fmt.Sprintf(" fragment A%d on Category { %s }", i, next)
	}
	where := `query($w: OrderFilter) { orders(where: $w) { totalCount } }`
	not := strings.Repeat(`{"not":`, 201) + `{}` + strings.Repeat("}", 201)
	for _, c := range []struct{ name, query, vars, want string }{
		{"aliases in a fragment, spread often", spread, "", "120 aliases"},
		{"depth in a chain of fragments", chain, "", "levels deep"},
		{"depth in inline fragments", `{ category(id: "k1") { ` + repeat(15, "... on Category { parent {", " ") + " id" + strings.Repeat(" } }", 15) + " } }", "", "levels deep"},
		{"depth beside the schema", `{ __typename ...Q } fragment Q on Query { category(id: "k1") { ` + parents(15) + ` } }`, "", "levels deep"},
		{"depth of another operation", `query A { __typename } query B { category(id: "k1") { ` + parents(15) + ` } }`, "", "levels deep"},
		{"operands without comparisons", where, `{"w":{"and":[` + repeat(201, "{}", ",") + `]}}`, "operands of and, or and not"},
		{"nested operands", where, `{"w":` + not + `}`, "operands of and, or and not"},
		{"nested operands, written out", `{ orders(where: ` + strings.Repeat("{not: ", 201) + `{}` + strings.Repeat("}", 201) + `) { totalCount } }`, "", "operands of and, or and not"},
		{"values of in", where, `{"w":{"rank":{"in":[` + repeat(600, "1", ",") + `],"nin":[` + repeat(401, "1", ",") + `]}}}`, "values in in and nin"},
		{"keys of a look-up", `query($k: [ID!]!) { ordersById(ids: $k) { id } }`, `{"k":[` + repeat(101, `"o1"`, ",") + `]}`, "the most that can be asked for at once is 100"},
		{"nested JSON", where, `{"w":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `}`, "nested too deep"},
		{"lists of the schema in lists", `{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }`, "", "Maximum introspection depth exceeded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := ask(t, s, c.query, c.vars)
			if got := w.Body.String(); !strings.Contains(got, c.want) {
				t.Errorf("%d %.300s", w.Code, got)
			}
		})
	}
	many := newServer(t, m, newMemStore(t, m, shop), func(c *Config) { c.MaxAliases = 10_000 })
	bomb := `{ category(id: "k1") { ...B0 } }`
	for i := range 12 {
		next := "id"
		if i < 11 {
			next = fmt.Sprintf("a: parent { ...B%d } b: parent { ...B%d }", i+1, i+1)
		}
		bomb += fmt.Sprintf(" fragment B%d on Category { %s }", i, next)
	}
	if w := ask(t, many, bomb, ""); w.Code != 422 || !strings.Contains(w.Body.String(), "too many fields") {
		t.Errorf("fragments that double: %d %.300s", w.Code, w.Body)
	}
	long := `{"o":[` + repeat(20_000, `{"rank":"ASC"}`, ",") + `]}`
	if w := ask(t, s, `query($o: [OrderOrder!]) { orders(orderBy: $o) { nodes { id } } }`, long); w.Code != 200 {
		t.Errorf("an order that says the same again and again: %d %.300s", w.Code, w.Body)
	}
	if w := ask(t, s, `{ category(id: "k1") { `+parents(13)+` } }`, ""); w.Code != 200 {
		t.Errorf("what is within the limit: %d %s", w.Code, w.Body)
	}
}

// TestNestedRequests: what surrounds the variables may not be nested either,
// and a batch is none.
func TestNestedRequests(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	s := newServer(t, m, newMemStore(t, m, shop))
	deep := strings.Repeat("[", 500_000) + strings.Repeat("]", 500_000)
	for body, want := range map[string]string{
		`{"query":"{ __typename }","other":` + deep + `}`:                                   "nested too deep",
		`{"query":"{ __typename }","extensions":` + deep[:600] + deep[len(deep)-600:] + `}`: "nested too deep",
		`[{"query":"{ __typename }"}]`:                                                      "Batches are not supported",
		` [{"query":"{ __typename }"},{"query":"{ __typename }"}]`:                          "Batches are not supported",
		deep: "not well-formed",
	} {
		if w := send(s, "POST", body); w.Code < 400 || w.Code > 422 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%.60s: %d %s", body, w.Code, w.Body)
		}
	}
}

// TestIntrospectionBounded: no query makes more of the schema than tools need,
// and what tools ask for is answered.
func TestIntrospectionBounded(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	s := newServer(t, m, newMemStore(t, m, shop))
	whole, err := os.ReadFile("testdata/introspection.json")
	if err != nil {
		t.Fatal(err)
	}
	values := strings.Count(string(whole), ":") // one for each, about
	if limit := metaPerType * len(s.schema.AST.Types); limit < 5*values {
		t.Errorf("%d values may be asked for, and the schema has %d", limit, values)
	}
	const lists = `types { fields { name type { name fields { name type { name } args { name } } } args { name type { name } } } }`
	query := `{ `
	for i := range 90 {
		query += fmt.Sprintf("a%d: __schema { %s } ", i, lists)
	}
	w := ask(t, s, query+"}", "")
	var answer struct {
		Data   any
		Errors []struct {
			Path       []any
			Extensions struct{ Code string }
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Data != nil || len(answer.Errors) != 1 || answer.Errors[0].Extensions.Code != codeTooComplex || len(answer.Errors[0].Path) != 1 {
		t.Errorf("%d %.300s", w.Code, w.Body)
	}
	if w := ask(t, s, `{ __schema { `+lists+` } order(id: "o1") { id } }`, ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"order":{"id":"o1"}`) {
		t.Errorf("once: %d %.300s", w.Code, w.Body)
	}
	small := newServer(t, m, newMemStore(t, m, shop), func(c *Config) { c.MaxComplexity = 1000 })
	query = `{ order(id: "o1") { id } `
	for i := range 90 {
		query += fmt.Sprintf(`a%d: __type(name: "Query") { fields { args { type { inputFields { name description defaultValue isDeprecated deprecationReason type { name kind description specifiedByURL isOneOf ofType { name kind } } } } } } } `, i)
	}
	if w := ask(t, small, query+"}", ""); w.Code != 200 || !strings.HasPrefix(w.Body.String(), `{"errors"`) || !strings.HasSuffix(w.Body.String(), `"a89":null}}`) || !strings.Contains(w.Body.String(), `"order":{"id":"o1"}`) {
		t.Errorf("single types: %d %.300s", w.Code, w.Body)
	}
}

// TestSlowBody: a body that does not come holds nothing up for long.
func TestSlowBody(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	s := newServer(t, m, newMemStore(t, m, shop), func(c *Config) { c.BodyTimeout = 50 * time.Millisecond })
	server := httptest.NewServer(s)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"query\":")
	answer, err := io.ReadAll(conn) // up to the server's end of the connection
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") {
		t.Errorf("%v\n%s", err, answer)
	}
	res, err := http.Post(server.URL+"/graphql", "application/json", strings.NewReader(`{"query":"{ order(id: \"o1\") { id } }"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); string(text) != `{"data":{"order":{"id":"o1"}}}` {
		t.Errorf("a body that comes: %s", text)
	}
	http.DefaultClient.CloseIdleConnections()
}
