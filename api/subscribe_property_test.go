package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"freshet/api/live"
	"freshet/cache"
)

// watched are lists of which some end on their page, some do not, and some say
// more than their rows.
var watched = []string{
	`orderList(where: {customer: {id: {eq: "c1"}}}) { id note }`,
	`orderList(limit: 2, where: {customer: {id: {eq: "c2"}}}, orderBy: [{rank: DESC}]) { id rank }`,
	`orderList(limit: 2, offset: 1, where: {customer: {id: {eq: "c1"}}}) { id }`,
	`orderList(limit: 3, where: {rank: {in: [1, 2]}}, orderBy: [{placedAt: ASC}]) { id rank customer { name } }`,
	`orderList(where: {id: {in: ["o1", "o4", "o7"]}}) { id note }`,
	`orders(first: 3, where: {note: {eq: "a"}}) { totalCount nodes { id } pageInfo { hasNextPage } }`,
	`orders(first: 20, where: {note: {in: ["a", "b"]}, rank: {eq: 1}}) { totalCount edges { cursor node { id } } aggregate { max { total } } }`,
	`orders(first: 2, where: {customer: {name: {eq: "Eve"}}}) { nodes { id note } }`,
	`orders(last: 2, where: {or: [{rank: {eq: 3}}, {note: {eq: "c"}}]}) { nodes { id } }`,
	`orders(first: 0, where: {customer: {id: {eq: "c3"}}}) { totalCount }`,
}

// TestSubscriptionsMissNothing: under random inserts, updates and deletes every
// subscription comes to what the query answers, though most changes are known
// not to concern it.
func TestSubscriptionsMissNothing(t *testing.T) {
	_, s, store, feed := liveServer(t)
	type watcher struct {
		query string
		sub   *live.Subscription
		body  string
	}
	var all []*watcher
	for _, q := range watched {
		x := &exchange{w: unwritten{}, r: httptest.NewRequest(http.MethodPost, "/graphql", nil), run: s.run(t.Context()), text: []byte("subscription {" + q + "}")}
		if refused := s.prepare(x); refused != nil {
			t.Fatal(refused.errs)
		}
		query, key := x.run.liveQuery(x.op)
		sub, err := s.live.hub.Subscribe(key, query, live.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s.release(x.run)
		all = append(all, &watcher{query: q, sub: sub})
	}
	r := rand.New(rand.NewPCG(7, 8))
	compare := func(step int) {
		for _, w := range all {
			want := ask(t, s, "{"+w.query+"}", "").Body.String()
			for deadline := time.Now().Add(10 * time.Second); w.body != want; time.Sleep(100 * time.Microsecond) {
				if m, ok := w.sub.Take(); ok {
					w.body = string(m.Body)
				}
				if time.Now().After(deadline) {
					t.Fatalf("%d: %s\ngot  %s\nwant %s", step, w.query, w.body, want)
				}
			}
		}
	}
	compare(0)
	before := s.SubscriptionStats().Evaluations
	const steps = 300
	for i := range steps {
		feed.tell(randomOrderChange(t, r, s, store))
		if i%3 == 0 {
			compare(i + 1)
		}
	}
	compare(steps + 1)
	if n := s.SubscriptionStats().Evaluations - before; n > steps*uint64(len(watched))*2/3 {
		t.Errorf("%d evaluations: most changes concern few", n)
	}
}

// randomOrderChange changes an order of the store, and returns what a feed
// tells of it.
func randomOrderChange(t *testing.T, r *rand.Rand, s *Server, store *memStore) cache.Change {
	t.Helper()
	key := fmt.Sprintf("o%d", 1+r.IntN(9))
	customer := []string{"c1", "c2", "c3"}[r.IntN(3)]
	document := map[string]any{"id": key, "placedAt": fmt.Sprintf("2024-02-0%dT00:00:00+00:00", 1+r.IntN(3)), "total": fmt.Sprint(r.IntN(9)),
		"rank": 1 + r.IntN(3), "note": string(rune('a' + r.IntN(4))), "lines": []any{},
		"customer": map[string]any{"id": customer, "name": map[string]any{"c1": "Ada", "c2": nil, "c3": "Eve"}[customer]}}
	store.mu.Lock()
	defer store.mu.Unlock()
	table := s.schema.Types["Order"].Table
	values := func() map[string]string {
		data := store.docs["Order"][key]
		out := map[string]string{}
		for _, c := range table.Columns {
			if data != nil {
				if v := store.column(table, c, key, data); v != nil {
					out[c.Name] = *v
				}
			}
		}
		return out
	}
	old := store.docs["Order"][key]
	was := values()
	if old != nil && r.IntN(3) > 0 { // change little
		var kept map[string]any
		if err := json.Unmarshal(old, &kept); err != nil {
			t.Fatal(err)
		}
		name := []string{"note", "rank", "customer", "total"}[r.IntN(4)]
		kept[name] = document[name]
		document = kept
	}
	store.lsn++
	ch := cache.Change{Model: "Order", Watermark: store.lsn, Keys: []string{key}}
	if old != nil && r.IntN(4) == 0 {
		delete(store.docs["Order"], key)
		ch.Keys, ch.DeletedKeys, ch.Moved = nil, []string{key}, []string{cache.AnyColumn}
		return ch
	}
	data, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	store.docs["Order"][key] = data
	is := values()
	for _, c := range slices.Sorted(maps.Keys(is)) {
		if was[c] != is[c] {
			ch.Moved = append(ch.Moved, c)
		}
	}
	for c := range was {
		if _, still := is[c]; !still {
			ch.Moved = append(ch.Moved, c)
		}
	}
	if old == nil {
		ch.Moved = []string{cache.AnyColumn}
	}
	return ch
}
