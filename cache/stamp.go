package cache

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/jackc/pglogrepl"
)

// stamp is the last invalidation of the keys that share it: its LSN, and when
// this process did it, counted by Cache.tick.
//
// The LSN alone does not decide. Two batches may have the same watermark (it
// stands still while a commit is decoded but not yet visible, and later
// commits are applied meanwhile), so a fill that carries the LSN of a stamp
// may have read before or after it. The tick does: a change is committed
// before it is in the log that the invalidation was read from, so a fill that
// began after the invalidation sees it. A fill that began before counts only
// if its own watermark is higher.
type stamp struct {
	lsn  pglogrepl.LSN // the highest
	tick uint64        // the last
}

// raise notes an invalidation.
func (s *stamp) raise(lsn pglogrepl.LSN, tick uint64) {
	s.lsn = max(s.lsn, lsn)
	s.tick = tick
}

// admits reports whether a fill that began at the tick begin and read at lsn
// has seen the invalidation.
func (s *stamp) admits(lsn pglogrepl.LSN, begin uint64) bool {
	return lsn > s.lsn || (lsn == s.lsn && s.tick <= begin)
}

// overtakes reports whether the invalidation came after begin.
func (s *stamp) overtakes(begin uint64) bool { return s.tick > begin }

// modelInfo is a read model as the cache knows it. Its address is its identity.
type modelInfo struct {
	name  string
	index int    // into the counters of each shard
	salt  uint64 // the model's part of a key's hash
	// whole is the last invalidation of all its keys; never nil. An entry
	// remembers the one it was stored under, and is dead under another: so a
	// whole model is invalidated at once, whatever its size.
	whole  atomic.Pointer[stamp]
	wholes atomic.Uint64
	// touched is the tick of the last invalidation of any of its keys.
	touched atomic.Uint64

	pages atomic.Pointer[modelInfo] // those of the model's pages, once there are any

	// Of the pages of a model alone, which are registered as a model of their own:
	columns             atomic.Pointer[marks]
	hits, misses, joins atomic.Uint64
}

// registry holds the models seen so far. Names come from the served schema and
// the log, never from a request, so it does not grow without bound.
type registry struct {
	byName atomic.Pointer[map[string]*modelInfo]
	mu     sync.Mutex
}

func (r *registry) get(name string) *modelInfo {
	if all := r.byName.Load(); all != nil {
		if m, ok := (*all)[name]; ok {
			return m
		}
	}
	return r.add(name)
}

func (r *registry) add(name string) *modelInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := make(map[string]*modelInfo)
	if all := r.byName.Load(); all != nil {
		if m, ok := (*all)[name]; ok {
			return m
		}
		for k, m := range *all {
			next[k] = m
		}
	}
	m := &modelInfo{name: name, index: len(next), salt: maphash.String(maphash.MakeSeed(), name)}
	m.whole.Store(&stamp{})
	next[name] = m
	r.byName.Store(&next)
	return m
}

func (r *registry) all() map[string]*modelInfo {
	if all := r.byName.Load(); all != nil {
		return *all
	}
	return nil
}
