package cache

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
)

// sim is a database with its projector, small enough to be obviously right:
// batches that change versions of keys, and a watermark that sometimes stands
// still, as it does while a commit is decoded but not yet visible.
type sim struct {
	mu      sync.Mutex
	batches []simBatch // the first is the empty start
}

type simBatch struct {
	watermark lsn
	changed   []int // keys; nil with whole: all of them
	whole     bool
	versions  [simKeys]int // after the batch; a negative one is an absent document
}

const simKeys = 6

func newSim() *sim { return &sim{batches: []simBatch{{watermark: 100}}} }

func key(k int) string { return strconv.Itoa(k) }

// commit adds a batch of random changes.
func (s *sim) commit(r *rand.Rand) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.batches[len(s.batches)-1]
	n := len(s.batches)
	b.changed, b.whole = nil, r.IntN(12) == 0
	if r.IntN(3) > 0 {
		b.watermark += lsn(1 + r.IntN(20))
	}
	for k := range simKeys {
		if b.whole || r.IntN(3) == 0 {
			b.versions[k] = n
			if r.IntN(5) == 0 {
				b.versions[k] = -n
			}
			b.changed = append(b.changed, k)
		}
	}
	s.batches = append(s.batches, b)
}

func (s *sim) at(i int) simBatch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.batches[i]
}

func (s *sim) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.batches)
}

// read is what a load's one statement returns.
func (s *sim) read(keys []string) Loaded[string] {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.batches[len(s.batches)-1]
	out := Loaded[string]{Values: map[string]string{}, Watermark: b.watermark}
	for _, name := range keys {
		k, _ := strconv.Atoi(name)
		if v := b.versions[k]; v > 0 {
			out.Values[name] = strconv.Itoa(v)
		}
	}
	return out
}

// reached is the first batch whose watermark is at or past w: what is served
// under w is at least as fresh.
func (s *sim) reached(w lsn) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, b := range s.batches {
		if b.watermark >= w {
			return i
		}
	}
	return len(s.batches)
}

// apply is what the feed does with a batch before it lets the watermark go on.
func (b *simBatch) apply(c Invalidator) {
	if b.whole {
		c.InvalidateModel("Post", b.watermark)
		return
	}
	var keys []string
	for _, k := range b.changed {
		keys = append(keys, key(k))
	}
	c.Invalidate("Post", keys, b.watermark)
}

// check compares a document served with the batch it must be as fresh as. An
// absent document tells no version, so it is looked for in the history.
func (s *sim) check(k int, d Doc[string], batch int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	least := s.batches[batch].versions[k]
	if d.Present {
		v, _ := strconv.Atoi(d.Value)
		if v < max(least, -least) {
			return fmt.Errorf("key %d: version %d served where batch %d (version %d) is known", k, v, batch, least)
		}
		return nil
	}
	for _, b := range s.batches[batch:] {
		if b.versions[k] <= 0 {
			return nil
		}
	}
	return fmt.Errorf("key %d: absent served, but it has existed since batch %d", k, batch)
}
