package cache

import (
	"maps"
	"strings"
)

// Stats counts what happened to the keys of a model since the start, and what
// is held now.
type Stats struct {
	Hits          uint64 `json:"hits"`          // answered with a document
	AbsentHits    uint64 `json:"absentHits"`    // answered with the knowledge that there is none
	Misses        uint64 `json:"misses"`        // not cached, or not fresh enough for the request
	Joins         uint64 `json:"joins"`         // misses that joined a load in flight
	Fills         uint64 `json:"fills"`         // stored
	Rejected      uint64 `json:"rejected"`      // not stored: an invalidation or a fresher fill came first
	TooLarge      uint64 `json:"tooLarge"`      // not stored: larger than a shard's share
	Evictions     uint64 `json:"evictions"`     // removed for want of room
	Invalidations uint64 `json:"invalidations"` // keys invalidated, whole models counted as one
	Entries       int64  `json:"entries"`       // held now, those included that a whole invalidation left to eviction
	Bytes         int64  `json:"bytes"`         // held by them
}

// Add returns the sum of two Stats.
func (s Stats) Add(o Stats) Stats {
	s.Hits += o.Hits
	s.AbsentHits += o.AbsentHits
	s.Misses += o.Misses
	s.Joins += o.Joins
	s.Fills += o.Fills
	s.Rejected += o.Rejected
	s.TooLarge += o.TooLarge
	s.Evictions += o.Evictions
	s.Invalidations += o.Invalidations
	s.Entries += o.Entries
	s.Bytes += o.Bytes
	return s
}

// HitRate returns the share of lookups answered from the cache, 0 without any.
func (s Stats) HitRate() float64 {
	all := s.Hits + s.AbsentHits + s.Misses
	if all == 0 {
		return 0
	}
	return float64(s.Hits+s.AbsentHits) / float64(all)
}

// count notes a lookup.
func (s *Stats) count(absent, found bool) {
	switch {
	case !found:
		s.Misses++
	case absent:
		s.AbsentHits++
	default:
		s.Hits++
	}
}

// Stats returns the counters of each model's documents, and PageStats those of
// its pages: of these Invalidations counts batches that have moved something,
// and Misses those pages too that documents were ahead of.
func (c *Cache[V]) Stats() map[string]Stats {
	out := c.allStats()
	maps.DeleteFunc(out, func(name string, _ Stats) bool { return strings.HasPrefix(name, pagePrefix) })
	return out
}

// PageStats returns the counters of each model's pages: see Stats.
func (c *Cache[V]) PageStats() map[string]Stats {
	out := map[string]Stats{}
	for name, st := range c.allStats() {
		if model, ok := strings.CutPrefix(name, pagePrefix); ok {
			out[model] = st
		}
	}
	return out
}

// Total returns the counters of all models together, documents and pages.
func (c *Cache[V]) Total() Stats {
	var sum Stats
	for _, st := range c.allStats() {
		sum = sum.Add(st)
	}
	return sum
}

// allStats returns the counters by name. Those of documents are kept under the
// shards' locks, so counting costs the readers nothing.
func (c *Cache[V]) allStats() map[string]Stats {
	models := c.models.all()
	sums := make([]Stats, len(models))
	for _, sh := range c.shards {
		sh.mu.Lock()
		for i, st := range sh.stats {
			if i < len(sums) {
				sums[i] = sums[i].Add(st)
			}
		}
		sh.mu.Unlock()
	}
	out := make(map[string]Stats, len(models))
	for name, m := range models {
		sum := &sums[m.index]
		sum.Invalidations += m.wholes.Load()
		sum.Hits += m.hits.Load()
		sum.Misses += m.misses.Load()
		sum.Joins += m.joins.Load()
		out[name] = *sum
	}
	return out
}
