package api

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// introspects finds the fields that ask for the schema. Wording is graphql-js's.
func introspects(set ast.SelectionSet) (errs []*gqlerror.Error) {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			if sel.Name == "__schema" || sel.Name == "__type" {
				errs = append(errs, &gqlerror.Error{
					Message:   fmt.Sprintf("GraphQL introspection has been disabled, but the requested query contained the field \"%s\".", sel.Name),
					Locations: []gqlerror.Location{{Line: sel.Position.Line, Column: sel.Position.Column}},
				})
			}
			errs = append(errs, introspects(sel.SelectionSet)...)
		case *ast.InlineFragment:
			errs = append(errs, introspects(sel.SelectionSet)...)
		}
	}
	return errs
}

// hidden are the errors of a query that asks for the schema, where that is
// not shown.
func hidden(doc *ast.QueryDocument) (errs []*gqlerror.Error) {
	for _, op := range doc.Operations {
		errs = append(errs, introspects(op.SelectionSet)...)
	}
	for _, f := range doc.Fragments {
		errs = append(errs, introspects(f.SelectionSet)...)
	}
	return errs
}
