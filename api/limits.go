package api

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// checkLimits refuses queries that are too deep or have too many aliases,
// before validation, whose cost they would drive.
func (s *Server) checkLimits(doc *ast.QueryDocument) *gqlerror.Error {
	m := &measure{doc: doc, depths: map[string]int{}, counts: map[string]int{}}
	deepest, aliases := 0, 0
	for _, op := range doc.Operations {
		aliases = max(aliases, m.aliases(op.SelectionSet))
		if !isMeta(op.SelectionSet) {
			deepest = max(deepest, m.depth(op.SelectionSet))
		}
	}
	if deepest > s.cfg.MaxDepth {
		return &gqlerror.Error{Message: fmt.Sprintf("The query is nested %d levels deep; at most %d are allowed.", deepest, s.cfg.MaxDepth)}
	}
	if aliases > s.cfg.MaxAliases {
		return &gqlerror.Error{Message: fmt.Sprintf("The query has %d aliases, those of a fragment counted wherever it is spread; at most %d are allowed.", aliases, s.cfg.MaxAliases)}
	}
	return nil
}

// isMeta says whether an operation asks for the schema alone. Tools do so
// deeper than queries may be; a rule of the validation bounds them.
func isMeta(set ast.SelectionSet) bool {
	for _, sel := range set {
		f, ok := sel.(*ast.Field)
		if !ok || f.Name != "__schema" && f.Name != "__type" && f.Name != "__typename" {
			return false
		}
	}
	return true
}

// measure measures a document that may not be valid yet: fragments may be
// unknown or go in circles.
type measure struct {
	doc    *ast.QueryDocument
	depths map[string]int // of fragments; -1 while being measured
	counts map[string]int // the aliases of fragments; 0 while being counted
}

// depth returns how many levels of fields there are.
func (m *measure) depth(set ast.SelectionSet) int {
	deepest := 0
	for _, sel := range set {
		d := 0
		switch sel := sel.(type) {
		case *ast.Field:
			d = 1 + m.depth(sel.SelectionSet)
		case *ast.InlineFragment:
			d = m.depth(sel.SelectionSet)
		case *ast.FragmentSpread:
			d = m.fragment(sel.Name)
		}
		deepest = max(deepest, d)
	}
	return deepest
}

func (m *measure) fragment(name string) int {
	if d, ok := m.depths[name]; ok {
		return max(d, 0) // in a circle: validation refuses it
	}
	f := m.doc.Fragments.ForName(name)
	if f == nil {
		return 0
	}
	m.depths[name] = -1
	d := m.depth(f.SelectionSet)
	m.depths[name] = d
	return d
}

// aliases returns how many aliases there are once all fragments are spread.
func (m *measure) aliases(set ast.SelectionSet) int {
	n := 0
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			if sel.Alias != sel.Name {
				n++
			}
			n += m.aliases(sel.SelectionSet)
		case *ast.InlineFragment:
			n += m.aliases(sel.SelectionSet)
		case *ast.FragmentSpread:
			n += m.aliasesOf(sel.Name)
		}
	}
	return min(n, maxCost)
}

func (m *measure) aliasesOf(fragment string) int {
	if n, ok := m.counts[fragment]; ok {
		return n
	}
	f := m.doc.Fragments.ForName(fragment)
	if f == nil {
		return 0
	}
	m.counts[fragment] = 0
	m.counts[fragment] = m.aliases(f.SelectionSet)
	return m.counts[fragment]
}
