// Package syntax reads executable GraphQL documents.
//
// Guarantees: what it accepts and what it refuses, and the words and places of
// its errors, are those of graphql-js 16, the reference implementation, whose
// lexer and parser (MIT, © GraphQL Contributors) it follows; but for one: a
// definition of a schema is not read at all. Lines end with \n, \r or \r\n, and
// columns count UTF-16 units, as in JavaScript. A document is bounded by its
// tokens; no text makes it panic. The package is pure.
package syntax

import (
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Document is a parsed document: the tree that gqlparser's packages work on,
// and what that has no place for.
type Document struct {
	*ast.QueryDocument
	// Definitions are the operations and fragments in the order of the text:
	// *ast.OperationDefinition or *ast.FragmentDefinition.
	Definitions []any
	places      map[placeKey]gqlerror.Location
}

// Part is a part of a node that has a place of its own.
type Part uint8

// The parts.
const (
	Name      Part = iota // of an operation, fragment, spread or variable
	Condition             // the type that a fragment applies to
	Selection             // the opening brace of a selection set
)

type placeKey struct {
	node any
	part Part
}

// Place returns where a part of a node stands.
func (d *Document) Place(node any, part Part) gqlerror.Location {
	return d.places[placeKey{node, part}]
}
