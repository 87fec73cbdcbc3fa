package validate

import (
	"fmt"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"freshet/api/syntax"
)

// fragments are a document's fragments and what is reached through them.
type fragments struct {
	byName  map[string]*ast.FragmentDefinition
	spreads map[any][]*ast.FragmentSpread // of an operation or fragment
	used    map[any][]usage               // of an operation or fragment alone
	work    int                           // that may still be done
	visited map[string]bool               // by cycles
}

// maxFragmentWork bounds what fragments that spread fragments can cost.
const maxFragmentWork = 50_000

func newFragments(doc *syntax.Document) *fragments {
	f := &fragments{
		byName: map[string]*ast.FragmentDefinition{}, spreads: map[any][]*ast.FragmentSpread{}, used: map[any][]usage{},
		work: maxFragmentWork, visited: map[string]bool{},
	}
	for _, def := range doc.Fragments {
		f.byName[def.Name] = def // the last one counts
	}
	return f
}

func (v *walker) spend(work int) {
	if v.work -= work; v.work < 0 {
		v.abort()
	}
}

// spreadsOf returns the spreads in a selection set, also in its fields'.
func (f *fragments) spreadsOf(of any, set ast.SelectionSet) []*ast.FragmentSpread {
	if found, ok := f.spreads[of]; ok {
		return found
	}
	var found []*ast.FragmentSpread
	todo := []ast.SelectionSet{set}
	for len(todo) > 0 {
		last := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, sel := range last {
			switch sel := sel.(type) {
			case *ast.FragmentSpread:
				found = append(found, sel)
			case *ast.Field:
				if sel.SelectionSet != nil {
					todo = append(todo, sel.SelectionSet)
				}
			case *ast.InlineFragment:
				todo = append(todo, sel.SelectionSet)
			}
		}
	}
	f.spreads[of] = found
	return found
}

// reached returns the fragments that operations reach, in the order in which
// they do.
func (v *walker) reached(ops ...*ast.OperationDefinition) []*ast.FragmentDefinition {
	seen := map[string]bool{}
	var names []string
	add := func(spreads []*ast.FragmentSpread) {
		for _, s := range spreads {
			if !seen[s.Name] {
				seen[s.Name] = true
				names = append(names, s.Name)
			}
		}
	}
	for _, op := range ops {
		add(v.spreadsOf(op, op.SelectionSet))
	}
	v.spend(len(names))
	var found []*ast.FragmentDefinition
	for i := 0; i < len(names); i++ {
		if f := v.byName[names[i]]; f != nil {
			found = append(found, f)
			spreads := v.spreadsOf(f, f.SelectionSet)
			v.spend(len(spreads))
			add(spreads)
		}
	}
	return found
}

// usage is the use of a variable: where it stands, which type is expected
// there (nil is unknown), and whether that place has a default.
type usage struct {
	value      *ast.Value
	expected   *ast.Type
	hasDefault bool
}

// usesOf returns the uses of variables that an operation reaches.
func (v *walker) usesOf(op *ast.OperationDefinition) []usage {
	frags := v.reached(op)
	v.spend(len(frags))
	var all []usage
	for _, f := range frags {
		uses := v.usesIn(f, func(w *walker) { w.enterFragment(f) })
		v.spend(len(uses))
		all = append(all, uses...)
	}
	v.spend(len(all))
	own := v.usesIn(op, func(w *walker) { w.enterOperation(op) })
	return append(own[:len(own):len(own)], all...)
}

// usesIn returns the uses in an operation or fragment alone.
func (v *walker) usesIn(of any, walk func(*walker)) []usage {
	if uses, ok := v.used[of]; ok {
		return uses
	}
	var uses []usage
	walk(&walker{schema: v.schema, doc: v.doc, fragments: v.fragments, usages: func(u usage) { uses = append(uses, u) }})
	v.used[of] = uses
	return uses
}

// fragmentNames are where the fragments met so far have their names.
type fragmentNames map[string]gqlerror.Location

func (known fragmentNames) unique(v *walker, f *ast.FragmentDefinition) {
	place := v.doc.Place(f, syntax.Name)
	if first, ok := known[f.Name]; ok {
		v.report(fmt.Sprintf("There can be only one fragment named \"%s\".", f.Name), first, place)
		return
	}
	known[f.Name] = place
}

func (v *walker) unusedFragments() {
	used := map[string]bool{}
	for _, f := range v.reached(v.doc.Operations...) {
		used[f.Name] = true
	}
	for _, f := range v.doc.Fragments {
		if !used[f.Name] {
			v.report(fmt.Sprintf("Fragment \"%s\" is never used.", f.Name), at(f.Position))
		}
	}
}

func (v *walker) knownFragment(s *ast.FragmentSpread) {
	if v.byName[s.Name] == nil {
		v.report(fmt.Sprintf("Unknown fragment \"%s\".", s.Name), v.doc.Place(s, syntax.Name))
	}
}

// onComposite: fragments are for types that have fields.
func (v *walker) onComposite(condition, name string, node any) {
	d := v.schema.named(condition)
	if d == nil || d.IsCompositeType() {
		return
	}
	who := "Fragment"
	if name != "" {
		who = fmt.Sprintf("Fragment \"%s\"", name)
	}
	v.report(fmt.Sprintf("%s cannot condition on non composite type \"%s\".", who, condition), v.doc.Place(node, syntax.Condition))
}

func (v *walker) possibleInline(f *ast.InlineFragment, t *ast.Type) {
	d, parent := v.schema.def(t), v.parent()
	if d != nil && d.IsCompositeType() && parent != nil && !v.schema.overlap(d, parent) {
		v.report(fmt.Sprintf("Fragment cannot be spread here as objects of type \"%s\" can never be of type \"%s\".", parent.Name, t), at(f.Position))
	}
}

func (v *walker) possibleSpread(s *ast.FragmentSpread) {
	f, parent := v.byName[s.Name], v.parent()
	if f == nil || parent == nil {
		return
	}
	if d := v.schema.named(f.TypeCondition); d != nil && d.IsCompositeType() && !v.schema.overlap(d, parent) {
		v.report(fmt.Sprintf("Fragment \"%s\" cannot be spread here as objects of type \"%s\" can never be of type \"%s\".", s.Name, parent.Name, d.Name), at(s.Position))
	}
}

// cycles finds fragments that spread themselves.
func (v *walker) cycles(f *ast.FragmentDefinition) {
	c := &cycleFinder{v: v, index: map[string]int{}}
	c.find(f)
}

type cycleFinder struct {
	v     *walker
	path  []*ast.FragmentSpread
	index map[string]int // where in the path a fragment was entered
}

func (c *cycleFinder) find(f *ast.FragmentDefinition) {
	if c.v.visited[f.Name] {
		return
	}
	c.v.visited[f.Name] = true
	c.index[f.Name] = len(c.path)
	for _, s := range c.v.spreadsOf(f, f.SelectionSet) {
		start, circular := c.index[s.Name]
		c.path = append(c.path, s)
		if circular {
			c.report(s, c.path[start:])
		} else if next := c.v.byName[s.Name]; next != nil {
			c.find(next)
		}
		c.path = c.path[:len(c.path)-1]
	}
	delete(c.index, f.Name)
}

func (c *cycleFinder) report(s *ast.FragmentSpread, path []*ast.FragmentSpread) {
	var via []string
	var where []gqlerror.Location
	for i, p := range path {
		where = append(where, at(p.Position))
		if i < len(path)-1 {
			via = append(via, `"`+p.Name+`"`)
		}
	}
	message := fmt.Sprintf("Cannot spread fragment \"%s\" within itself", s.Name)
	if len(via) > 0 {
		message += " via " + strings.Join(via, ", ")
	}
	c.v.report(message+".", where...)
}
