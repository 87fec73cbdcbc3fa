// Package validate checks documents against a schema by the rules of the
// GraphQL specification.
//
// Guarantees: the errors, their words, their places and their order are those
// of graphql-js 16, the reference implementation, whose rules (MIT, © GraphQL
// Contributors) it follows one by one; it ends after 100 errors, and the work
// that a document can cause by its fragments is bounded. The package is pure.
//
// A document that has passed is ready for whatever works on gqlparser's trees:
// their definitions are filled in.
package validate

import (
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator"

	"freshet/api/syntax"
)

// Options are choices about the validation.
type Options struct {
	// NoSuggestions leaves out the names that might have been meant.
	NoSuggestions bool
}

const maxErrors = 100

// aborted ends the validation from within.
type aborted struct{}

// Document validates a document, and fills in its definitions if it is valid.
func Document(schema *Schema, doc *syntax.Document, opts Options) []*gqlerror.Error {
	v := &walker{schema: schema, doc: doc, opts: opts, fragments: newFragments(doc)}
	v.run()
	if len(v.errs) == 0 {
		validator.Walk(schema.AST, doc.QueryDocument, &validator.Events{})
	}
	return v.errs
}

// run walks over the whole document.
func (v *walker) run() {
	defer func() {
		if r := recover(); r != nil && r != (aborted{}) {
			panic(r)
		}
	}()
	v.document()
}

// report notes an error at some places of the text.
func (v *walker) report(message string, at ...gqlerror.Location) {
	if len(v.errs) >= maxErrors {
		v.errs = append(v.errs, &gqlerror.Error{Message: "Too many validation errors, error limit reached. Validation aborted."})
		panic(aborted{})
	}
	v.errs = append(v.errs, &gqlerror.Error{Message: message, Locations: at})
}

// abort ends a validation that would take too long.
func (v *walker) abort() {
	v.errs = append(v.errs, &gqlerror.Error{Message: "Validation aborted."})
	panic(aborted{})
}

func at(p *ast.Position) gqlerror.Location {
	return gqlerror.Location{Line: p.Line, Column: p.Column}
}
