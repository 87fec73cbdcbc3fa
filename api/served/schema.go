// Package served derives the schema that clients see from a model: its types,
// its query fields, and what each of them means in terms of documents and
// tables.
//
// Guarantees: nothing of Freshet's own directives shows in it; the same model
// and layouts give the same schema, byte for byte; and whatever can be
// filtered or sorted in it has an index. The package is pure.
package served

import (
	"fmt"
	"slices"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"freshet/api/document"
	"freshet/api/page"
	"freshet/model"
)

// Schema is the served schema with its meaning.
type Schema struct {
	AST   *ast.Schema
	SDL   string
	Types map[string]*Type // every object type of the model
	Roots map[string]*Root // the fields of Query
	Enums map[string]Enum
	// Possible are the names of the object types of each interface and union,
	// Node among them.
	Possible map[string]map[string]bool
	// Node is the name of the interface of all stored types, if it is served.
	Node string
}

// Options are choices about the schema.
type Options struct {
	// GlobalIDs adds interface Node, with a nodeId for each stored type, and the
	// field node to Query.
	GlobalIDs bool
}

// NodeID is the field that interface Node has.
const NodeID = "nodeId"

// Type is one object type of the model.
type Type struct {
	Model *model.Type
	// The rest is set for stored types only.
	ID     int             // its place among the stored types
	Shape  *document.Shape // of a whole document
	Table  *page.Table
	Key    *model.Field
	Filter *Input // of where
	Order  *Input // of orderBy
	// Aggregates are what each function can be asked for; without any column
	// for it a function has no entry.
	Aggregates map[page.Fn]*Input
}

// Stored says whether documents of the type can be read by key.
func (t *Type) Stored() bool { return t.Table != nil }

// Enum is the set of an enum's values.
type Enum map[string]struct{}

// RootKind says what a field of Query yields.
type RootKind int

// The kinds of root field.
const (
	ByKey    RootKind = iota // a document by its key
	ByUnique                 // a document by a unique column
	List                     // a connection
	ByKeys                   // several documents by their keys
	Plain                    // a list by limit and offset
	ByNode                   // a document of any type by its global id
)

// Root is a field of Query.
type Root struct {
	Name   string
	Kind   RootKind
	Type   *Type        // not of ByNode
	Arg    string       // the argument of ByKey, ByKeys, ByNode and ByUnique
	Column *page.Column // of ByUnique
}

// Input is an input object over columns: its fields are columns or further
// objects. It is the shape of both where and orderBy.
type Input struct {
	Name   string
	Fields []InputField
	// And, Or and Not are the names of the combinators, of where only.
	And, Or, Not string
}

// InputField is a field of an Input: Column or Sub is set.
type InputField struct {
	Name   string
	Column *page.Column
	Type   string // the GraphQL type of the column's values
	Sub    *Input
}

// Field returns the field of that name, or nil.
func (in *Input) Field(name string) *InputField {
	for i := range in.Fields {
		if in.Fields[i].Name == name {
			return &in.Fields[i]
		}
	}
	return nil
}

// New derives the schema. Every stored type needs its layout.
func New(m *model.Model, layouts []Layout, opts Options) (*Schema, error) {
	s := &Schema{Types: map[string]*Type{}, Roots: map[string]*Root{}, Enums: map[string]Enum{}}
	stored, err := s.bind(m, layouts)
	if err != nil {
		return nil, err
	}
	if len(stored) == 0 {
		return nil, fmt.Errorf("%s has no stored type: there is nothing to serve", m.File)
	}
	for _, e := range m.Enums {
		values := Enum{}
		for _, v := range e.Values {
			values[v.Name] = struct{}{}
		}
		s.Enums[e.Name] = values
	}
	w := newWriter(s, m)
	if opts.GlobalIDs {
		if err := w.globalIDs(stored); err != nil {
			return nil, err
		}
	}
	w.write(stored)
	s.SDL = w.String()
	s.AST, err = gqlparser.LoadSchema(&ast.Source{Name: "served schema", Input: s.SDL})
	if err != nil {
		return nil, fmt.Errorf("derive the served schema: %w", err)
	}
	s.trimDirectives()
	s.possible()
	return s, nil
}

// trimDirectives takes out what the parser's prelude has beyond the published
// specification and what is done here: clients may read it strictly.
func (s *Schema) trimDirectives() {
	delete(s.AST.Directives, "defer")
	for name, d := range s.AST.Directives {
		trimmed := *d
		trimmed.Locations = slices.DeleteFunc(slices.Clone(d.Locations), func(l ast.DirectiveLocation) bool {
			return l == "DIRECTIVE_DEFINITION"
		})
		s.AST.Directives[name] = &trimmed
	}
}

// bind makes the types and returns the stored ones, in model-file order.
func (s *Schema) bind(m *model.Model, layouts []Layout) ([]*Type, error) {
	byType := map[string]Layout{}
	for _, l := range layouts {
		byType[l.Type] = l
	}
	var stored []*Type
	for _, mt := range m.Types {
		t := &Type{Model: mt}
		s.Types[mt.Name] = t
		if !mt.Stored {
			continue
		}
		l, ok := byType[mt.Name]
		if !ok {
			return nil, fmt.Errorf("type %s has no table yet: run freshet migrate --apply", mt.Name)
		}
		var err error
		if t.Table, err = table(mt, l); err != nil {
			return nil, err
		}
		t.ID, t.Key = len(stored), mt.KeyField()
		t.Shape = document.NewShape(mt.Document())
		stored = append(stored, t)
	}
	return stored, nil
}
