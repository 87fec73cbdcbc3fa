package api

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"freshet/api/served"
)

// The cost of a query is the number of values that it could yield: each field
// counts one, a list as many times as it may have elements, and an object that
// must be loaded a few more.

// Weights of what has no number of its own.
const (
	assumedMany = 10      // elements of an embedded list without a limit
	loadCost    = 5       // of an object that is not embedded
	maxCost     = 1 << 40 // beyond all limits; more is not counted
)

// add counts a field of a selection.
func (sel *selection) add(f *field) {
	cost := 1 + f.times*f.costOf()
	sel.cost = min(maxCost, sel.cost+cost)
}

// add counts a field of a connection.
func (conn *connection) add(f *connField) {
	conn.cost += 1 + len(f.info)
	if f.sel != nil {
		conn.rowCost = min(maxCost, conn.rowCost+f.sel.cost)
	}
	for i := range f.edges {
		conn.rowCost++
		if sel := f.edges[i].sel; sel != nil {
			conn.rowCost = min(maxCost, conn.rowCost+sel.cost)
		}
	}
	if f.aggregate != nil {
		conn.cost += len(conn.aggregates)
	}
}

// costOf is the cost of a root field that yields a number of elements.
func (f *rootField) costOf(elements int) int {
	switch f.kind {
	case rootList:
		return 1 + f.list.cost + elements*f.list.rowCost
	case rootNode:
		most := 0
		for _, sel := range f.node {
			most = max(most, sel.cost)
		}
		return 1 + most
	case rootByKey, rootByUnique:
		return 1 + f.sel.cost
	case rootByKeys, rootPlain:
		return 1 + elements*f.sel.cost
	}
	return 1
}

// checkCost refuses a plan that could yield too much. Most could not even with
// the largest pages; for the others the arguments tell.
func (s *Server) checkCost(p *plan, vars *variables) *gqlerror.Error {
	if p.worst <= s.cfg.MaxComplexity {
		return nil
	}
	cost := 0
	for i := range p.roots {
		f := &p.roots[i]
		cost = min(maxCost, cost+f.costOf(s.elements(f, vars)))
	}
	if cost <= s.cfg.MaxComplexity {
		return nil
	}
	return coded(codeTooComplex, fmt.Sprintf("The query could yield %d values; at most %d are allowed: ask for smaller pages or fewer fields.", cost, s.cfg.MaxComplexity))
}

// elements is how many elements the arguments of a root field ask for. What is
// too many counts as the most: it is refused where it is read.
func (s *Server) elements(f *rootField, vars *variables) int {
	if f.root == nil {
		return 1
	}
	if f.root.Kind == served.ByKeys {
		v, _ := argument(f.args, f.argDefs, f.root.Arg, vars)
		return min(len(listOf(v)), s.cfg.MaxPage)
	}
	for _, name := range []string{"first", "last", "limit"} {
		v, _ := argument(f.args, f.argDefs, name, vars)
		if n, ok := intOf(v); ok {
			return int(min(max(n, 0), int64(s.cfg.MaxPage)))
		}
	}
	return s.cfg.DefaultPage
}
