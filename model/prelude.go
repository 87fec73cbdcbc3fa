package model

import (
	_ "embed"
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// Prelude is the SDL of Freshet's own directives and scalars, with
// descriptions, for editors and documentation. It is also what Parse checks
// directives against, so the two cannot differ.
//
//go:embed prelude.graphql
var Prelude string

// deprecatedSDL is GraphQL's own directive. Editors know it, so it is not part
// of the Prelude.
const deprecatedSDL = `
directive @deprecated(reason: String = "No longer supported") on FIELD_DEFINITION | ENUM_VALUE`

// vocabulary is what a model file may use without declaring it.
type vocabulary struct {
	directives ast.DirectiveDefinitionList
	scalars    []string                   // the custom ones that fields may have
	enums      map[string][]string        // values of the enums among directive arguments
	internal   map[string]*ast.Definition // every definition of the Prelude by name
}

var known = readPrelude()

// readPrelude panics on a fault: the Prelude is part of the program.
func readPrelude() *vocabulary {
	doc, err := parser.ParseSchema(&ast.Source{Name: "prelude.graphql", Input: Prelude + deprecatedSDL})
	if err != nil {
		panic(fmt.Sprintf("model: the prelude does not parse: %v", err))
	}
	v := &vocabulary{directives: doc.Directives, enums: map[string][]string{}, internal: map[string]*ast.Definition{}}
	for _, d := range doc.Definitions {
		v.internal[d.Name] = d
		switch {
		case d.Kind == ast.Enum:
			for _, e := range d.EnumValues {
				v.enums[d.Name] = append(v.enums[d.Name], e.Name)
			}
		case d.Name != whereScalar && d.Name != orderByScalar:
			v.scalars = append(v.scalars, d.Name)
		}
	}
	return v
}

// The scalars of directive arguments that no field can have.
const (
	whereScalar   = "FreshetWhere"
	orderByScalar = "FreshetOrderBy"
)
