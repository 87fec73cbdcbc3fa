package soak

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// tally counts things by name. It is safe for concurrent use.
type tally struct {
	mu sync.Mutex
	n  map[string]int64
}

func (t *tally) add(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n == nil {
		t.n = map[string]int64{}
	}
	t.n[name]++
}

// get returns the counts of the given names together, or of all.
func (t *tally) get(names ...string) (sum int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, n := range t.n {
		if len(names) == 0 || slices.Contains(names, name) {
			sum += n
		}
	}
	return sum
}

// String lists the counts by name.
func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var parts []string
	for name, n := range t.n {
		parts = append(parts, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// drawn counts the transactions of a run: what came of them, and those that
// are of a special kind.
type drawn struct {
	committed, rolledBack, special tally
}

// book counts one transaction, under the kind of its writer's drawing.
func (d *drawn) book(t *transaction, o outcome) {
	if !o.committed {
		d.rolledBack.add(t.kind)
		return
	}
	d.committed.add(t.kind)
	if t.kind != mixed {
		d.special.add(t.kind)
	}
	if t.end == prepared {
		d.special.add("in two phases")
	}
	for _, s := range t.steps {
		if s.mark == open {
			d.special.add("with savepoints")
			return
		}
	}
}
