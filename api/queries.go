package api

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// queries is a cache of queries by their text, bounded in bytes: whoever sends
// ever new ones only pushes out others.
type queries struct {
	mu    sync.Mutex
	lru   *simplelru.LRU[string, *query]
	bytes int
}

// Bounds and costs of the query cache, in bytes.
const (
	maxQueries    = 10_000
	maxQueryBytes = 32 << 20
	textCost      = 20  // of a byte of text, with what was parsed of it
	fieldCost     = 300 // of a field of a plan
)

func newQueries() *queries {
	q := &queries{}
	lru, err := simplelru.NewLRU(maxQueries, func(_ string, old *query) { q.bytes -= old.cost })
	if err != nil {
		panic("the size of the query cache is positive: " + err.Error())
	}
	q.lru = lru
	return q
}

// get returns a query; text may be a view.
func (q *queries) get(text string) (*query, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lru.Get(text)
}

// add takes a query in, unless it is too large or there already.
func (q *queries) add(parsed *query) {
	parsed.cost = len(parsed.text) * textCost
	if parsed.cost > maxQueryBytes/8 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.lru.Contains(parsed.text) {
		return
	}
	q.lru.Add(parsed.text, parsed)
	q.bytes += parsed.cost
	q.shrink()
}

// grow notes that a query takes more than it did. One that is not in the cache
// lives only as long as its request.
func (q *queries) grow(parsed *query, cost int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if have, ok := q.lru.Peek(parsed.text); !ok || have != parsed {
		return
	}
	parsed.cost += cost
	q.bytes += cost
	q.shrink()
}

func (q *queries) shrink() {
	for q.bytes > maxQueryBytes {
		q.lru.RemoveOldest()
	}
}
