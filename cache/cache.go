package cache

import (
	"context"
	"hash/maphash"
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pglogrepl"
)

// Defaults of Options.
const (
	DefaultStamps      = 65536
	DefaultLoadTimeout = 10 * time.Second
	maxShards          = 256
	// minShardBytes keeps the shards of a small cache large enough for large
	// documents, since none may outgrow the share of its shard.
	minShardBytes = 1 << 20
)

// Options configure a Cache. Cost is required, the rest has defaults.
type Options[V any] struct {
	// Bytes bounds what is held, over all shards: values by Cost, keys, and
	// the cache's own overhead of an entry. 0 turns the cache off: every
	// Fetch loads.
	Bytes int64
	// Shards is rounded up to a power of two. The default is 16 for each CPU,
	// but none of less than 1 MiB. A value larger than Bytes/Shards is not
	// stored.
	Shards int
	// Cost returns the bytes that a value holds on the heap. It is called
	// once for each store.
	Cost func(V) int
	// Stamps is the size of the array of LSN stamps, rounded up to a power of
	// two; 16 bytes each. Keys that share a stamp only cost needless refills.
	// The default is DefaultStamps.
	Stamps int
	// Watermark is the local watermark, of the Feed that invalidates this
	// cache: Feed.Watermark. Without it every MinLSN is answered by a load.
	Watermark func() pglogrepl.LSN
	// LoadTimeout bounds a load, which outlives the caller that started it.
	// The default is DefaultLoadTimeout.
	LoadTimeout time.Duration
	// Parallel is how many loads of a model run at once before further ones
	// gather to go together. The default is the number of CPUs, and at least 2.
	Parallel int
}

// State is what a Cache knows of a key.
type State uint8

// The states of a key.
const (
	Miss    State = iota // not cached: nothing is known
	Present              // cached with its value
	Absent               // cached as having no document
)

// Cache holds values by (model, key), and which keys have none. It is safe for
// concurrent use. A value is handed out to many readers at once, so it must
// not be changed after it was given to the cache.
type Cache[V any] struct {
	cost        func(V) int
	watermark   func() pglogrepl.LSN
	loadTimeout time.Duration
	parallel    int
	enabled     bool

	seed      maphash.Seed
	shards    []*shard[V]
	shardMask uint64
	models    registry

	// tick counts invalidations; it orders them with the starts of fills
	// within this process, where LSNs alone cannot (see stamp).
	tick   atomic.Uint64
	purged atomic.Uint64 // tick of the last Purge
	inval  sync.Mutex    // one invalidation at a time
	local  localBatch

	lanes   sync.Map // *modelInfo → *lane[V]
	flights lifetime
}

// New returns a cache. It panics without Options.Cost.
func New[V any](o Options[V]) *Cache[V] {
	if o.Cost == nil {
		panic("cache: Options.Cost is required")
	}
	c := &Cache[V]{
		cost:        o.Cost,
		watermark:   o.Watermark,
		loadTimeout: o.LoadTimeout,
		parallel:    o.Parallel,
		enabled:     o.Bytes > 0,
		seed:        maphash.MakeSeed(),
	}
	if c.watermark == nil {
		c.watermark = func() pglogrepl.LSN { return 0 }
	}
	if c.loadTimeout <= 0 {
		c.loadTimeout = DefaultLoadTimeout
	}
	if c.parallel <= 0 {
		c.parallel = defaultParallel()
	}
	c.flights.init()
	c.makeShards(o)
	return c
}

func (c *Cache[V]) makeShards(o Options[V]) {
	n := shardCount(o.Shards, o.Bytes)
	stamps := o.Stamps
	if stamps <= 0 {
		stamps = DefaultStamps
	}
	perShard := ceilPow2(max(1, stamps/n))
	c.shards = make([]*shard[V], n)
	c.shardMask = uint64(n - 1)
	for i := range c.shards {
		c.shards[i] = newShard[V](o.Bytes/int64(n), perShard)
	}
}

func shardCount(asked int, bytes int64) int {
	if asked > 0 {
		return ceilPow2(min(asked, maxShards))
	}
	n := min(ceilPow2(16*runtime.GOMAXPROCS(0)), maxShards)
	for n > 1 && bytes/int64(n) < minShardBytes {
		n /= 2
	}
	return n
}

func ceilPow2(n int) int {
	if n <= 1 {
		return 1
	}
	return 1 << bits.Len(uint(n-1))
}

// Get returns what is cached for a key. It takes one short lock and allocates
// nothing. The value reflects every change at or below the local watermark as
// it was when Get was called; a caller that reports the LSN of its answer
// reads the watermark before Get.
func (c *Cache[V]) Get(model, key string) (V, State) {
	v, state, _ := c.GetAt(model, key)
	return v, state
}

// GetAt is Get, and tells the batch that the value was read at, or UnknownBatch:
// it is at or past the batch of its last change. It is 0 for what is not cached.
func (c *Cache[V]) GetAt(model, key string) (V, State, int64) {
	var none V
	if !c.enabled {
		return none, Miss, 0
	}
	id := c.ident(c.models.get(model), key)
	sh := c.shard(id)
	sh.mu.Lock()
	e, ok := sh.lookup(id)
	sh.stat(id.model).count(e.absent, ok)
	sh.mu.Unlock()
	switch {
	case !ok:
		return none, Miss, 0
	case e.absent:
		return none, Absent, e.batch
	}
	return e.value, Present, e.batch
}

// Token marks the moment before a query began; see Begin.
type Token struct{ tick uint64 }

// Begin returns the token that Put asks for. It must be taken before the query
// that reads the documents is sent.
func (c *Cache[V]) Begin() Token { return Token{c.tick.Load()} }

// Put stores a value that came with another query, of a position of which the
// watermark alone is known: see PutAt.
func (c *Cache[V]) Put(t Token, model, key string, v V, watermark pglogrepl.LSN) bool {
	return c.PutAt(t, model, key, v, Position{Watermark: watermark})
}

// PutAt stores a value that came with another query, a list for example: at is
// the position read in that query's own snapshot, and t was taken before it. It
// reports whether the value was stored: not if an invalidation
// has overtaken it, a fresher one is there already, or it is too large.
func (c *Cache[V]) PutAt(t Token, model, key string, v V, at Position) bool {
	if !c.enabled {
		return false
	}
	id := c.ident(c.models.get(model), key)
	sh := c.shard(id)
	cost := c.cost(v)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return c.store(sh, id, entry[V]{value: v, lsn: at.Watermark, batch: at.Batch}, cost, t.tick)
}

// ident names a key within a model.
func (c *Cache[V]) ident(m *modelInfo, key string) ident {
	return ident{model: m, key: key, hash: maphash.String(c.seed, key) ^ m.salt}
}

func (c *Cache[V]) shard(id ident) *shard[V] { return c.shards[id.hash&c.shardMask] }

// store puts an entry where the stamps admit it. The shard is locked, so an
// invalidation has either left its stamp already or will delete the entry.
func (c *Cache[V]) store(sh *shard[V], id ident, e entry[V], cost int, begin uint64) bool {
	st := sh.stat(id.model)
	e.batch = known(e.batch)
	e.whole = id.model.whole.Load()
	if begin < c.purged.Load() || !sh.slot(id).admits(e.lsn, begin) || !e.whole.admits(e.lsn, begin) {
		st.Rejected++
		return false
	}
	if old, ok := sh.peek(id); ok && old.lsn > e.lsn {
		st.Rejected++
		return false
	}
	return sh.put(id, e, cost)
}

// Close cancels the loads in flight and waits for them. Fetches that need a
// load afterwards fail with ErrClosed; what is cached is still served.
func (c *Cache[V]) Close(ctx context.Context) error { return c.flights.close(ctx) }
