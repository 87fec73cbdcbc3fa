package api

import (
	"freshet/api/served"
)

// Without a cache the documents of a page serve one answer, and then only what
// that takes from them need be read. It saves the database to write out whole
// documents, which costs it far more than to find them.

// spared returns the fields that a list takes nothing of, or nil if its documents
// had better be read whole.
func spared(f *rootField) []string {
	if f.kind == rootPlain {
		return sparedBy(f.root.Type, f.sel)
	}
	var sels []*selection
	for i := range f.list.fields {
		cf := &f.list.fields[i]
		sels = append(sels, cf.sel)
		for j := range cf.edges {
			sels = append(sels, cf.edges[j].sel)
		}
	}
	return sparedBy(f.root.Type, sels...)
}

// sparedBy returns the fields of a type's documents that no selection takes; nil
// selections take none. It is nil where those are not worth the while, or not
// known.
func sparedBy(t *served.Type, sels ...*selection) []string {
	slots := t.Shape.Slots
	taken := make([]bool, len(slots))
	if t.Shape.Key >= 0 {
		taken[t.Shape.Key] = true
	}
	for _, sel := range sels {
		if sel != nil && !sel.take(taken) {
			return nil
		}
	}
	var names []string
	lists := 0
	for i, s := range slots {
		if !taken[i] {
			names = append(names, s.Field.Name)
			if s.Many {
				lists++
			}
		}
	}
	if lists == 0 && 2*len(names) <= len(slots) {
		return nil
	}
	return names
}

// take notes the slots of a whole document that a selection takes; ok is false
// if that is not known.
func (sel *selection) take(slots []bool) (ok bool) {
	if sel.load {
		return false
	}
	for i := range sel.fields {
		f := &sel.fields[i]
		switch f.kind {
		case fieldTypename:
		case fieldLeaf, fieldEnum, fieldLeaves, fieldOne, fieldMany, fieldNodeID:
			slots[f.slot] = true
		case fieldFirstOf:
			for _, c := range f.choices {
				slots[c.slot] = true
			}
		default:
			return false
		}
	}
	return true
}
