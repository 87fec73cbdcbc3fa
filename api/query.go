package api

import (
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
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
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, s.cfg.MaxTokens)
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, []*gqlerror.Error{syntaxError(err)}}
	}
	if len(doc.Operations) == 0 {
		return nil, invalid(&gqlerror.Error{Message: "The query has no operation."})
	}
	if err := s.checkLimits(doc); err != nil {
		return nil, invalid(err)
	}
	if errs := s.validate(doc); len(errs) > 0 {
		return nil, invalid(errs...)
	}
	q := &query{text: text, doc: doc}
	for _, def := range doc.Operations {
		q.operations = append(q.operations, &operation{query: q, def: def, switches: switches(doc, def), plans: map[uint64]*plan{}})
	}
	return q, nil
}

// validate applies the rules of the specification.
func (s *Server) validate(doc *ast.QueryDocument) []*gqlerror.Error {
	errs := plainErrors(validator.ValidateWithRules(s.schema.AST, doc, rules.NewDefaultRules()))
	if s.cfg.NoIntrospection {
		errs = append(errs, hidden(doc)...)
	}
	if s.cfg.NoIntrospection || s.cfg.NoSuggestions {
		unsuggested(errs)
	}
	return errs
}

// writes says whether the operation asked for is a mutation. It is asked only
// of queries that cannot be executed.
func writes(text, name string) bool {
	doc, err := parser.ParseQuery(&ast.Source{Input: text})
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

// syntaxError words the parser's error as graphql-js does, without more of the
// parser's own.
func syntaxError(err error) *gqlerror.Error {
	e := &gqlerror.Error{Message: "Syntax Error: " + err.Error()}
	if g, ok := err.(*gqlerror.Error); ok {
		e.Message, e.Locations = "Syntax Error: "+strings.TrimSuffix(g.Message, ".")+".", g.Locations
	}
	return e
}

// plainErrors leaves out what only the library says: graphql-js has message
// and locations.
func plainErrors(list gqlerror.List) []*gqlerror.Error {
	out := make([]*gqlerror.Error, len(list))
	for i, e := range list {
		out[i] = &gqlerror.Error{Message: e.Message, Locations: e.Locations}
	}
	return out
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
