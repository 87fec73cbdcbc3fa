package api

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"freshet/cache"
	"freshet/deploy/pgserver/pgtest"
	"freshet/model"
)

// database makes a database with Freshet's own tables and a checkpoint.
func database(t testing.TB) (url string, pool *pgxpool.Pool) {
	t.Helper()
	url = pgtest.Database(t)
	script, err := os.ReadFile("../migrations/001_freshet.sql")
	if err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, url, "CREATE SCHEMA IF NOT EXISTS freshet;"+string(script))
	pgtest.Exec(t, url, `INSERT INTO freshet.checkpoint (slot, system_id, timeline, database, state, epoch, batch, applied_lsn, watermark, updated_at)
		VALUES ('freshet', '1', 1, current_database(), 'streaming', 1, 1, '0/1000', '0/1000', now())`)
	cfg, err := PoolConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	pool, err = pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return url, pool
}

// tables makes the tv_* tables of a model and fills them with the documents of
// a memory store.
func tables(t testing.TB, pool *pgxpool.Pool, m *model.Model, layouts []Layout, docs *memStore) {
	t.Helper()
	ctx := t.Context()
	server := newServer(t, m, docs)
	for _, l := range layouts {
		cols, marks := []string{fmt.Sprintf(`%q %s PRIMARY KEY`, l.Key.Column, collated(l.Key.SQL))}, []string{"$1", "$2"}
		names := []string{fmt.Sprintf("%q", l.Key.Column), "data"}
		for i, c := range l.Columns {
			cols = append(cols, fmt.Sprintf("%q %s", c.Column, collated(c.SQL)))
			names = append(names, fmt.Sprintf("%q", c.Column))
			marks = append(marks, fmt.Sprintf("$%d::text::%s", i+3, c.SQL))
		}
		table := pgx.Identifier{l.Schema, l.Table}.Sanitize()
		must(t, pool, fmt.Sprintf("CREATE TABLE %s (%s, data jsonb NOT NULL, freshet_lsn pg_lsn NOT NULL, freshet_time timestamptz NOT NULL)", table, strings.Join(cols, ", ")))
		typ := server.schema.Types[l.Type]
		for key, data := range docs.docs[l.Type] {
			args := []any{key, string(data)}
			for _, c := range typ.Table.Columns {
				args = append(args, docs.column(typ.Table, c, key, data))
			}
			sql := fmt.Sprintf("INSERT INTO %s (%s, freshet_lsn, freshet_time) VALUES (%s, '0/1000', now())", table, strings.Join(names, ", "), strings.Join(marks, ", "))
			if _, err := pool.Exec(ctx, sql, args...); err != nil {
				t.Fatal(err)
			}
		}
		layout, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		must(t, pool, "INSERT INTO freshet.models (name, hash, layout, sources, state) VALUES ($1, 'h', $2, '{}', 'ready')", l.Type, string(layout))
	}
}

// collated orders text by its bytes, as the memory store does.
func collated(sql string) string {
	if sql == "text" {
		return `text COLLATE "C"`
	}
	return sql
}

func must(t testing.TB, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func manyOrders() world {
	w := world{"Customer": shop["Customer"], "Product": shop["Product"], "Category": shop["Category"], "Order": {}}
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 60 {
		id := fmt.Sprintf("o%02d", i)
		o := row{"id": id, "placedAt": fmt.Sprintf("2024-02-%02dT00:00:00+00:00", 1+r.IntN(9)), "total": fmt.Sprint(r.IntN(20)), "customer": fmt.Sprintf("c%d", 1+r.IntN(3)), "lines": []any{}}
		if r.IntN(3) > 0 {
			o["rank"] = r.IntN(5)
		}
		if r.IntN(3) > 0 {
			o["note"] = string(rune('a' + r.IntN(5)))
		}
		w["Order"][id] = o
	}
	return w
}

// TestPagesOnPostgres: under random conditions and orders, with nulls and ties,
// Postgres gives the pages that the memory store gives, and walking a list
// forward or backward meets each row once.
func TestPagesOnPostgres(t *testing.T) {
	_, pool := database(t)
	m := parseModel(t, "testdata/shop.graphql")
	docs := newMemStore(t, m, manyOrders())
	tables(t, pool, m, layoutsOf(m, "text"), docs)
	layouts, err := LoadLayouts(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	real := newServer(t, m, nil, func(c *Config) { c.Pool, c.Layouts, c.Feed, c.CacheBytes = pool, layouts, nil, 0 })
	mem := newServer(t, m, docs, func(c *Config) { c.Feed, c.CacheBytes = nil, 0 })
	r := rand.New(rand.NewPCG(5, 6))
	for i := range 60 {
		args := randomWhere(r) + randomOrder(r)
		whole := fmt.Sprintf("{ orders(first: 100%s) { totalCount nodes { id rank note total placedAt } pageInfo { hasNextPage } } }", args)
		want := ask(t, mem, whole, "").Body.String()
		if got := ask(t, real, whole, "").Body.String(); got != want || strings.Contains(got, "errors") {
			t.Fatalf("%d: %s\ngot  %s\nwant %s", i, whole, got, want)
		}
		ids := idsOf(t, want)
		size := 1 + r.IntN(9)
		if got := walk(t, real, args, size, false); fmt.Sprint(got) != fmt.Sprint(ids) {
			t.Fatalf("%s forward by %d: %v, want %v", args, size, got, ids)
		}
		if got := walk(t, real, args, size, true); fmt.Sprint(got) != fmt.Sprint(ids) {
			t.Fatalf("%s backward by %d: %v, want %v", args, size, got, ids)
		}
	}
}

func randomWhere(r *rand.Rand) string {
	conds := []string{
		`rank: {gte: 2}`, `rank: {ne: 3}`, `rank: {isNull: true}`, `note: {in: ["a", "c"]}`, `note: {nin: ["a", "c"]}`, `note: {startsWith: "b"}`,
		`customer: {id: {eq: "c1"}}`, `customer: {name: {eq: "Eve"}}`, `not: {rank: {lt: 3}}`, `or: [{rank: {eq: 1}}, {note: {contains: "d"}}]`,
		`total: {lt: 10.0}`, `placedAt: {gt: "2024-02-03T00:00:00+00:00"}`, `not: {customer: {name: {eq: "Eve"}}, note: {eq: "a"}}`, `and: [{}, {total: {gte: 1}}]`,
	}
	if r.IntN(3) == 0 {
		return ""
	}
	return ", where: {" + conds[r.IntN(len(conds))] + "}"
}

func randomOrder(r *rand.Rand) string {
	directions := []string{"ASC", "DESC", "ASC_NULLS_FIRST", "ASC_NULLS_LAST", "DESC_NULLS_FIRST", "DESC_NULLS_LAST"}
	fields := []string{"rank: %s", "note: %s", "total: %s", "placedAt: %s", "customer: {name: %s}", "customer: {id: %s}", "id: %s"}
	var terms []string
	for range r.IntN(4) {
		terms = append(terms, "{"+fmt.Sprintf(fields[r.IntN(len(fields))], directions[r.IntN(len(directions))])+"}")
	}
	if len(terms) == 0 {
		return ""
	}
	return ", orderBy: [" + strings.Join(terms, ", ") + "]"
}

type ordersAnswer struct {
	Data struct {
		Orders struct {
			Nodes    []struct{ ID string }
			PageInfo struct {
				HasNextPage, HasPreviousPage bool
				StartCursor, EndCursor       string
			}
		}
	}
}

func idsOf(t *testing.T, body string) (ids []string) {
	t.Helper()
	for _, n := range decode(t, body).Data.Orders.Nodes {
		ids = append(ids, n.ID)
	}
	return ids
}

func decode(t *testing.T, body string) (a ordersAnswer) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &a); err != nil || strings.Contains(body, "errors") {
		t.Fatalf("%v: %s", err, body)
	}
	return a
}

// walk reads a list page by page and returns its keys in the list's order.
func walk(t *testing.T, s http.Handler, args string, size int, backward bool) (ids []string) {
	t.Helper()
	bound, cursor := "first", ""
	if backward {
		bound = "last"
	}
	for page := 0; ; page++ {
		q := fmt.Sprintf("{ orders(%s: %d%s%s) { nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }", bound, size, cursor, args)
		a := decode(t, ask(t, s, q, "").Body.String()).Data.Orders
		var got []string
		for _, n := range a.Nodes {
			got = append(got, n.ID)
		}
		more, before := a.PageInfo.HasNextPage, a.PageInfo.HasPreviousPage
		if backward {
			more, before = before, more
			ids = append(got, ids...)
			cursor = fmt.Sprintf(", before: %q", a.PageInfo.StartCursor)
		} else {
			ids = append(ids, got...)
			cursor = fmt.Sprintf(", after: %q", a.PageInfo.EndCursor)
		}
		if before != (page > 0 && len(ids) > 0) {
			t.Fatalf("%s page %d: there is a page before is %v", q, page, before)
		}
		if !more {
			return ids
		}
		if page > 100 {
			t.Fatal("the list does not end")
		}
	}
}

// TestPostgres goes with the real feed and marker through reading, a change,
// and its invalidation.
func TestPostgres(t *testing.T) {
	url, pool := database(t)
	m := parseModel(t, "testdata/shop.graphql")
	docs := newMemStore(t, m, shop)
	tables(t, pool, m, layoutsOf(m, "text"), docs)
	up := make(chan struct{}, 1)
	feed, err := cache.NewFeed(cache.FeedConfig{
		Connect: func(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, url) },
		Events:  cache.FeedEvents{Connected: func(pglogrepl.LSN) { up <- struct{}{} }},
	})
	if err != nil {
		t.Fatal(err)
	}
	marker := cache.NewMarker(pool)
	t.Cleanup(func() { _ = marker.Close(context.Background()) })
	s := newServer(t, m, nil, func(c *Config) { c.Pool, c.Feed, c.Marker, c.WaitTimeout = pool, feed, marker, 5*time.Second })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- feed.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	<-up

	q := `{ order(id: "o2") { note } }`
	for range 2 {
		if w := ask(t, s, q, ""); w.Body.String() != `{"data":{"order":{"note":"b"}}}` || w.Header().Get("Freshet-LSN") != "0/1000" {
			t.Fatalf("%s at %s", w.Body, w.Header().Get("Freshet-LSN"))
		}
	}
	if st := s.CacheTotal(); st.Hits != 1 {
		t.Errorf("cache: %+v", st)
	}
	pgtest.Exec(t, url, `BEGIN;
		UPDATE tv_order SET data = data || '{"note": "new"}', freshet_lsn = '0/2000' WHERE id = 'o2';
		INSERT INTO freshet.sync_log (slot, batch, model, operation, keys, watermark, started_at, duration_ms) VALUES ('freshet', 2, 'Order', 'rebuild', '{o2}', '0/2000', now(), 1);
		UPDATE freshet.checkpoint SET watermark = '0/2000', batch = 2 WHERE slot = 'freshet';
		NOTIFY freshet, '0/2000'; COMMIT`)
	w := ask(t, s, q, "", "Freshet-Min-LSN", "0/2000")
	if w.Body.String() != `{"data":{"order":{"note":"new"}}}` || w.Header().Get("Freshet-LSN") != "0/2000" {
		t.Errorf("after the change: %s at %s", w.Body, w.Header().Get("Freshet-LSN"))
	}
}

func col(path, column, sql, base string) LayoutColumn {
	return LayoutColumn{Path: path, Column: column, SQL: sql, Base: base}
}

// TestStrangersOnPostgres: values that Postgres would refuse, or take for
// others.
func TestStrangersOnPostgres(t *testing.T) {
	_, pool := database(t)
	m := parseSource(t, "k.graphql", `
type Short @table(name: "short", key: "code") { code: ID! n: Int @index at: DateTime @index }
type Num @table(name: "num") { id: ID! price: Decimal @index raw: String @unique }
type Uid @table(name: "uid") { id: ID! short: Short @belongsTo(foreignKey: "short_code") @index }`)
	layouts := []Layout{
		{Type: "Short", Schema: "public", Table: "tv_short", Key: col("code", "code", "character varying(3)", "varchar"),
			Columns: []LayoutColumn{col("n", "n", "smallint", "int2"), col("at", "at", "timestamp with time zone", "timestamptz")}},
		{Type: "Num", Schema: "public", Table: "tv_num", Key: col("id", "id", "bigint", "int8"),
			Columns: []LayoutColumn{col("price", "price", "numeric(6,2)", "numeric"), col("raw", "raw", "text", "text")}},
		{Type: "Uid", Schema: "public", Table: "tv_uid", Key: col("id", "id", "uuid", "uuid"), Columns: []LayoutColumn{col("short", "short_code", "character varying(3)", "varchar")}},
	}
	must(t, pool, `CREATE TABLE tv_short (code varchar(3) PRIMARY KEY, n smallint, at timestamptz, data jsonb)`)
	must(t, pool, `INSERT INTO tv_short VALUES ('abc', 1, '2024-01-01Z', '{"code": "abc", "n": 1}')`)
	must(t, pool, `CREATE TABLE tv_num (id bigint PRIMARY KEY, price numeric(6,2), raw text, data jsonb)`)
	must(t, pool, `INSERT INTO tv_num VALUES (7, 1.01, 'r', '{"id": "7", "price": "1.01"}')`)
	must(t, pool, `CREATE TABLE tv_uid (id uuid PRIMARY KEY, short_code varchar(3), data jsonb)`)
	must(t, pool, `INSERT INTO tv_uid VALUES ('0a000000-0000-4000-8000-00000000000b', 'abc', '{"id": "0a000000-0000-4000-8000-00000000000b", "short": {"code": "abc"}}')`)
	var reported []error
	s := newServer(t, m, nil, func(c *Config) {
		c.Pool, c.Layouts, c.Feed, c.CacheBytes = pool, layouts, nil, 0
		c.OnError = func(_ context.Context, err error) { reported = append(reported, err) }
	})
	for _, c := range []struct{ query, want string }{
		{`{ short(code: "abc") { n } }`, `{"data":{"short":{"n":1}}}`},
		{`{ short(code: "abcd") { n } }`, `{"data":{"short":null}}`},
		{`{ short(code: "a\u0000") { n } }`, `{"data":{"short":null}}`},
		{`{ num(id: 7) { price } a: num(id: "007") { id } b: num(id: "x") { id } c: num(id: "99999999999999999999") { id } }`, `{"data":{"num":{"price":"1.01"},"a":{"id":"7"},"b":null,"c":null}}`},
		{`{ uid(id: "0A000000-0000-4000-8000-00000000000B") { short { n } } x: uid(id: "abc") { id } }`, `{"data":{"uid":{"short":{"n":1}},"x":null}}`},
		{`{ uids(where: {id: {eq: "abc"}}) { totalCount } }`, `{"data":{"uids":{"totalCount":0}}}`},
		{`{ uids(where: {short: {code: {eq: "abcd"}}}) { totalCount } }`, `{"data":{"uids":{"totalCount":0}}}`},
		{`{ uids(where: {id: {ne: "abc"}}) { totalCount } }`, `{"data":{"uids":{"totalCount":1}}}`},
		{`{ nums(where: {price: {eq: "1.012"}}) { totalCount } }`, `{"data":{"nums":{"totalCount":0}}}`},
		{`{ nums(where: {price: {gte: 1.005}}, orderBy: {price: ASC}) { nodes { id } } }`, `{"data":{"nums":{"nodes":[{"id":"7"}]}}}`},
		{`{ numByRaw(raw: "r") { id } x: numByRaw(raw: "' OR true --") { id } }`, `{"data":{"numByRaw":{"id":"7"},"x":null}}`},
		{`{ shorts(where: {at: {gt: "no date"}}) { totalCount } }`, "BAD_INPUT"},
		{`{ shorts(where: {n: {gt: 100000}}) { totalCount } }`, "BAD_INPUT"},
	} {
		got := ask(t, s, c.query, "").Body.String()
		if got != c.want && !(strings.Contains(got, c.want) && c.want == "BAD_INPUT") || strings.Contains(got, "SQLSTATE") {
			t.Errorf("%s\ngot  %s\nwant %s", c.query, got, c.want)
		}
	}
	if len(reported) > 0 {
		t.Errorf("reported: %v", reported)
	}
}

// TestTimeoutOnPostgres: a table that is locked answers with an error in time.
func TestTimeoutOnPostgres(t *testing.T) {
	url, pool := database(t)
	m := parseModel(t, "testdata/shop.graphql")
	tables(t, pool, m, layoutsOf(m, "text"), newMemStore(t, m, shop))
	s := newServer(t, m, nil, func(c *Config) { c.Pool, c.RequestTimeout = pool, 100*time.Millisecond })
	conn := pgtest.Connect(t, url)
	for _, sql := range []string{"BEGIN", "LOCK TABLE tv_order IN ACCESS EXCLUSIVE MODE"} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range []string{`{ order(id: "o1") { id } }`, `{ orders { totalCount } }`} {
		if got := ask(t, s, q, "").Body.String(); !strings.Contains(got, `"code":"TIMEOUT"`) {
			t.Error(got)
		}
	}
}

// TestStrongOnPostgres: a strong read asks for what the marker says.
func TestStrongOnPostgres(t *testing.T) {
	_, pool := database(t)
	m := parseModel(t, "testdata/shop.graphql")
	tables(t, pool, m, layoutsOf(m, "text"), newMemStore(t, m, shop))
	marker := cache.NewMarker(pool)
	t.Cleanup(func() { _ = marker.Close(context.Background()) })
	s := newServer(t, m, nil, func(c *Config) {
		c.Pool, c.Feed, c.CacheBytes, c.Marker, c.WaitTimeout = pool, nil, 0, marker, 50*time.Millisecond
	})
	q := `{ order(id: "o1") { id } }`
	if w := ask(t, s, q, "", "Freshet-Consistency", "strong"); w.Code != 503 || !strings.Contains(w.Body.String(), `"code":"STALE"`) {
		t.Errorf("no projector moves the watermark, and yet: %d %s", w.Code, w.Body)
	}
	must(t, pool, "UPDATE freshet.checkpoint SET watermark = 'FFFF/0'")
	if w := ask(t, s, q, "", "Freshet-Consistency", "strong"); w.Code != 200 || w.Header().Get("Freshet-LSN") != "FFFF/0" {
		t.Errorf("%d at %s: %s", w.Code, w.Header().Get("Freshet-LSN"), w.Body)
	}
}

func TestPoolConfig(t *testing.T) {
	cfg, err := PoolConfig("postgres://me:secret@h/db?statement_timeout=5")
	if err != nil {
		t.Fatal(err)
	}
	if p := cfg.ConnConfig.RuntimeParams; cfg.MaxConns != 20 || p["statement_timeout"] != "5" || p["TimeZone"] != "UTC" {
		t.Errorf("%d, %v", cfg.MaxConns, p)
	}
	if _, err := PoolConfig("postgres://me:secret@h:port/db"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a malformed URL: %v", err)
	}
}
