// Package document holds prepared documents: the JSON of one read model's row,
// scanned once, so that a selection of it is copied by offsets.
//
// Guarantees: reading a field costs the same whatever the size of the document
// and never parses; a Document is immutable and safe for concurrent use; the
// package is pure (no database, no clock, no logger).
package document

import (
	"sort"

	"freshet/model"
)

// Shape is the layout of one object of a document: what the model says is in
// it, as numbered slots. Shapes are built once, from a model.Selection, and are
// immutable.
type Shape struct {
	Type  *model.Type
	Slots []Slot
	// Key is the slot of the type's key field, or -1.
	Key    int
	byName map[string]int
	sorted []int // slots in the order in which jsonb writes their keys
}

// Slot is one field of a Shape.
type Slot struct {
	Field *model.Field
	Sub   *Shape // relations: what is embedded of the target
	Many  bool   // relations: a list of objects
}

// NewShape returns the Shape of a selection.
func NewShape(sel *model.Selection) *Shape {
	s := &Shape{Type: sel.Type, Key: -1, byName: make(map[string]int, len(sel.Items))}
	key := sel.Type.KeyField()
	for i, item := range sel.Items {
		slot := Slot{Field: item.Field}
		if item.Field.Kind == model.Relates && item.Sub != nil {
			slot.Sub = NewShape(item.Sub)
			slot.Many = item.Field.Relation.ToMany()
		}
		if item.Field == key {
			s.Key = i
		}
		s.Slots = append(s.Slots, slot)
		s.byName[item.Field.Name] = i
		s.sorted = append(s.sorted, i)
	}
	sort.Slice(s.sorted, func(a, b int) bool {
		return keyLess(s.Slots[s.sorted[a]].Field.Name, s.Slots[s.sorted[b]].Field.Name)
	})
	return s
}

// Slot returns the slot of a field by its name, or -1.
func (s *Shape) Slot(name string) int {
	if i, ok := s.byName[name]; ok {
		return i
	}
	return -1
}

// keyLess is the order of keys in jsonb: by length, then by bytes.
func keyLess(a, b string) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

// find returns the slot of a key, or -1. next is how many keys were found
// before it: jsonb writes them in order, so that a look-up is rarely needed.
func (s *Shape) find(key []byte, next int) int {
	if next < len(s.sorted) {
		if i := s.sorted[next]; s.Slots[i].Field.Name == string(key) {
			return i
		}
	}
	if i, ok := s.byName[string(key)]; ok {
		return i
	}
	return -1
}
