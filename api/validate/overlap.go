package validate

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// overlapRule: fields that answer under one name must be the same field with
// the same arguments, or belong to objects of different types.
type overlapRule struct {
	v        *walker
	budget   int
	compared map[[2]string]bool // pairs of fragments; the value: as exclusive ones
	sets     map[setKey]*fieldSet
}

// maxComparisons bounds the work, which can grow with the square of the fields.
const maxComparisons = 500_000

func newOverlapRule(v *walker) *overlapRule {
	return &overlapRule{v: v, budget: maxComparisons, compared: map[[2]string]bool{}, sets: map[setKey]*fieldSet{}}
}

func (r *overlapRule) spend(n int) {
	if r.budget -= n; r.budget < 0 {
		r.v.abort()
	}
}

// setKey names a selection set, by its first element, as it is for objects of
// a type.
type setKey struct {
	parent *ast.Definition
	first  ast.Selection
}

// fieldSet are the fields of a selection set by their response names, and the
// fragments that it spreads.
type fieldSet struct {
	names    []string
	fields   map[string][]*fieldUse
	spreads  []string
	compared map[string]bool // with fragments; the value: as exclusive ones
	overlaps map[*fieldSet][]string
}

// fieldUse is a field in a selection set.
type fieldUse struct {
	parent *ast.Definition
	node   *ast.Field
	def    *ast.FieldDefinition
}

func (u *fieldUse) simple() bool { return len(u.node.Arguments) == 0 && u.node.SelectionSet == nil }

func (u *fieldUse) typ() *ast.Type {
	if u.def == nil {
		return nil
	}
	return u.def.Type
}

// conflict is two or more fields that cannot be merged.
type conflict struct {
	name, reason string
	left, right  []gqlerror.Location
}

// check looks at a selection set.
func (r *overlapRule) check(parent *ast.Definition, set ast.SelectionSet) {
	if len(set) == 1 {
		if _, inline := set[0].(*ast.InlineFragment); !inline {
			return
		}
	}
	for _, c := range r.within(parent, set) {
		r.v.report(fmt.Sprintf("Fields \"%s\" conflict because %s. Use different aliases on the fields to fetch both if this was intentional.",
			abbreviated(c.name), c.reason), append(c.left, c.right...)...)
	}
}

const maxDetail = 1000

func abbreviated(text string) string {
	if len(text) <= maxDetail {
		return text
	}
	return text[:maxDetail] + "..."
}

func (r *overlapRule) within(parent *ast.Definition, set ast.SelectionSet) (found []conflict) {
	fs := r.collect(parent, set)
	for _, name := range fs.names {
		uses := fs.fields[name]
		for i := range uses {
			for _, other := range uses[i+1:] {
				found = r.compare(found, false, name, uses[i], other)
			}
		}
	}
	if len(fs.spreads) == 0 || len(fs.names) == 0 && len(fs.spreads) == 1 {
		return found
	}
	for i, name := range fs.spreads {
		found = r.withFragment(found, false, fs, name)
		for _, other := range fs.spreads[i+1:] {
			found = r.betweenFragments(found, false, name, other)
		}
	}
	return found
}

// withFragment compares fields with a fragment's.
func (r *overlapRule) withFragment(found []conflict, exclusive bool, fs *fieldSet, name string) []conflict {
	r.spend(1)
	if len(fs.names) == 0 {
		return found
	}
	if as, ok := fs.compared[name]; ok && (!as || exclusive) {
		return found
	}
	fs.compared[name] = exclusive
	f := r.v.byName[name]
	if f == nil {
		return found
	}
	other := r.collectFragment(f)
	if other == fs {
		return found
	}
	found = r.between(found, exclusive, fs, other)
	for _, next := range other.spreads {
		found = r.withFragment(found, exclusive, fs, next)
	}
	return found
}

// betweenFragments compares two fragments, and what they spread.
func (r *overlapRule) betweenFragments(found []conflict, exclusive bool, a, b string) []conflict {
	r.spend(2)
	if a == b || r.have(a, b, exclusive) {
		return found
	}
	r.compared[[2]string{a, b}] = exclusive
	f, g := r.v.byName[a], r.v.byName[b]
	if f == nil || g == nil {
		return found
	}
	x, y := r.collectFragment(f), r.collectFragment(g)
	found = r.between(found, exclusive, x, y)
	for _, next := range y.spreads {
		found = r.betweenFragments(found, exclusive, a, next)
	}
	for _, next := range x.spreads {
		found = r.betweenFragments(found, exclusive, next, b)
	}
	return found
}

// have says whether two fragments were compared at least as strictly.
func (r *overlapRule) have(a, b string, exclusive bool) bool {
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		if as, ok := r.compared[pair]; ok && (exclusive || !as) {
			return true
		}
	}
	return false
}

// between compares two sets of fields.
func (r *overlapRule) between(found []conflict, exclusive bool, a, b *fieldSet) []conflict {
	if len(a.names) == 0 || len(b.names) == 0 {
		return found
	}
	for _, name := range r.common(a, b) {
		for _, x := range a.fields[name] {
			for _, y := range b.fields[name] {
				found = r.compare(found, exclusive, name, x, y)
			}
		}
	}
	return found
}

// common returns the response names that two sets share.
func (r *overlapRule) common(a, b *fieldSet) []string {
	if names, ok := a.overlaps[b]; ok {
		return names
	}
	var names []string
	for _, name := range a.names {
		r.spend(1)
		if b.fields[name] != nil {
			names = append(names, name)
		}
	}
	a.overlaps[b] = names
	return names
}

// sub compares the selections of two fields.
func (r *overlapRule) sub(exclusive bool, a, b *fieldUse) (found []conflict) {
	x, y := r.collect(r.v.schema.def(a.typ()), a.node.SelectionSet), r.collect(r.v.schema.def(b.typ()), b.node.SelectionSet)
	found = r.between(found, exclusive, x, y)
	for _, name := range y.spreads {
		found = r.withFragment(found, exclusive, x, name)
	}
	for _, name := range x.spreads {
		found = r.withFragment(found, exclusive, y, name)
	}
	for _, name := range x.spreads {
		for _, other := range y.spreads {
			found = r.betweenFragments(found, exclusive, name, other)
		}
	}
	return found
}

func (r *overlapRule) collectFragment(f *ast.FragmentDefinition) *fieldSet {
	return r.collect(r.v.schema.named(f.TypeCondition), f.SelectionSet)
}

// collect returns the fields of a selection set.
func (r *overlapRule) collect(parent *ast.Definition, set ast.SelectionSet) *fieldSet {
	key := setKey{parent, set[0]}
	if fs, ok := r.sets[key]; ok {
		return fs
	}
	fs := &fieldSet{fields: map[string][]*fieldUse{}, compared: map[string]bool{}, overlaps: map[*fieldSet][]string{}}
	r.add(fs, map[string]bool{}, parent, set)
	r.sets[key] = fs
	return fs
}

func (r *overlapRule) add(fs *fieldSet, seen map[string]bool, parent *ast.Definition, set ast.SelectionSet) {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			if fs.fields[sel.Alias] == nil {
				fs.names = append(fs.names, sel.Alias)
			}
			fs.fields[sel.Alias] = append(fs.fields[sel.Alias], &fieldUse{parent, sel, r.v.schema.ownField(parent, sel.Name)})
		case *ast.FragmentSpread:
			if !seen[sel.Name] {
				seen[sel.Name] = true
				fs.spreads = append(fs.spreads, sel.Name)
			}
		case *ast.InlineFragment:
			inside := parent
			if sel.TypeCondition != "" {
				inside = r.v.schema.named(sel.TypeCondition)
			}
			r.add(fs, seen, inside, sel.SelectionSet)
		}
	}
}
