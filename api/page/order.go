package page

import (
	"fmt"
	"slices"
)

// Term is one term of an order.
type Term struct {
	Column     *Column
	Descending bool
	NullsFirst bool
}

// Reverse returns the term of the opposite order.
func (t Term) Reverse() Term {
	return Term{Column: t.Column, Descending: !t.Descending, NullsFirst: !t.NullsFirst}
}

// SQL returns the term as ORDER BY writes it. The placement of NULLs is left
// out where it is Postgres' own, or where there are none.
func (t Term) SQL() string {
	s := t.Column.SQL()
	if t.Descending {
		s += " DESC"
	}
	if t.Column.NotNull || t.NullsFirst == t.Descending {
		return s
	}
	if t.NullsFirst {
		return s + " NULLS FIRST"
	}
	return s + " NULLS LAST"
}

// String returns the term as people and cursors know it.
func (t Term) String() string {
	s := t.Column.Path
	if t.Descending {
		s += " desc"
	}
	if t.NullsFirst != t.Descending {
		s += " nulls"
	}
	return s
}

// Total makes an order total: terms behind the key or named twice change
// nothing and are left out, and the key is added as the last term, in the
// direction of the one before it, so that an index can be read either way.
func (t *Table) Total(terms []Term) []Term {
	out := make([]Term, 0, len(terms)+1)
	for _, term := range terms {
		if slices.ContainsFunc(out, func(o Term) bool { return o.Column == term.Column }) {
			continue
		}
		out = append(out, term)
		if term.Column == t.Key {
			return out
		}
	}
	key := Term{Column: t.Key}
	if len(out) > 0 {
		key.Descending = out[len(out)-1].Descending
		key.NullsFirst = key.Descending
	}
	return append(out, key)
}

// CheckOrder says whether an index yields the order's first term: it must
// begin an index, or follow in one behind columns that the condition fixes.
func (t *Table) CheckOrder(order []Term, where Cond) error {
	first := order[0].Column
	if first == t.Key {
		return nil
	}
	fixed := Fixed(where)
	for _, index := range t.Indexes {
		for _, c := range index {
			if c == first {
				return nil
			}
			if !slices.Contains(fixed, c) {
				break
			}
		}
	}
	return fmt.Errorf("%s cannot be ordered by %s first: no index begins with it, and where fixes none that does", t.Type, first.Path)
}
