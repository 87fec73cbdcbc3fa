package validate

import (
	"github.com/vektah/gqlparser/v2/ast"
)

// Schema is a schema with what the rules ask of it again and again. It is
// immutable.
type Schema struct {
	AST   *ast.Schema
	known map[string]bool // types that there are: of the built-in scalars those in use
	meta  map[string]*ast.FieldDefinition
}

// NewSchema prepares a schema.
func NewSchema(schema *ast.Schema) *Schema {
	s := &Schema{AST: schema, known: map[string]bool{"String": true, "Boolean": true}, meta: map[string]*ast.FieldDefinition{}}
	for name, def := range schema.Types {
		if def.Kind != ast.Scalar || !def.BuiltIn {
			s.known[name] = true
		}
		for _, f := range def.Fields {
			s.known[f.Type.Name()] = true
			for _, a := range f.Arguments {
				s.known[a.Type.Name()] = true
			}
		}
	}
	s.meta["__typename"] = &ast.FieldDefinition{Name: "__typename", Type: ast.NonNullNamedType("String", nil)}
	s.meta["__schema"] = &ast.FieldDefinition{Name: "__schema", Type: ast.NonNullNamedType("__Schema", nil)}
	s.meta["__type"] = &ast.FieldDefinition{Name: "__type", Type: ast.NamedType("__Type", nil), Arguments: ast.ArgumentDefinitionList{
		{Name: "name", Type: ast.NonNullNamedType("String", nil)},
	}}
	return s
}

// named returns the definition of a type, or nil.
func (s *Schema) named(name string) *ast.Definition {
	if !s.known[name] {
		return nil
	}
	return s.AST.Types[name]
}

// def returns the definition of a type's innermost named type, or nil.
func (s *Schema) def(t *ast.Type) *ast.Definition {
	if t == nil {
		return nil
	}
	return s.named(t.Name())
}

// root returns the type of an operation's fields, or nil.
func (s *Schema) root(op ast.Operation) *ast.Definition {
	switch op {
	case ast.Query:
		return s.AST.Query
	case ast.Mutation:
		return s.AST.Mutation
	default:
		return s.AST.Subscription
	}
}

// Has says whether the schema has operations of a kind.
func (s *Schema) Has(op ast.Operation) bool { return s.root(op) != nil }

// field returns the definition of a field of a type, or nil.
func (s *Schema) field(parent *ast.Definition, name string) *ast.FieldDefinition {
	switch {
	case name == "__typename" && parent.IsCompositeType():
		return s.meta[name]
	case (name == "__schema" || name == "__type") && parent == s.AST.Query:
		return s.meta[name]
	}
	return s.ownField(parent, name)
}

// ownField returns a field of an object or interface, or nil. The parser of
// schemas adds the meta fields to Query: they are none of its own.
func (s *Schema) ownField(parent *ast.Definition, name string) *ast.FieldDefinition {
	if parent == nil || parent.Kind != ast.Object && parent.Kind != ast.Interface || isMeta(name) {
		return nil
	}
	return parent.Fields.ForName(name)
}

func isMeta(name string) bool { return name == "__schema" || name == "__type" || name == "__typename" }

// overlap says whether an object can be of both types.
func (s *Schema) overlap(a, b *ast.Definition) bool {
	if a == b {
		return true
	}
	for _, x := range s.possible(a) {
		for _, y := range s.possible(b) {
			if x == y {
				return true
			}
		}
	}
	return false
}

// possible returns the objects that a type may stand for.
func (s *Schema) possible(d *ast.Definition) []*ast.Definition {
	if d.IsAbstractType() {
		return s.AST.GetPossibleTypes(d)
	}
	return []*ast.Definition{d}
}

// nullable returns the type without its !.
func nullable(t *ast.Type) *ast.Type {
	if t == nil || !t.NonNull {
		return t
	}
	c := *t
	c.NonNull = false
	return &c
}

// isSubtype says whether a value of type a can stand where type b is expected.
func isSubtype(a, b *ast.Type) bool {
	switch {
	case b.NonNull:
		return a.NonNull && isSubtype(nullable(a), nullable(b))
	case a.NonNull:
		return isSubtype(nullable(a), b)
	case b.Elem != nil:
		return a.Elem != nil && isSubtype(a.Elem, b.Elem)
	case a.Elem != nil:
		return false
	}
	return a.NamedType == b.NamedType
}

func required(t *ast.Type, defaultValue *ast.Value) bool { return t.NonNull && defaultValue == nil }
