package validate

import (
	"fmt"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// input is the type that is expected at the place; nil is unknown.
func (v *walker) input() *ast.Type {
	if len(v.inputs) == 0 {
		return nil
	}
	return v.inputs[len(v.inputs)-1]
}

func (v *walker) enterInput(t *ast.Type, hasDefault bool) {
	v.inputs, v.defaults = append(v.inputs, t), append(v.defaults, hasDefault)
}

func (v *walker) leaveInput() {
	v.inputs, v.defaults = v.inputs[:len(v.inputs)-1], v.defaults[:len(v.defaults)-1]
}

// value walks over a literal.
func (v *walker) value(l *ast.Value) { v.checkedValue(l, true) }

// checkedValue walks over a literal; of one inside a value that was refused as
// a whole only the names are looked at.
func (v *walker) checkedValue(l *ast.Value, check bool) {
	check = check && v.usages == nil
	switch l.Kind {
	case ast.Variable:
		if v.usages != nil {
			v.usages(usage{l, v.input(), len(v.defaults) > 0 && v.defaults[len(v.defaults)-1]})
		}
	case ast.ListValue:
		v.list(l, check)
	case ast.ObjectValue:
		v.object(l, check)
	case ast.NullValue:
		if t := v.input(); check && t != nil && t.NonNull {
			v.report(fmt.Sprintf("Expected value of type \"%s\", found null.", t), at(l.Position))
		}
	default:
		if check {
			v.literal(l)
		}
	}
}

func (v *walker) list(l *ast.Value, check bool) {
	t := nullable(v.input())
	item, isList := t, t != nil && t.Elem != nil
	if isList {
		item = t.Elem
	}
	v.enterInput(item, false)
	if check && !isList {
		v.literal(l)
	}
	for _, c := range l.Children {
		v.checkedValue(c.Value, check && isList)
	}
	v.leaveInput()
}

func (v *walker) object(l *ast.Value, check bool) {
	def := v.schema.def(v.input())
	isObject := def != nil && def.Kind == ast.InputObject
	switch {
	case check && isObject:
		v.requiredFields(l, def)
	case check:
		v.literal(l)
	}
	known := map[string]gqlerror.Location{}
	for _, c := range l.Children {
		var f *ast.FieldDefinition
		if isObject {
			f = def.Fields.ForName(c.Name)
		}
		v.objectField(c, def, f, check && isObject)
		if v.usages == nil {
			v.uniqueField(c, known)
		}
		var t *ast.Type
		if f != nil {
			t = f.Type
		}
		v.enterInput(t, f != nil && f.DefaultValue != nil)
		v.checkedValue(c.Value, check && isObject)
		v.leaveInput()
	}
}

func (v *walker) objectField(c *ast.ChildValue, def *ast.Definition, f *ast.FieldDefinition, check bool) {
	if !check || f != nil {
		return
	}
	v.report(fmt.Sprintf("Field \"%s\" is not defined by type \"%s\".", c.Name, def.Name)+v.suggest(c.Name, fieldNames(def)), at(c.Position))
}

func (v *walker) uniqueField(c *ast.ChildValue, known map[string]gqlerror.Location) {
	if first, ok := known[c.Name]; ok {
		v.report(fmt.Sprintf("There can be only one input field named \"%s\".", c.Name), first, at(c.Position))
		return
	}
	known[c.Name] = at(c.Position)
}

func fieldNames(def *ast.Definition) (names []string) {
	for _, f := range def.Fields {
		if !isMeta(f.Name) {
			names = append(names, f.Name)
		}
	}
	return names
}

func (v *walker) requiredFields(l *ast.Value, def *ast.Definition) {
	for _, f := range def.Fields {
		if required(f.Type, f.DefaultValue) && l.Children.ForName(f.Name) == nil {
			v.report(fmt.Sprintf("Field \"%s.%s\" of required type \"%s\" was not provided.", def.Name, f.Name, f.Type), at(l.Position))
		}
	}
	if def.Directives.ForName("oneOf") != nil {
		v.oneOf(l, def)
	}
}

func (v *walker) oneOf(l *ast.Value, def *ast.Definition) {
	names := map[string]*ast.Value{}
	for _, c := range l.Children {
		names[c.Name] = c.Value
	}
	if len(names) != 1 {
		v.report(fmt.Sprintf("OneOf Input Object \"%s\" must specify exactly one key.", def.Name), at(l.Position))
		return
	}
	for name, value := range names {
		if value.Kind == ast.NullValue {
			v.report(fmt.Sprintf("Field \"%s.%s\" must be non-null.", def.Name, name), at(l.Position))
		}
	}
}

// literal checks a literal against the type that is expected.
func (v *walker) literal(l *ast.Value) {
	t := v.input()
	if t == nil {
		return
	}
	def := v.schema.def(t)
	if def == nil || !def.IsLeafType() {
		v.report(fmt.Sprintf("Expected value of type \"%s\", found %s.", t, printValue(l)), at(l.Position))
		return
	}
	if message := v.misfit(l, def); message != "" {
		v.report(message, at(l.Position))
	}
}

// misfit says why a literal is no value of a leaf type, or nothing. The values
// of custom scalars are looked at where they are used.
func (v *walker) misfit(l *ast.Value, def *ast.Definition) string {
	if def.Kind == ast.Enum {
		return v.enumMisfit(l, def)
	}
	shown := func() string { return printValue(l) }
	text := l.Kind == ast.StringValue || l.Kind == ast.BlockValue
	switch {
	case def.Name == "Int" && l.Kind != ast.IntValue:
		return "Int cannot represent non-integer value: " + shown()
	case def.Name == "Int" && !isInt32(l.Raw):
		return "Int cannot represent non 32-bit signed integer value: " + l.Raw
	case def.Name == "Float" && l.Kind != ast.IntValue && l.Kind != ast.FloatValue:
		return "Float cannot represent non numeric value: " + shown()
	case def.Name == "String" && !text:
		return "String cannot represent a non string value: " + shown()
	case def.Name == "Boolean" && l.Kind != ast.BooleanValue:
		return "Boolean cannot represent a non boolean value: " + shown()
	case def.Name == "ID" && !text && l.Kind != ast.IntValue:
		return "ID cannot represent a non-string and non-integer value: " + shown()
	}
	return ""
}

func isInt32(raw string) bool {
	_, err := strconv.ParseInt(raw, 10, 32)
	return err == nil
}

func (v *walker) enumMisfit(l *ast.Value, def *ast.Definition) string {
	shown := printValue(l)
	if l.Kind != ast.EnumValue {
		return fmt.Sprintf("Enum \"%s\" cannot represent non-enum value: %s.", def.Name, shown) + v.enumSuggestion(def, shown)
	}
	if def.EnumValues.ForName(l.Raw) == nil {
		return fmt.Sprintf("Value \"%s\" does not exist in \"%s\" enum.", shown, def.Name) + v.enumSuggestion(def, shown)
	}
	return ""
}

func (v *walker) enumSuggestion(def *ast.Definition, input string) string {
	if v.opts.NoSuggestions {
		return ""
	}
	return EnumSuggestion(def, input)
}

// EnumSuggestion words which values of an enum might have been meant.
func EnumSuggestion(def *ast.Definition, input string) string {
	names := make([]string, len(def.EnumValues))
	for i, value := range def.EnumValues {
		names[i] = value.Name
	}
	return didYouMean("the enum value ", Suggestions(input, names))
}
