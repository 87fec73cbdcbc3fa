package api

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"freshet/api/validate"
)

// coercer turns the variables of a request, as JSON, into values of the types
// that the operation declares. Wording is graphql-js's.
type coercer struct {
	schema *ast.Schema
	hide   bool // the names that might have been meant
	def    *ast.VariableDefinition
	errs   []*gqlerror.Error
}

// maxVariableErrors is how many faults of variables are told.
const maxVariableErrors = 50

// coerce coerces the variables into vars, which has a value for each of the
// definitions afterwards. raw is a JSON object, or empty.
func (s *Server) coerce(defs ast.VariableDefinitionList, raw []byte, vars *variables) []*gqlerror.Error {
	vars.defs = defs
	vars.values = vars.values[:0]
	for range defs {
		vars.values = append(vars.values, missing{})
	}
	if len(defs) == 0 {
		return nil
	}
	c := coercer{schema: s.schema.AST, hide: s.cfg.NoIntrospection || s.cfg.NoSuggestions}
	// What is given is told apart first: faults are told in the order of the
	// definitions.
	err := members(raw, func(name, value []byte) {
		for i, d := range defs {
			if d.Variable == string(name) {
				vars.values[i] = given(value)
			}
		}
	})
	if err != nil {
		return []*gqlerror.Error{{Message: "Variables must be a JSON object."}}
	}
	for i, d := range defs {
		if value, ok := vars.values[i].(given); ok {
			vars.values[i] = c.variable(d, value)
		} else {
			vars.values[i] = c.absent(d)
		}
		if len(c.errs) > maxVariableErrors {
			break
		}
	}
	return c.errs
}

// given is the JSON of a variable that is yet to be coerced.
type given []byte

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
	switch {
	case len(c.errs) < maxVariableErrors:
		c.errs = append(c.errs, &gqlerror.Error{
			Message:   message,
			Locations: []gqlerror.Location{{Line: d.Position.Line, Column: d.Position.Column}},
		})
	case len(c.errs) == maxVariableErrors:
		c.errs = append(c.errs, &gqlerror.Error{Message: "Too many errors processing variables, error limit reached. Execution aborted."})
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
	v, err := decodeOrdered(raw)
	if err != nil {
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
	given, ok := v.(*orderedObject)
	if !ok {
		return c.invalid(v, path, fmt.Sprintf("Expected type \"%s\" to be an object.", def.Name))
	}
	out := make(map[string]any, len(given.names))
	names := make([]string, 0, len(def.Fields))
	for _, f := range def.Fields {
		names = append(names, f.Name)
		item, ok := given.values[f.Name]
		switch {
		case ok:
			out[f.Name] = c.coerceValue(item, f.Type, append(slices.Clip(path), "."+f.Name))
		case f.Type.NonNull && f.DefaultValue == nil:
			c.invalid(v, path, fmt.Sprintf("Field \"%s\" of required type \"%s\" was not provided.", f.Name, f.Type))
		}
	}
	for _, name := range given.names {
		if !slices.Contains(names, name) {
			c.invalid(v, path, fmt.Sprintf("Field \"%s\" is not defined by type \"%s\".", name, def.Name)+c.suggest(func() string {
				return validate.DidYouMean(validate.Suggestions(name, names))
			}))
		}
	}
	return out
}

func (c *coercer) suggest(words func() string) string {
	if c.hide {
		return ""
	}
	return words()
}

func (c *coercer) coerceEnum(v any, def *ast.Definition, path []string) any {
	s, ok := v.(string)
	if !ok {
		shown := inspect(v, 0)
		return c.invalid(v, path, fmt.Sprintf("Enum \"%s\" cannot represent non-string value: %s.", def.Name, shown)+c.suggest(func() string {
			return validate.EnumSuggestion(def, shown)
		}))
	}
	if def.EnumValues.ForName(s) == nil {
		return c.invalid(v, path, fmt.Sprintf("Value \"%s\" does not exist in \"%s\" enum.", s, def.Name)+c.suggest(func() string {
			return validate.EnumSuggestion(def, s)
		}))
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
		if isString {
			return v
		}
		if whole, ok := wholeNumber(n); isNumber && ok {
			return whole
		}
		return c.invalid(v, path, "ID cannot represent value: "+inspect(v, 0))
	}
	return v // a custom scalar: looked at where it is used
}

// wholeNumber returns a number without fraction as it is written out.
func wholeNumber(n json.Number) (json.Number, bool) {
	if _, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		return n, true
	}
	f, err := n.Float64()
	return json.Number(jsNumber(n)), err == nil && f == math.Trunc(f)
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
