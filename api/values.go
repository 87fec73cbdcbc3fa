package api

import (
	"encoding/json"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
)

// missing is the value of a variable that was not given and has no default.
type missing struct{}

// variables are the coerced variables of a request, by name. Values are
// string, int64 (Int), float64 (Float), json.Number (numbers of custom
// scalars), bool, nil, []any, map[string]any; or missing.
type variables struct {
	defs   ast.VariableDefinitionList
	values []any
}

// get returns a variable's value; ok is false if it is missing.
func (v *variables) get(name string) (any, bool) {
	for i, d := range v.defs {
		if d.Variable == name {
			_, gone := v.values[i].(missing)
			return v.values[i], !gone
		}
	}
	return nil, false
}

// argument returns the value of an argument; ok is false if it was not given.
func argument(args ast.ArgumentList, defs ast.ArgumentDefinitionList, name string, vars *variables) (any, bool) {
	var typ *ast.Type
	if d := defs.ForName(name); d != nil {
		typ = d.Type
	}
	for _, a := range args {
		if a.Name == name {
			return literal(a.Value, typ, vars)
		}
	}
	return nil, false
}

// literal returns the value of a literal that was validated against its type.
// ok is false for a variable that is missing.
func literal(v *ast.Value, typ *ast.Type, vars *variables) (any, bool) {
	switch v.Kind {
	case ast.Variable:
		if vars == nil {
			return nil, false
		}
		return vars.get(v.Raw)
	case ast.NullValue:
		return nil, true
	case ast.ListValue:
		return listLiteral(v, typ, vars), true
	}
	if typ != nil && typ.Elem != nil {
		one, ok := literal(v, typ.Elem, vars)
		return []any{one}, ok
	}
	if v.Kind == ast.ObjectValue {
		return objectLiteral(v, vars), true
	}
	return scalarLiteral(v), true
}

func listLiteral(v *ast.Value, typ *ast.Type, vars *variables) any {
	list := make([]any, 0, len(v.Children))
	var elem *ast.Type
	if typ != nil {
		elem = typ.Elem
	}
	for _, child := range v.Children {
		item, _ := literal(child.Value, elem, vars)
		list = append(list, item)
	}
	return list
}

func objectLiteral(v *ast.Value, vars *variables) any {
	object := make(map[string]any, len(v.Children))
	for _, child := range v.Children {
		typ := child.Value.ExpectedType
		if v.Definition != nil {
			if f := v.Definition.Fields.ForName(child.Name); f != nil {
				typ = f.Type
			}
		}
		if item, ok := literal(child.Value, typ, vars); ok {
			object[child.Name] = item
		}
	}
	return object
}

func scalarLiteral(v *ast.Value) any {
	switch v.Kind {
	case ast.IntValue:
		return json.Number(v.Raw)
	case ast.FloatValue:
		return json.Number(v.Raw)
	case ast.BooleanValue:
		b, _ := strconv.ParseBool(v.Raw)
		return b
	default:
		return v.Raw
	}
}
