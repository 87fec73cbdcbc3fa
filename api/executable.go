package api

import (
	"context"
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Executable returns the served schema in the form that gqlgen's servers,
// transports and extensions take. The Server's own transports do not go
// through Exec: they write the bytes themselves.
func (s *Server) Executable() graphql.ExecutableSchema { return executable{s} }

type executable struct{ s *Server }

func (e executable) Schema() *ast.Schema { return e.s.schema.AST }

// Complexity leaves it to gqlgen to count one for each field.
func (e executable) Complexity(context.Context, string, string, int, map[string]any) (int, bool) {
	return 0, false
}

// Exec runs the operation of the context.
func (e executable) Exec(ctx context.Context) graphql.ResponseHandler {
	oc := graphql.GetOperationContext(ctx)
	return graphql.OneShot(e.s.exec(ctx, oc))
}

func (s *Server) exec(ctx context.Context, oc *graphql.OperationContext) *graphql.Response {
	q, refused := s.query(oc.RawQuery)
	if refused != nil {
		return &graphql.Response{Errors: refused.errs}
	}
	op, failed := q.find(oc.OperationName)
	if failed != nil {
		return graphql.ErrorResponse(ctx, "%s", failed.Message)
	}
	raw, err := json.Marshal(oc.Variables)
	if err != nil {
		return graphql.ErrorResponse(ctx, "The variables have no JSON form.")
	}
	r := s.run(ctx)
	defer s.release(r)
	if errs := s.coerce(op.def.VariableDefinitions, raw, &r.vars); errs != nil {
		return &graphql.Response{Errors: errs}
	}
	if r.plan, failed = op.plan(s, &r.vars); failed != nil {
		return graphql.ErrorResponse(ctx, "%s", failed.Message)
	}
	s.freshness(r)
	r.read()
	if !r.writeQuery() {
		r.out = append(r.out[:0], null...)
	}
	return &graphql.Response{Data: append(json.RawMessage(nil), r.out...), Errors: append(gqlerror.List(nil), r.errs...)}
}
