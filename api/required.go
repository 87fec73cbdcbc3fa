package api

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// requiredVariables returns the arguments that are variables where null is not
// allowed. One that has a default may be null all the same: if it is given so.
func requiredVariables(args ast.ArgumentList, defs ast.ArgumentDefinitionList) (required []*ast.Argument) {
	for _, a := range args {
		if d := defs.ForName(a.Name); d != nil && d.Type.NonNull && a.Value.Kind == ast.Variable {
			required = append(required, a)
		}
	}
	return required
}

// nullArgument is the error of a root field with a null where none may be.
func (r *run) nullArgument(f *rootField) *gqlerror.Error {
	for _, a := range f.required {
		if v, ok := r.vars.get(a.Value.Raw); v != nil || !ok {
			continue
		}
		return &gqlerror.Error{
			Message:   fmt.Sprintf("Argument \"%s\" of non-null type \"%s\" must not be null.", a.Name, f.argDefs.ForName(a.Name).Type),
			Locations: []gqlerror.Location{{Line: a.Value.Position.Line, Column: a.Value.Position.Column}},
			Path:      r.pathOf(),
		}
	}
	return nil
}
