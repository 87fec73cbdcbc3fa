package api

import (
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"freshet/api/syntax"
	"freshet/api/validate"
)

// query is a query text that was parsed and validated, with what was compiled
// of it since.
type query struct {
	text       string
	doc        *ast.QueryDocument
	operations []*operation
	cost       int // in bytes, about; guarded by queries.mu
}

// operation is one operation of a query.
type operation struct {
	query *query
	def   *ast.OperationDefinition
	// switches are the variables that @skip and @include depend on, by their
	// place among the operation's variables.
	switches []int

	mu    sync.RWMutex
	plans map[uint64]*plan // by the switches' values, as bits
}

// find returns the operation of that name, or the only one.
func (q *query) find(name string) (*operation, *gqlerror.Error) {
	if name == "" && len(q.operations) == 1 {
		return q.operations[0], nil
	}
	if name == "" {
		return nil, &gqlerror.Error{Message: "Must provide operation name if query contains multiple operations."}
	}
	for _, op := range q.operations {
		if op.def.Name == name {
			return op, nil
		}
	}
	return nil, &gqlerror.Error{Message: fmt.Sprintf("Unknown operation named \"%s\".", name)}
}

// query returns a query by its text: parsed and validated when it is first met.
func (s *Server) query(text string) (*query, *refusal) {
	if q, ok := s.queries.get(text); ok {
		return q, nil
	}
	text = strings.Clone(text)
	q, refused := s.parse(text)
	if refused != nil {
		return nil, refused
	}
	s.queries.add(q)
	return q, nil
}

// parse parses and validates a query. What is no GraphQL is a bad request.
func (s *Server) parse(text string) (*query, *refusal) {
	doc, failed := syntax.Parse(text, s.cfg.MaxTokens)
	if failed != nil {
		return nil, &refusal{http.StatusBadRequest, []*gqlerror.Error{failed}}
	}
	if err := s.checkLimits(doc.QueryDocument); err != nil {
		return nil, invalid(err)
	}
	if errs := s.validate(doc); len(errs) > 0 {
		return nil, invalid(errs...)
	}
	q := &query{text: text, doc: doc.QueryDocument}
	for _, def := range doc.Operations {
		q.operations = append(q.operations, &operation{query: q, def: def, switches: switches(q.doc, def), plans: map[uint64]*plan{}})
	}
	return q, nil
}

// validate applies the rules of the specification.
func (s *Server) validate(doc *syntax.Document) []*gqlerror.Error {
	errs := validate.Document(s.rules, doc, validate.Options{NoSuggestions: s.cfg.NoIntrospection || s.cfg.NoSuggestions})
	if s.cfg.NoIntrospection {
		errs = append(errs, hidden(doc.QueryDocument)...)
	}
	return errs
}

// writes says whether the operation asked for is a mutation. It is asked only
// of queries that cannot be executed.
func writes(text, name string) bool {
	doc, err := syntax.Parse(text, 0)
	if err != nil {
		return false
	}
	for _, op := range doc.Operations {
		if op.Operation == ast.Mutation && (op.Name == name || name == "" && len(doc.Operations) == 1) {
			return true
		}
	}
	return false
}

// switches finds the variables in @skip and @include of all that the operation
// may reach.
func switches(doc *ast.QueryDocument, def *ast.OperationDefinition) []int {
	names := map[string]bool{}
	walk := func(list ast.DirectiveList) {
		for _, d := range list {
			if a := d.Arguments.ForName("if"); a != nil && a.Value.Kind == ast.Variable {
				names[a.Value.Raw] = true
			}
		}
	}
	eachDirectives(def.SelectionSet, walk)
	for _, f := range doc.Fragments {
		eachDirectives(f.SelectionSet, walk)
	}
	var out []int
	for i, v := range def.VariableDefinitions {
		if names[v.Variable] {
			out = append(out, i)
		}
	}
	return out
}

func eachDirectives(set ast.SelectionSet, visit func(ast.DirectiveList)) {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			visit(sel.Directives)
			eachDirectives(sel.SelectionSet, visit)
		case *ast.InlineFragment:
			visit(sel.Directives)
			eachDirectives(sel.SelectionSet, visit)
		case *ast.FragmentSpread:
			visit(sel.Directives)
		}
	}
}

// maxPlans bounds the plans kept for one operation; others are compiled again.
const maxPlans = 64

// plan returns the operation's plan under the variables, unless it could yield
// too much.
func (op *operation) plan(s *Server, vars *variables) (*plan, *gqlerror.Error) {
	if !s.rules.Has(op.def.Operation) {
		return nil, &gqlerror.Error{
			Message:   fmt.Sprintf("Schema is not configured to execute %s operation.", op.def.Operation),
			Locations: []gqlerror.Location{{Line: op.def.Position.Line, Column: op.def.Position.Column}},
		}
	}
	p, err := op.compiled(s, vars)
	if err != nil {
		return nil, err
	}
	return p, s.checkCost(p, vars)
}

func (op *operation) compiled(s *Server, vars *variables) (*plan, *gqlerror.Error) {
	bits, keep, err := op.bits(vars)
	if err != nil {
		return nil, err
	}
	if keep {
		op.mu.RLock()
		p := op.plans[bits]
		op.mu.RUnlock()
		if p != nil {
			return p, nil
		}
	}
	c := &compiler{schema: s.schema, doc: op.query.doc, limit: s.cfg.MaxFields, include: func(d ast.DirectiveList) bool { return included(d, vars) }}
	p, failed := c.compile(op.def)
	if failed != nil {
		return nil, errTooLarge
	}
	for i := range p.roots {
		p.worst = min(maxCost, p.worst+p.roots[i].costOf(s.cfg.MaxPage))
	}
	if keep {
		op.keep(s, bits, p, c.fields)
	}
	return p, nil
}

// keep notes a plan for later requests.
func (op *operation) keep(s *Server, bits uint64, p *plan, fields int) {
	op.mu.Lock()
	_, have := op.plans[bits]
	kept := !have && len(op.plans) < maxPlans
	if kept {
		op.plans[bits] = p
	}
	op.mu.Unlock()
	if kept {
		s.queries.grow(op.query, fields*fieldCost)
	}
}

// bits returns the switches' values; keep is false if there are too many.
func (op *operation) bits(vars *variables) (bits uint64, keep bool, err *gqlerror.Error) {
	for i, at := range op.switches {
		on, ok := vars.values[at].(bool)
		if !ok {
			return 0, false, &gqlerror.Error{Message: "Argument \"if\" of non-null type \"Boolean!\" must not be null."}
		}
		if on && i < 64 {
			bits |= 1 << i
		}
	}
	return bits, len(op.switches) <= 64, nil
}

// included evaluates @skip and @include.
func included(list ast.DirectiveList, vars *variables) bool {
	for _, d := range list {
		a := d.Arguments.ForName("if")
		if a == nil || d.Name != "skip" && d.Name != "include" {
			continue
		}
		v, _ := literal(a.Value, nil, vars)
		if on, _ := v.(bool); on == (d.Name == "skip") {
			return false
		}
	}
	return true
}
