package api

import (
	"encoding/json"
	"strconv"

	"github.com/99designs/gqlgen/graphql/introspection"
	"github.com/vektah/gqlparser/v2/ast"
)

// metaSelection is what is taken of an object of the introspection schema.
type metaSelection struct {
	typeName string
	fields   []metaField
}

type metaField struct {
	place
	args ast.ArgumentList
	defs ast.ArgumentDefinitionList
	sub  *metaSelection
}

// meta compiles a selection of the introspection schema.
func (c *compiler) meta(typeName string, g group) *metaSelection {
	sel := &metaSelection{typeName: typeName}
	for _, sub := range c.collect(typeName, g.sets()...) {
		node := sub.nodes[0]
		f := metaField{place: c.place(sub, typeName), args: node.Arguments}
		if node.Definition != nil {
			f.defs = node.Definition.Arguments
			if of := c.schema.AST.Types[node.Definition.Type.Name()]; of != nil && of.Kind == ast.Object {
				f.sub = c.meta(of.Name, sub)
			}
		}
		sel.fields = append(sel.fields, f)
	}
	return sel
}

// metaPerType is how many values of the introspection schema a request may be
// answered with for each type that is served: several times what tools ask for.
// Without it, aliases and nested lists would multiply.
const metaPerType = 1_000

// metaWriter writes objects of the introspection schema, as far as there are
// values left for the request.
type metaWriter struct {
	out  []byte
	vars *variables
	left int
}

// writeMeta writes a root field of the introspection schema.
func (r *run) writeMeta(f *rootField, object any) bool {
	start := len(r.out)
	w := metaWriter{out: r.out, vars: &r.vars, left: max(r.s.cfg.MaxComplexity, metaPerType*len(r.s.schema.AST.Types)) - r.metaValues}
	before := w.left
	w.object(f.meta, object)
	r.out = w.out
	r.metaValues += before - w.left
	if w.left >= 0 {
		return true
	}
	e := coded(codeTooComplex, "The query asks for too much of the schema: ask for fewer fields, or for one type at a time.")
	r.errs = append(r.errs, f.at(e, r.pathOf()))
	r.out = append(r.out[:start], null...)
	return f.kind != rootSchema
}

func (w *metaWriter) object(sel *metaSelection, object any) {
	w.out = append(w.out, '{')
	for i := range sel.fields {
		f := &sel.fields[i]
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.out = append(w.out, f.key...)
		if f.field == "__typename" {
			w.out = appendText(w.out, sel.typeName)
			w.left--
			continue
		}
		w.value(f, metaValue(object, f, w.vars))
	}
	w.out = append(w.out, '}')
}

func (w *metaWriter) value(f *metaField, v any) {
	if w.left--; w.left < 0 {
		return
	}
	switch v := v.(type) {
	case nil:
		w.out = append(w.out, null...)
	case []any:
		w.list(f, v)
	case bool:
		w.out = strconv.AppendBool(w.out, v)
	case string:
		w.out = appendText(w.out, v)
	default:
		w.object(f.sub, v)
	}
}

func (w *metaWriter) list(f *metaField, items []any) {
	w.out = append(w.out, '[')
	for i, item := range items {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.value(f, item)
		if w.left < 0 {
			return
		}
	}
	w.out = append(w.out, ']')
}

// metaValue returns the value of a field: nil, bool, string, an object of
// gqlgen's introspection package, or a list of these.
func metaValue(object any, f *metaField, vars *variables) any {
	deprecated := false
	if v, ok := argument(f.args, f.defs, "includeDeprecated", vars); ok {
		deprecated, _ = v.(bool)
	}
	switch o := object.(type) {
	case *introspection.Schema:
		return metaSchema(o, f.field)
	case *introspection.Type:
		return metaType(o, f.field, deprecated)
	case *introspection.Field:
		return metaOfField(o, f.field, deprecated)
	case *introspection.InputValue:
		return metaInputValue(o, f.field)
	case *introspection.EnumValue:
		return metaEnumValue(o, f.field)
	case *introspection.Directive:
		return metaDirective(o, f.field, deprecated)
	}
	return nil
}

func metaSchema(s *introspection.Schema, field string) any {
	switch field {
	case "description":
		return orNull(s.Description())
	case "types":
		return list(s.Types())
	case "queryType":
		return typeOrNull(s.QueryType())
	case "mutationType":
		return typeOrNull(s.MutationType())
	case "subscriptionType":
		return typeOrNull(s.SubscriptionType())
	case "directives":
		return list(s.Directives())
	}
	return nil
}

// metaType answers null for the lists that a kind of type does not have, as
// the specification asks.
func metaType(t *introspection.Type, field string, deprecated bool) any {
	kind := t.Kind()
	switch field {
	case "kind":
		return kind
	case "name":
		return orNull(t.Name())
	case "description":
		return orNull(t.Description())
	case "specifiedByURL":
		return orNull(t.SpecifiedByURL())
	case "isOneOf":
		if kind != "INPUT_OBJECT" {
			return nil
		}
		return t.IsOneOf()
	case "fields":
		return listIf(kind == "OBJECT" || kind == "INTERFACE", t.Fields(deprecated))
	case "interfaces":
		return listIf(kind == "OBJECT" || kind == "INTERFACE", t.Interfaces())
	case "possibleTypes":
		return listIf(kind == "INTERFACE" || kind == "UNION", t.PossibleTypes())
	case "enumValues":
		return listIf(kind == "ENUM", t.EnumValues(deprecated))
	case "inputFields":
		return listIf(kind == "INPUT_OBJECT", t.VisibleInputFields(deprecated))
	case "ofType":
		return typeOrNull(t.OfType())
	}
	return nil
}

func metaOfField(f *introspection.Field, field string, deprecated bool) any {
	switch field {
	case "name":
		return f.Name
	case "description":
		return orNull(f.Description())
	case "args":
		return list(f.VisibleArgs(deprecated))
	case "type":
		return typeOrNull(f.Type)
	case "isDeprecated":
		return f.IsDeprecated()
	case "deprecationReason":
		return orNull(f.DeprecationReason())
	}
	return nil
}

func metaInputValue(v *introspection.InputValue, field string) any {
	switch field {
	case "name":
		return v.Name
	case "description":
		return orNull(v.Description())
	case "type":
		return typeOrNull(v.Type)
	case "defaultValue":
		return orNull(v.DefaultValue)
	case "isDeprecated":
		return v.IsDeprecated()
	case "deprecationReason":
		return orNull(v.DeprecationReason())
	}
	return nil
}

func metaEnumValue(v *introspection.EnumValue, field string) any {
	switch field {
	case "name":
		return v.Name
	case "description":
		return orNull(v.Description())
	case "isDeprecated":
		return v.IsDeprecated()
	case "deprecationReason":
		return orNull(v.DeprecationReason())
	}
	return nil
}

func metaDirective(d *introspection.Directive, field string, deprecated bool) any {
	switch field {
	case "name":
		return d.Name
	case "description":
		return orNull(d.Description())
	case "isRepeatable":
		return d.IsRepeatable
	case "locations":
		out := make([]any, len(d.Locations))
		for i, l := range d.Locations {
			out[i] = l
		}
		return out
	case "args":
		return list(d.VisibleArgs(deprecated))
	}
	return nil
}

func orNull(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}

func typeOrNull(t *introspection.Type) any {
	if t == nil {
		return nil
	}
	return t
}

func listIf[T any](ok bool, items []T) any {
	if !ok {
		return nil
	}
	return list(items)
}

func list[T any](items []T) any {
	out := make([]any, len(items))
	for i := range items {
		out[i] = &items[i]
	}
	return out
}

// appendText writes a JSON string.
func appendText(out []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x80 {
			return appendEscaped(out, s)
		}
	}
	out = append(out, '"')
	out = append(out, s...)
	return append(out, '"')
}

// appendEscaped writes a JSON string as JavaScript does: < > & stay as they are.
func appendEscaped(out []byte, s string) []byte {
	var b jsonBuffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic("a string always has a JSON form: " + err.Error())
	}
	return append(out, b[:len(b)-1]...) // without Encode's line feed
}

// jsonBuffer is an io.Writer onto bytes.
type jsonBuffer []byte

func (b *jsonBuffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}
