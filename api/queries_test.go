package api

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// TestQueriesBounded: ever new queries, and plans of old ones, stay in bounds.
func TestQueriesBounded(t *testing.T) {
	q := newQueries()
	var last *query
	for i := range 2000 {
		last = &query{text: fmt.Sprint(i, strings.Repeat(" ", 5000))}
		q.add(last)
		q.grow(last, 10_000)
	}
	q.grow(&query{text: last.text}, 1<<40)
	if q.bytes > maxQueryBytes || q.bytes < maxQueryBytes/2 {
		t.Errorf("%d bytes of %d", q.bytes, maxQueryBytes)
	}
	if _, ok := q.get(last.text); !ok {
		t.Error("the last query is not there")
	}
	q.grow(last, 1<<40)
	if q.bytes != 0 || q.lru.Len() != 0 {
		t.Errorf("after one query too large: %d bytes in %d", q.bytes, q.lru.Len())
	}
}

// TestConcurrent: requests at the same time, over one cache, get the answers
// that they get alone.
func TestConcurrent(t *testing.T) {
	m := leanModel(t)
	alone, together := newServer(t, m, newMemStore(t, m, shop)), newServer(t, m, newMemStore(t, m, shop))
	var wg sync.WaitGroup
	for worker := range uint64(4) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			g := &queryMaker{r: rand.New(rand.NewPCG(worker%2, 5)), schema: together.Schema(), world: shop, lists: true}
			for range 100 {
				query, vars := g.query()
				want, got := ask(t, alone, query, vars).Body.String(), ask(t, together, query, vars).Body.String()
				if got != want {
					t.Errorf("%s\ngot  %s\nwant %s", query, got, want)
					return
				}
			}
		}()
	}
	wg.Wait()
}
