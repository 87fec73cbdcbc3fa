package batch

import (
	"iter"
	"maps"
	"slices"
	"strings"
)

// Value is the start of a path: the old or new values of a changed row in the
// columns of compile.Path.Start, in text form. A single column is the text
// itself; several are joined as Join does.
type Value string

// Dirty is what a transaction, or a batch of them, made dirty: for each path
// the set of its start values, and the read models that must be rebuilt whole.
// The zero value is empty and ready to use. A copy shares its content: only
// one of the two may go on being changed.
type Dirty struct {
	paths map[int]map[Value]struct{}
	whole map[int]struct{}
	size  int // values held, over all paths
}

// Add adds a start value of a path. The text is copied when it is kept, so it
// may be part of a larger string.
func (d *Dirty) Add(pathID int, v Value) {
	values := d.paths[pathID]
	if _, held := values[v]; held {
		return
	}
	if values == nil {
		values = d.open(pathID, 1)
	}
	values[Value(strings.Clone(string(v)))] = struct{}{}
	d.size++
}

// open makes the set of a path that has none.
func (d *Dirty) open(pathID, size int) map[Value]struct{} {
	if d.paths == nil {
		d.paths = make(map[int]map[Value]struct{})
	}
	values := make(map[Value]struct{}, size)
	d.paths[pathID] = values
	return values
}

// AddWhole marks a read model, by its ID, to be rebuilt whole.
func (d *Dirty) AddWhole(modelID int) {
	if d.whole == nil {
		d.whole = make(map[int]struct{})
	}
	d.whole[modelID] = struct{}{}
}

// Merge adds all of other, which must not be used any more afterwards: d may
// take over its parts.
func (d *Dirty) Merge(other Dirty) {
	for id := range other.whole {
		d.AddWhole(id)
	}
	for path, values := range other.paths {
		d.mergePath(path, values)
	}
}

// mergePath adds the smaller of the two sets to the larger one.
func (d *Dirty) mergePath(path int, values map[Value]struct{}) {
	held := d.paths[path]
	if held == nil {
		held = d.open(path, 0)
	}
	before := len(held)
	if len(values) > len(held) {
		held, values = values, held
		d.paths[path] = held
	}
	for v := range values {
		held[v] = struct{}{}
	}
	d.size += len(held) - before
}

// Drop forgets the values of a path.
func (d *Dirty) Drop(pathID int) {
	d.size -= len(d.paths[pathID])
	delete(d.paths, pathID)
}

// Size is the number of values held, over all paths.
func (d *Dirty) Size() int { return d.size }

// Empty says whether nothing is dirty.
func (d *Dirty) Empty() bool { return d.size == 0 && len(d.whole) == 0 }

// Paths returns the IDs of the paths that have values, ascending.
func (d *Dirty) Paths() []int { return sortedKeys(d.paths) }

// Len is the number of values of a path.
func (d *Dirty) Len(pathID int) int { return len(d.paths[pathID]) }

// Values yields the values of a path, in no order.
func (d *Dirty) Values(pathID int) iter.Seq[Value] { return maps.Keys(d.paths[pathID]) }

// Whole returns the IDs of the read models to be rebuilt whole, ascending.
func (d *Dirty) Whole() []int { return sortedKeys(d.whole) }

// IsWhole says whether a read model must be rebuilt whole.
func (d *Dirty) IsWhole(modelID int) bool {
	_, whole := d.whole[modelID]
	return whole
}

func sortedKeys[V any](m map[int]V) []int {
	if len(m) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}
