package cache

import (
	"math"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/jackc/pglogrepl"
)

// entryOverhead is what an entry holds beside its key's bytes and its value's
// cost: the list element with its header of key and value, and its place in
// the map. TestBytesAreTrue compares it with the heap.
const entryOverhead = 256

// footprint is what a process takes for so many bytes of entries: the heap has
// pages that are filled in part, the more so as entries come and go (seen: a
// tenth), and whoever counts without them leaves the collector no room to work
// in.
func footprint(bytes int) int64 { return int64(bytes) * 9 / 8 }

// ident names an entry. The hash is that of both; it finds the entry, and the
// names decide: of two keys with one hash only one is cached at a time.
type ident struct {
	model *modelInfo
	key   string
	hash  uint64
}

// entry is what is cached for a key.
type entry[V any] struct {
	model  *modelInfo
	key    string
	value  V
	lsn    pglogrepl.LSN // watermark of the fill
	batch  int64         // the last one that the fill has seen
	whole  *stamp        // the model's last whole invalidation when it was stored
	size   int64
	absent bool
	page   any // of an entry of Pages, its *pageEntry
}

// shard is a part of the cache under one lock: an LRU, the stamps of its keys,
// the flights that fill them, and its share of the counters.
type shard[V any] struct {
	mu        sync.Mutex
	lru       *simplelru.LRU[uint64, entry[V]]
	limit     int64
	bytes     int64
	stamps    []stamp
	stampMask uint64
	flights   map[ident]*flight[V]
	stats     []Stats
}

func newShard[V any](limit int64, stamps int) *shard[V] {
	sh := &shard[V]{
		limit:     limit,
		stamps:    make([]stamp, stamps),
		stampMask: uint64(stamps - 1),
		flights:   make(map[ident]*flight[V]),
	}
	// The bound is in bytes, so the LRU's own bound of entries is out of the
	// way; a positive size is never an error.
	sh.lru, _ = simplelru.NewLRU(math.MaxInt, sh.dropped)
	return sh
}

// dropped keeps the account of an entry that left, for whatever reason.
func (sh *shard[V]) dropped(_ uint64, e entry[V]) {
	st := sh.stat(e.model)
	st.Entries--
	st.Bytes -= e.size
	sh.bytes -= e.size
}

// stat returns the counters of a model in this shard.
func (sh *shard[V]) stat(m *modelInfo) *Stats {
	for m.index >= len(sh.stats) {
		sh.stats = append(sh.stats, Stats{})
	}
	return &sh.stats[m.index]
}

// slot returns the stamp of a key.
func (sh *shard[V]) slot(id ident) *stamp { return &sh.stamps[(id.hash>>32)&sh.stampMask] }

// lookup returns a live entry and makes it the most recently used.
func (sh *shard[V]) lookup(id ident) (entry[V], bool) {
	e, ok := sh.lru.Get(id.hash)
	if !ok || !e.is(id) {
		return entry[V]{}, false
	}
	if e.whole != id.model.whole.Load() {
		sh.lru.Remove(id.hash)
		return entry[V]{}, false
	}
	return e, true
}

// peek returns a live entry and leaves it where it is.
func (sh *shard[V]) peek(id ident) (entry[V], bool) {
	e, ok := sh.lru.Peek(id.hash)
	if !ok || !e.is(id) || e.whole != id.model.whole.Load() {
		return entry[V]{}, false
	}
	return e, true
}

// is reports whether the entry is that of a key, and not of another one with
// the same hash.
func (e *entry[V]) is(id ident) bool { return e.model == id.model && e.key == id.key }

// put stores an entry, evicting the oldest ones until it fits.
func (sh *shard[V]) put(id ident, e entry[V], cost int) bool {
	st := sh.stat(id.model)
	sh.lru.Remove(id.hash)
	e.size = footprint(cost + len(id.key) + entryOverhead)
	if e.size > sh.limit {
		st.TooLarge++
		return false
	}
	for sh.bytes+e.size > sh.limit {
		_, old, _ := sh.lru.RemoveOldest()
		sh.stat(old.model).Evictions++
	}
	// A key may be cut out of a whole request, which it would keep alive.
	e.model, e.key = id.model, strings.Clone(id.key)
	sh.lru.Add(id.hash, e)
	st = sh.stat(id.model) // it may have moved
	st.Entries++
	st.Bytes += e.size
	st.Fills++
	sh.bytes += e.size
	return true
}
