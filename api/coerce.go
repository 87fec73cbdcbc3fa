package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// coercer turns the variables of a request, as JSON, into values of the types
// that the operation declares. Wording is graphql-js's.
type coercer struct {
	schema *ast.Schema
	def    *ast.VariableDefinition
	errs   []*gqlerror.Error
}

// maxVariableErrors is how many faults of variables are told.
const maxVariableErrors = 50

// coerce coerces the variables into vars, which has a value for each of the
// definitions afterwards. raw is a JSON object, or empty.
func coerce(schema *ast.Schema, defs ast.VariableDefinitionList, raw []byte, vars *variables) []*gqlerror.Error {
	vars.defs = defs
	vars.values = vars.values[:0]
	for range defs {
		vars.values = append(vars.values, missing{})
	}
	if len(defs) == 0 {
		return nil
	}
	c := coercer{schema: schema}
	err := members(raw, func(name, value []byte) {
		for i, d := range defs {
			if d.Variable == string(name) {
				vars.values[i] = c.variable(d, value)
			}
		}
	})
	if err != nil {
		return []*gqlerror.Error{{Message: "Variables must be a JSON object."}}
	}
	for i, d := range defs {
		if _, gone := vars.values[i].(missing); gone {
			vars.values[i] = c.absent(d)
		}
	}
	return c.errs
}

// absent is the value of a variable that was not given.
func (c *coercer) absent(d *ast.VariableDefinition) any {
	if d.DefaultValue != nil {
		v, _ := literal(d.DefaultValue, d.Type, nil)
		return c.typed(v, d.Type)
	}
	if d.Type.NonNull {
		c.fail(d, fmt.Sprintf("Variable \"$%s\" of required type \"%s\" was not provided.", d.Variable, d.Type))
	}
	return missing{}
}

// typed gives the number of a literal the form that one of JSON has.
func (c *coercer) typed(v any, t *ast.Type) any {
	if n, ok := v.(json.Number); ok && t.NamedType == "Float" {
		f, _ := n.Float64()
		return f
	}
	return v
}

func (c *coercer) fail(d *ast.VariableDefinition, message string) {
	if len(c.errs) < maxVariableErrors {
		c.errs = append(c.errs, &gqlerror.Error{
			Message:   message,
			Locations: []gqlerror.Location{{Line: d.Position.Line, Column: d.Position.Column}},
		})
	}
}

// variable coerces one variable. Strings, the most frequent, are read without
// a decoder.
func (c *coercer) variable(d *ast.VariableDefinition, raw []byte) any {
	if name := d.Type.NamedType; (name == "ID" || name == "String") && len(raw) > 1 && raw[0] == '"' {
		if s, ok := plainString(raw); ok {
			return s
		}
	}
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		c.fail(d, "Variables must be a JSON object.")
		return nil
	}
	if v == nil && d.Type.NonNull {
		c.fail(d, fmt.Sprintf("Variable \"$%s\" of non-null type \"%s\" must not be null.", d.Variable, d.Type))
		return nil
	}
	c.def = d
	return c.coerceValue(v, d.Type, nil)
}

// invalid notes that a value at a path below the variable cannot be used.
func (c *coercer) invalid(v any, path []string, message string) any {
	at := ""
	if len(path) > 0 {
		at = fmt.Sprintf(" at \"%s%s\"", c.def.Variable, strings.Join(path, ""))
	}
	c.fail(c.def, fmt.Sprintf("Variable \"$%s\" got invalid value %s%s; %s", c.def.Variable, inspect(v, 0), at, message))
	return nil
}

func (c *coercer) coerceValue(v any, t *ast.Type, path []string) any {
	if v == nil {
		if t.NonNull {
			return c.invalid(v, path, fmt.Sprintf("Expected non-nullable type \"%s\" not to be null.", t))
		}
		return nil
	}
	if t.Elem != nil {
		return c.coerceList(v, t, path)
	}
	def := c.schema.Types[t.NamedType]
	switch def.Kind {
	case ast.InputObject:
		return c.coerceObject(v, def, path)
	case ast.Enum:
		return c.coerceEnum(v, def, path)
	default:
		return c.coerceScalar(v, def, path)
	}
}

func (c *coercer) coerceList(v any, t *ast.Type, path []string) any {
	items, ok := v.([]any)
	if !ok {
		return []any{c.coerceValue(v, t.Elem, path)}
	}
	out := make([]any, len(items))
	for i, item := range items {
		out[i] = c.coerceValue(item, t.Elem, append(slices.Clip(path), "["+strconv.Itoa(i)+"]"))
	}
	return out
}

func (c *coercer) coerceObject(v any, def *ast.Definition, path []string) any {
	given, ok := v.(map[string]any)
	if !ok {
		return c.invalid(v, path, fmt.Sprintf("Expected type \"%s\" to be an object.", def.Name))
	}
	out := make(map[string]any, len(given))
	for _, f := range def.Fields {
		item, ok := given[f.Name]
		switch {
		case ok:
			out[f.Name] = c.coerceValue(item, f.Type, append(slices.Clip(path), "."+f.Name))
		case f.Type.NonNull && f.DefaultValue == nil:
			c.invalid(v, path, fmt.Sprintf("Field \"%s\" of required type \"%s\" was not provided.", f.Name, f.Type))
		}
	}
	for _, name := range sortedKeys(given) {
		if def.Fields.ForName(name) == nil {
			c.invalid(v, path, fmt.Sprintf("Field \"%s\" is not defined by type \"%s\".", name, def.Name))
		}
	}
	return out
}

func (c *coercer) coerceEnum(v any, def *ast.Definition, path []string) any {
	s, ok := v.(string)
	if !ok {
		return c.invalid(v, path, fmt.Sprintf("Enum \"%s\" cannot represent non-string value: %s.", def.Name, inspect(v, 0)))
	}
	if def.EnumValues.ForName(s) == nil {
		return c.invalid(v, path, fmt.Sprintf("Value \"%s\" does not exist in \"%s\" enum.", s, def.Name))
	}
	return s
}

func (c *coercer) coerceScalar(v any, def *ast.Definition, path []string) any {
	n, isNumber := v.(json.Number)
	s, isString := v.(string)
	_, isBool := v.(bool)
	switch def.Name {
	case "Int":
		return c.coerceInt(v, path)
	case "Float":
		if f, err := n.Float64(); isNumber && err == nil {
			return f
		}
		return c.invalid(v, path, "Float cannot represent non numeric value: "+inspect(v, 0))
	case "String":
		if isString {
			return s
		}
		return c.invalid(v, path, "String cannot represent a non string value: "+inspect(v, 0))
	case "Boolean":
		if isBool {
			return v
		}
		return c.invalid(v, path, "Boolean cannot represent a non boolean value: "+inspect(v, 0))
	case "ID":
		if isString || isNumber && isInteger(n) {
			return v
		}
		return c.invalid(v, path, "ID cannot represent value: "+inspect(v, 0))
	}
	return v // a custom scalar: looked at where it is used
}

func isInteger(n json.Number) bool {
	_, err := strconv.ParseInt(n.String(), 10, 64)
	return err == nil
}

func (c *coercer) coerceInt(v any, path []string) any {
	n, ok := v.(json.Number)
	if !ok {
		return c.invalid(v, path, "Int cannot represent non-integer value: "+inspect(v, 0))
	}
	f, err := n.Float64()
	if err != nil || f != math.Trunc(f) {
		return c.invalid(v, path, "Int cannot represent non-integer value: "+inspect(v, 0))
	}
	if f < math.MinInt32 || f > math.MaxInt32 {
		return c.invalid(v, path, "Int cannot represent non 32-bit signed integer value: "+inspect(v, 0))
	}
	return int64(f)
}
