package cache

import "github.com/jackc/pglogrepl"

// Invalidate forgets keys of a model that a batch with the watermark lsn has
// changed. When it returns no reader gets an older version from the cache, and
// no fill that has read one will be stored.
func (c *Cache[V]) Invalidate(model string, keys []string, lsn pglogrepl.LSN) {
	c.inval.Lock()
	defer c.inval.Unlock()
	m := c.models.get(model)
	tick := c.tick.Add(1)
	for _, key := range keys {
		id := c.ident(m, key)
		sh := c.shard(id)
		sh.mu.Lock()
		sh.slot(id).raise(lsn, tick)
		sh.lru.Remove(id.hash)
		sh.stat(m).Invalidations++
		sh.mu.Unlock()
	}
	m.touched.Store(tick)
}

// InvalidateModel does for all keys of a model what Invalidate does for some,
// and forgets its pages, in constant time; what they held is freed as it is met
// or evicted.
func (c *Cache[V]) InvalidateModel(model string, lsn pglogrepl.LSN) {
	c.inval.Lock()
	defer c.inval.Unlock()
	m := c.models.get(model)
	m.wholes.Add(1)
	c.forget(m, lsn)
	c.forget(c.pagesOf(model), lsn)
}

// Purge forgets everything, the stamps included, and every fill that has begun
// before will not be stored. It is for when invalidations were lost, or the
// database is another one, so that LSNs mean nothing any more.
func (c *Cache[V]) Purge() {
	c.inval.Lock()
	defer c.inval.Unlock()
	// Before the shards are cleared: a fill that stores after its shard was
	// cleared sees it, one that stores before is cleared.
	tick := c.tick.Add(1)
	c.purged.Store(tick)
	c.Advance(0)
	for _, m := range c.models.all() {
		m.columns.Store(nil)
		m.touched.Store(tick)
		m.whole.Store(&stamp{tick: tick})
	}
	for _, sh := range c.shards {
		sh.mu.Lock()
		sh.lru.Purge()
		for i := range sh.stamps {
			// The tick stays, so that nobody joins a load begun before.
			sh.stamps[i] = stamp{tick: tick}
		}
		sh.mu.Unlock()
	}
}
