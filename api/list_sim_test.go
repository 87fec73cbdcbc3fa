package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/jackc/pglogrepl"

	"freshet/api/page"
	"freshet/api/served"
	"freshet/cache"
	"freshet/model"
)

// listSim is a database with its projector, log and feed, and a server with a
// cache over it: played step by step by one goroutine, and by the loads that it
// waits for. It keeps all states, so that an answer can be told to be that of
// one of them.
type listSim struct {
	t      *testing.T
	r      *rand.Rand
	m      *model.Model
	orders *served.Type
	rows   world
	store  *memStore
	feed   *fakeFeed
	cached *Server
	plain  *Server // without a cache, over past
	past   *memStore

	states []simState
	log    []cache.Change
	done   int // rows of the log
	target int // the state that the feed reads up to; it is at `fed` when it has
	fed    int

	// Few, so that questions differ in one thing alone.
	wheres, orderBys, aggregates []part
}

// simState is what a batch has left.
type simState struct {
	docs map[string][]byte // of orders
	lsn  pglogrepl.LSN
}

func newListSim(t *testing.T, seed uint64, m *model.Model) *listSim {
	s := &listSim{t: t, r: rand.New(rand.NewPCG(seed, 7)), m: m, rows: world{
		"Order": {}, "Product": shop["Product"], "Category": shop["Category"], "Customer": {},
	}}
	for key, c := range shop["Customer"] {
		s.rows["Customer"][key] = maps.Clone(c)
	}
	for key, o := range manyOrders()["Order"] {
		if key < "o07" {
			s.rows["Order"][key] = o
		}
	}
	s.store, s.past = newMemStore(t, m, s.rows), newMemStore(t, m, s.rows)
	s.store.batch = 1
	s.feed = newFakeFeed(s.store.lsn)
	s.cached = newServer(t, m, &interruptedStore{s.store, s}, func(c *Config) { c.Feed = s.feed })
	s.plain = newServer(t, m, s.past, func(c *Config) { c.Feed, c.CacheBytes = nil, 0 })
	s.orders = s.cached.schema.Types["Order"]
	s.feed.cache.Advance(1)
	s.states = []simState{{}, {s.store.docs["Order"], s.store.lsn}}
	s.fed, s.target = 1, 1
	s.wheres = append(s.some(simWheres, 2), part{})
	s.orderBys, s.aggregates = s.some(simOrders, 2), s.some(simAggregates, 2)
	return s
}

// some takes n parts.
func (s *listSim) some(of []part, n int) (parts []part) {
	for _, i := range s.r.Perm(len(of))[:n] {
		parts = append(parts, of[i])
	}
	return parts
}

// interruptedStore lets things happen between the snapshot of a statement and
// its return.
type interruptedStore struct {
	*memStore
	s *listSim
}

func (i *interruptedStore) Page(ctx context.Context, q *page.Query, visit func(PageRow) error) (PageSummary, error) {
	defer i.s.interrupt()
	return i.memStore.Page(ctx, q, visit)
}

func (i *interruptedStore) Documents(ctx context.Context, t *served.Type, keys []string, visit func(string, []byte) error) (cache.Position, error) {
	defer i.s.interrupt()
	return i.memStore.Documents(ctx, t, keys, visit)
}

func (s *listSim) interrupt() {
	for s.r.IntN(3) == 0 {
		if s.r.IntN(4) == 0 {
			s.commit()
		} else {
			s.tail()
		}
	}
}

// commit is a batch: some rows change, and the documents with them.
func (s *listSim) commit() {
	for range 1 + s.r.IntN(2) {
		s.change()
	}
	old := s.store.docs["Order"]
	fresh := newMemStore(s.t, s.m, s.rows).docs["Order"]
	s.store.mu.Lock()
	s.store.docs["Order"] = fresh
	s.store.batch++
	if s.r.IntN(3) > 0 {
		s.store.lsn += pglogrepl.LSN(1 + s.r.IntN(9))
	}
	s.store.calls = nil
	s.store.mu.Unlock()
	s.states = append(s.states, simState{fresh, s.store.lsn})
	s.announce(old, fresh)
}

// change changes one row: what orders show and no list depends on, what lists
// depend on, or whether there is the order at all.
func (s *listSim) change() {
	keys := slices.Sorted(maps.Keys(s.rows["Order"]))
	key := keys[s.r.IntN(len(keys))]
	if s.r.IntN(2) == 0 {
		key = keys[0] // again and again
	}
	o := maps.Clone(s.rows["Order"][key])
	switch s.r.IntN(14) {
	default:
		o["old"] = fmt.Sprint(s.r.IntN(1000))
	case 3:
		o["rank"] = []any{nil, 1, 2, 3}[s.r.IntN(4)]
	case 4:
		o["note"] = []any{nil, "a", "b", "d"}[s.r.IntN(4)]
	case 5:
		o["customer"] = fmt.Sprintf("c%d", 1+s.r.IntN(3))
	case 6:
		c := fmt.Sprintf("c%d", 1+s.r.IntN(3))
		s.rows["Customer"][c] = maps.Clone(s.rows["Customer"][c])
		s.rows["Customer"][c][[]string{"name", "email"}[s.r.IntN(2)]] = fmt.Sprint("n", s.r.IntN(3))
		return
	case 7:
		if len(keys) > 3 {
			delete(s.rows["Order"], key)
		}
		return
	case 8:
		key = fmt.Sprintf("o%02d", s.r.IntN(9)) // some come again
		o = maps.Clone(o)
		o["id"] = key
	}
	s.rows["Order"][key] = o
}

// announce writes the log of a batch, in rows of two keys at most.
func (s *listSim) announce(old, fresh map[string][]byte) {
	var changed []string
	for _, key := range slices.Sorted(maps.Keys(fresh)) {
		if !bytes.Equal(old[key], fresh[key]) {
			changed = append(changed, key)
		}
	}
	batch := int64(len(s.states) - 1)
	if len(changed) > 0 && s.r.IntN(10) == 0 {
		s.log = append(s.log, cache.Change{Batch: batch, Model: "Order", Whole: true, Watermark: s.store.lsn})
		return
	}
	for keys := range slices.Chunk(changed, 2) {
		s.log = append(s.log, cache.Change{Batch: batch, Model: "Order", Keys: keys, Moved: s.moved(keys, old, fresh), Watermark: s.store.lsn})
	}
	for _, key := range slices.Sorted(maps.Keys(old)) {
		if fresh[key] == nil {
			s.log = append(s.log, cache.Change{Batch: batch, Model: "Order", DeletedKeys: []string{key}, Moved: []string{cache.AnyColumn}, Watermark: s.store.lsn})
		}
	}
}

// moved is what a projector says of updated documents.
func (s *listSim) moved(keys []string, old, fresh map[string][]byte) (names []string) {
	t := s.orders.Table
	for _, key := range keys {
		if old[key] == nil {
			return []string{cache.AnyColumn}
		}
		for _, c := range t.Columns {
			a, b := s.store.column(t, c, key, old[key]), s.store.column(t, c, key, fresh[key])
			if (a == nil) != (b == nil) || a != nil && *a != *b {
				names = append(names, c.Name)
			}
		}
	}
	return names
}

// tail is a step of the feed: it begins to read, carries out a row, or has come
// to the end of what it has read.
func (s *listSim) tail() {
	now := len(s.states) - 1
	switch {
	case s.fed == s.target && s.target == now:
	case s.fed == s.target:
		s.target = s.fed + 1 + s.r.IntN(now-s.fed)
	case s.done < len(s.log) && s.log[s.done].Batch <= int64(s.target):
		s.carryOut(s.log[s.done])
		s.done++
	default:
		s.fed = s.target
		s.feed.cache.Advance(int64(s.fed))
		s.feed.move(s.states[s.fed].lsn)
	}
}

func (s *listSim) carryOut(ch cache.Change) {
	inv := s.feed.cache
	if ch.Whole {
		inv.InvalidateModel(ch.Model, ch.Watermark)
		return
	}
	inv.Invalidate(ch.Model, append(slices.Clone(ch.Keys), ch.DeletedKeys...), ch.Watermark)
	if len(ch.Moved) > 0 {
		inv.InvalidatePages(ch.Model, ch.Moved, ch.Watermark)
	}
}

// at answers a question from a state, without a cache.
func (s *listSim) at(state int, query string) string {
	s.past.docs["Order"], s.past.lsn, s.past.calls = s.states[state].docs, s.states[state].lsn, nil
	return ask(s.t, s.plain, query, "").Body.String()
}

// part is a condition or a term, and the fields that it depends on.
type part struct{ text, fields string }

var (
	simWheres = []part{
		{`rank: {gte: 2}`, "rank"}, {`rank: {ne: 3}`, "rank"}, {`rank: {isNull: true}`, "rank"}, {`note: {in: ["a", "c"]}`, "note"},
		{`note: {nin: ["a", "c"]}`, "note"}, {`note: {startsWith: "b"}`, "note"}, {`customer: {id: {eq: "c1"}}`, "customer { id }"},
		{`customer: {name: {eq: "n1"}}`, "customer { name }"}, {`not: {rank: {lt: 3}}`, "rank"}, {`or: [{rank: {eq: 1}}, {note: {contains: "d"}}]`, "rank note"},
		{`total: {lt: 10.0}`, "total"}, {`placedAt: {gt: "2024-02-03T00:00:00+00:00"}`, "placedAt"}, {`id: {in: ["o01", "o02", "o15"]}`, ""}, {``, ""},
	}
	simOrders = []part{
		{`{rank: ASC}`, "rank"}, {`{rank: DESC_NULLS_LAST}`, "rank"}, {`{note: ASC}, {rank: DESC}`, "note rank"}, {`{total: DESC}`, "total"},
		{`{customer: {name: ASC}}`, "customer { name }"}, {`{placedAt: DESC}`, "placedAt"}, {`{id: DESC}`, ""}, {``, ""},
	}
	simAggregates = []part{{`max { rank }`, ""}, {`min { total } max { note }`, ""}, {`min { customer { name } }`, ""}, {`max { total }`, ""}}
)

// question returns a list's question. What it selects of the documents is what
// the list depends on, so that the answer is that of one state, or with all
// everything.
func (s *listSim) question(all bool) string {
	where, order := s.wheres[s.r.IntN(len(s.wheres))], s.orderBys[s.r.IntN(len(s.orderBys))]
	args := fmt.Sprintf(`where: {%s}`, where.text)
	if order.text != "" {
		args += fmt.Sprintf(`, orderBy: [%s]`, order.text)
	}
	fields := "id " + where.fields + " " + order.fields
	if all {
		fields = "id old note rank total placedAt customer { id name email }"
	}
	if s.r.IntN(4) == 0 {
		return fmt.Sprintf(`{ orderList(limit: %d, offset: %d, %s) { %s } }`, 2+s.r.IntN(2), s.r.IntN(2), args, fields)
	}
	extra := ""
	if s.r.IntN(3) == 0 {
		extra += " totalCount"
	}
	if s.r.IntN(3) == 0 {
		extra += " aggregate { " + s.aggregates[s.r.IntN(len(s.aggregates))].text + " }"
	}
	window := fmt.Sprintf("%s: %d", []string{"first", "last"}[s.r.IntN(2)], 2*s.r.IntN(3))
	if s.r.IntN(2) == 0 {
		window += s.cursor(args)
	}
	return fmt.Sprintf(`{ orders(%s, %s) { nodes { %s } edges { cursor } pageInfo { hasNextPage hasPreviousPage }%s } }`, window, args, fields, extra)
}

// cursor returns an argument that begins or ends a page somewhere in a list.
func (s *listSim) cursor(args string) string {
	var a struct {
		Data struct {
			Orders struct{ Edges []struct{ Cursor string } }
		}
	}
	body := s.at(1, `{ orders(first: 9, `+args+`) { edges { cursor } } }`)
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		s.t.Fatalf("%v in %s", err, body)
	}
	edges := a.Data.Orders.Edges
	if len(edges) == 0 {
		return ""
	}
	return fmt.Sprintf(`, %s: %q`, []string{"after", "before"}[s.r.IntN(2)], edges[s.r.IntN(len(edges))].Cursor)
}
