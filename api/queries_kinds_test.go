package api

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestManyByKeys: one statement for what the cache lacks, whatever the fields.
func TestManyByKeys(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	store := newMemStore(t, m, shop)
	s := newServer(t, m, store, func(c *Config) { c.MaxPage = 4 })
	ask(t, s, `{ order(id: "o2") { id } }`, "")
	store.calls = nil
	got := ask(t, s, `{ a: ordersById(ids: ["o3", "o2", "x", "o3"]) { id } b: order(id: "o1") { id } c: ordersById(ids: ["o1", "y"]) { id } }`, "").Body.String()
	want := `{"data":{"a":[{"id":"o3"},{"id":"o2"},null,{"id":"o3"}],"b":{"id":"o1"},"c":[{"id":"o1"},null]}}`
	if got != want || !slices.Equal(store.calls, []string{"Order 4"}) {
		t.Errorf("%s\nby %v", got, store.calls)
	}
	if got := ask(t, s, `{ ordersById(ids: ["1", "2", "3", "4", "5"]) { id } }`, "").Body.String(); !strings.Contains(got, "the most that can be asked for") || !strings.Contains(got, `"data":null`) {
		t.Error(got)
	}
	store.fail = errBadValue
	if got := ask(t, s, `{ ordersById(ids: ["o1", "new"]) { id } }`, "").Body.String(); !strings.Contains(got, `"path":["ordersById",1]`) || !strings.Contains(got, `[{"id":"o1"},null]`) {
		t.Error(got)
	}
}

// TestGlobalIDs: node finds each type's documents by what nodeId says.
func TestGlobalIDs(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	s := newServer(t, m, newMemStore(t, m, shop), func(c *Config) { c.GlobalIDs = true })
	id := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	order, customer := id("Order:o1"), id("Customer:c1")
	got := ask(t, s, `{ order(id: "o1") { nodeId customer { nodeId } lines { product { nodeId title } } } }`, "").Body.String()
	if want := `{"data":{"order":{"nodeId":"` + order + `","customer":{"nodeId":"` + customer + `"},"lines":[{"product":{"nodeId":"` + id("Product:p1") + `","title":"Pen"}},{"product":null}]}}}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	const query = `query($id: ID!) { node(id: $id) { __typename nodeId ... on Order { id customer { referrer { name } createdAt } } ...C ... on Node { again: nodeId } } } fragment C on Customer { name }`
	for key, want := range map[string]string{
		order:                       `{"__typename":"Order","nodeId":"` + order + `","id":"o1","customer":{"referrer":null,"createdAt":"2024-01-01T00:00:00+00:00"},"again":"` + order + `"}`,
		id("Customer:c3"):           `{"__typename":"Customer","nodeId":"` + id("Customer:c3") + `","name":"Eve","again":"` + id("Customer:c3") + `"}`,
		id("Order:nope"):            "null",
		id("Line:1"):                "null",
		id("Nothing:1"):             "null",
		id("Order"):                 "null",
		"o1":                        "null",
		"%%%":                       "null",
		order + "=":                 "null",
		id("Order:o1") + id("more"): "null",
	} {
		if got := ask(t, s, query, `{"id":"`+key+`"}`).Body.String(); got != `{"data":{"node":`+want+`}}` {
			t.Errorf("%s: %s\nwant %s", key, got, want)
		}
	}
	got = ask(t, s, `{ __type(name: "Node") { kind possibleTypes { name } } t: __type(name: "Order") { interfaces { name } } }`, "").Body.String()
	if !strings.Contains(got, `"kind":"INTERFACE"`) || strings.Contains(got, "Line") || !strings.Contains(got, `"interfaces":[{"name":"Node"}]`) {
		t.Error(got)
	}
	own := parseSource(t, "x.graphql", `type Post @table(name: "post") { id: ID! nodeId: Int }`)
	if _, err := New(Config{Model: own, Layouts: layoutsOf(own, "text"), Store: newMemStore(t, own, world{}), GlobalIDs: true}); err == nil || !strings.Contains(err.Error(), "nodeId") {
		t.Errorf("with a field of that name: %v", err)
	}
}

// TestKindsOnPostgres: look-ups of many, plain lists and aggregates answer as
// the memory store does.
func TestKindsOnPostgres(t *testing.T) {
	_, pool := database(t)
	m := parseModel(t, "testdata/shop.graphql")
	docs := newMemStore(t, m, manyOrders())
	layouts := layoutsOf(m, "text")
	tables(t, pool, m, layouts, docs)
	real := newServer(t, m, nil, func(c *Config) { c.Pool, c.Layouts, c.Feed, c.CacheBytes = pool, layouts, nil, 0 })
	mem := newServer(t, m, docs, func(c *Config) { c.Feed, c.CacheBytes = nil, 0 })
	r := rand.New(rand.NewPCG(7, 8))
	queries := []string{
		`{ ordersById(ids: ["o59", "o00", "no", "o59", "'\"\\"]) { id note customer { email } } }`,
		`{ none: orders(where: {rank: {gt: 100}}) { aggregate { count min { note } sum { rank total } avg { rank } } } }`,
	}
	for range 15 {
		where, order := randomWhere(r), randomOrder(r)
		queries = append(queries, fmt.Sprintf("{ orderList(limit: %d, offset: %d%s%s) { id rank } }", r.IntN(70), r.IntN(70), where, order))
		queries = append(queries, fmt.Sprintf("{ orders(first: 3%s%s) { nodes { id } totalCount pageInfo { hasPreviousPage } aggregate { count min { rank note placedAt customer { name } } max { rank note placedAt } sum { rank total } } } }", where, order))
	}
	for _, q := range queries {
		want, got := ask(t, mem, q, "").Body.String(), ask(t, real, q, "").Body.String()
		if got != want || strings.Contains(got, "errors") {
			t.Errorf("%s\ngot  %s\nwant %s", q, got, want)
		}
	}
	got := ask(t, real, `{ orders(where: {id: {in: ["o00", "o01"]}}) { aggregate { avg { rank total } } } }`, "").Body.String()
	if strings.Contains(got, "errors") {
		t.Error(got)
	}
}

// TestAggregateEncoding: aggregates have the form that documents have.
func TestAggregateEncoding(t *testing.T) {
	_, pool := database(t)
	m := parseSource(t, "x.graphql", `type M @table(name: "m") {
		id: ID! f: Float @index g: Float @index n: Decimal @index b: BigInt @index d: Date @index s: DateTime @index i: Duration @index t: Time @index }`)
	key := LayoutColumn{Path: "id", Column: "id", SQL: "integer", Base: "int4"}
	l := Layout{Type: "M", Schema: "public", Table: "tv_m", Key: key}
	for _, c := range [][3]string{{"f", "double precision", "float8"}, {"g", "real", "float4"}, {"n", "numeric", "numeric"}, {"b", "bigint", "int8"}, {"d", "date", "date"},
		{"s", "timestamp with time zone", "timestamptz"}, {"i", "interval", "interval"}, {"t", "time", "time"}} {
		l.Columns = append(l.Columns, LayoutColumn{Path: c[0], Column: c[0], SQL: c[1], Base: c[2]})
	}
	must(t, pool, `CREATE TABLE tv_m (id int PRIMARY KEY, data jsonb, f float8, g real, n numeric, b bigint, d date, s timestamptz, i interval, t time)`)
	must(t, pool, `INSERT INTO tv_m VALUES (1, '{}', 0.5, 0.1, 1.50, 9223372036854775807, '2024-01-02', '2024-01-02T03:04:05.5Z', '1 day 2 hours', '03:04'), (2, '{}', 1, 0.2, 2, 1, '2023-01-01', '2023-01-01', '1 hour', '01:00')`)
	s := newServer(t, m, nil, func(c *Config) { c.Pool, c.Layouts, c.Feed, c.CacheBytes = pool, []Layout{l}, nil, 0 })
	got := ask(t, s, `{ ms { aggregate { max { f g n b d s i t } sum { f g n b } avg { f n b } } } }`, "").Body.String()
	want := `{"data":{"ms":{"aggregate":{"max":{"f":1,"g":0.2,"n":"2","b":"9223372036854775807","d":"2024-01-02","s":"2024-01-02T03:04:05.5+00:00","i":"P1DT2H","t":"03:04:00"},` +
		`"sum":{"f":1.5,"g":0.3,"n":"3.50","b":"9223372036854775808"},"avg":{"f":0.75,"n":"1.7500000000000000","b":4611686018427388000}}}}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
