package model

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// use is one checked use of a directive. Arguments that are faulty are left
// out of args, and noted, so that nobody calls them missing.
type use struct {
	name   string
	pos    Pos
	args   map[string]*ast.Argument
	faulty map[string]bool
}

// value returns a well-formed argument's value, or nil without one.
func (u *use) value(arg string) *ast.Value {
	if u == nil || u.args[arg] == nil || u.args[arg].Value.Kind == ast.NullValue {
		return nil
	}
	return u.args[arg].Value
}

// text returns a well-formed string or enum argument's value, or "".
func (u *use) text(arg string) string {
	if v := u.value(arg); v != nil {
		return v.Raw
	}
	return ""
}

// list returns a list argument's values; a single one counts as a list of one.
func (u *use) list(arg string) []*ast.Value {
	v := u.value(arg)
	if v == nil {
		return nil
	}
	if v.Kind != ast.ListValue {
		return []*ast.Value{v}
	}
	values := make([]*ast.Value, 0, len(v.Children))
	for _, c := range v.Children {
		values = append(values, c.Value)
	}
	return values
}

// uses are the directives of one definition.
type uses struct {
	all     []*use
	unknown bool // one of them was not known
}

// get returns the first use of a directive, or nil.
func (us *uses) get(name string) *use {
	for _, u := range us.all {
		if u.name == name {
			return u
		}
	}
	return nil
}

// locations names the places of directives for messages.
var locations = map[ast.DirectiveLocation]string{
	ast.LocationObject: "a type", ast.LocationFieldDefinition: "a field",
	ast.LocationEnum: "an enum", ast.LocationEnumValue: "an enum value", ast.LocationScalar: "a scalar",
	ast.LocationInterface: "an interface", ast.LocationUnion: "a union",
}

// directives checks a definition's directives against the vocabulary.
func (r *reader) directives(list ast.DirectiveList, place ast.DirectiveLocation) *uses {
	us := &uses{}
	for _, d := range list {
		def := known.directives.ForName(d.Name)
		if def == nil || !slices.Contains(def.Locations, place) {
			us.unknown = true
			r.strayDirective(d, def, place)
			continue
		}
		if !def.IsRepeatable && us.get(d.Name) != nil {
			r.ds.Errorf(r.text.directive(d), "Keep one of them.", "@%s is given twice", d.Name)
			continue
		}
		us.all = append(us.all, r.arguments(d, def))
	}
	return us
}

func (r *reader) strayDirective(d *ast.Directive, def *ast.DirectiveDefinition, place ast.DirectiveLocation) {
	pos := r.text.directive(d)
	if def != nil {
		places := make([]string, 0, len(def.Locations))
		for _, l := range def.Locations {
			places = append(places, locations[l])
		}
		r.ds.Errorf(pos, fmt.Sprintf("It belongs on %s.", strings.Join(places, " or ")), "@%s cannot stand on %s", d.Name, locations[place])
		return
	}
	var names []string
	for _, def := range known.directives {
		if slices.Contains(def.Locations, place) {
			names = append(names, "@"+def.Name)
		}
	}
	r.ds.Errorf(pos, didYouMean("@"+d.Name, names), "unknown directive @%s", d.Name)
}

// arguments checks those of one directive.
func (r *reader) arguments(d *ast.Directive, def *ast.DirectiveDefinition) *use {
	u := &use{name: d.Name, pos: r.text.directive(d), args: map[string]*ast.Argument{}, faulty: map[string]bool{}}
	for _, a := range d.Arguments {
		pos := r.text.pos(a.Position)
		spec := def.Arguments.ForName(a.Name)
		switch {
		case spec == nil:
			r.unknownArgument(u, a, def)
		case u.args[a.Name] != nil || u.faulty[a.Name]:
			r.ds.Errorf(pos, "Keep one of them.", "@%s has the argument %s twice", d.Name, a.Name)
		case r.checkValue(fmt.Sprintf("@%s(%s:)", d.Name, a.Name), a.Value, spec.Type):
			u.args[a.Name] = a
		default:
			u.faulty[a.Name] = true
		}
	}
	for _, spec := range def.Arguments {
		if spec.Type.NonNull && spec.DefaultValue == nil && u.args[spec.Name] == nil && !u.faulty[spec.Name] {
			r.ds.Errorf(u.pos, fmt.Sprintf("Write @%s(%s: …).", d.Name, spec.Name), "@%s needs the argument %s", d.Name, spec.Name)
			u.faulty[spec.Name] = true
		}
	}
	return u
}

func (r *reader) unknownArgument(u *use, a *ast.Argument, def *ast.DirectiveDefinition) {
	names := make([]string, 0, len(def.Arguments))
	for _, spec := range def.Arguments {
		names = append(names, spec.Name)
	}
	// The argument that was meant counts as given, or it would be reported missing too.
	if meant := nearest(a.Name, names); meant != "" {
		u.faulty[meant] = true
	}
	remedy := didYouMean(a.Name, names)
	if len(names) == 0 {
		remedy = "It takes none."
	}
	r.ds.Errorf(r.text.pos(a.Position), remedy, "@%s has no argument %s", def.Name, a.Name)
}

// checkValue says whether an argument's value is of its type, and reports
// where it is not.
func (r *reader) checkValue(what string, v *ast.Value, t *ast.Type) bool {
	pos := r.text.pos(v.Position)
	switch {
	case v.Kind == ast.NullValue:
		if t.NonNull {
			r.ds.Errorf(pos, "Give it a value.", "%s cannot be null", what)
		}
		return !t.NonNull
	case t.Elem != nil && v.Kind == ast.ListValue:
		return r.checkList(what, v, t.Elem)
	case t.Elem != nil:
		return r.checkValue(what, v, t.Elem)
	}
	if !fits(v, t.NamedType) {
		r.ds.Errorf(pos, valueRemedy(v, t.NamedType), "%s takes %s, not %s", what, argumentKind(t.NamedType), excerpt(v))
		return false
	}
	if v.Kind != ast.StringValue && v.Kind != ast.BlockValue {
		return true
	}
	if strings.TrimSpace(v.Raw) == "" {
		r.ds.Errorf(pos, "Give it a value, or leave the argument out.", "%s is empty", what)
		return false
	}
	if strings.ContainsRune(v.Raw, 0) {
		r.ds.Errorf(pos, "Remove the \\u0000.", "%s contains a NUL character, which Postgres cannot take", what)
		return false
	}
	return true
}

func (r *reader) checkList(what string, v *ast.Value, elem *ast.Type) bool {
	if len(v.Children) == 0 {
		r.ds.Errorf(r.text.pos(v.Position), "Give it a value, or leave the argument out.", "%s is an empty list", what)
		return false
	}
	ok := true
	for _, c := range v.Children {
		ok = r.checkValue(what, c.Value, elem) && ok
	}
	return ok
}

// fits says whether a value can be of a named argument type.
func fits(v *ast.Value, name string) bool {
	isString := v.Kind == ast.StringValue || v.Kind == ast.BlockValue
	switch name {
	case "String":
		return isString
	case "Boolean":
		return v.Kind == ast.BooleanValue
	case "Int":
		_, err := strconv.ParseInt(v.Raw, 10, 32)
		return v.Kind == ast.IntValue && err == nil
	case whereScalar:
		return isString || v.Kind == ast.ObjectValue
	case orderByScalar:
		return v.Kind == ast.ObjectValue
	}
	return v.Kind == ast.EnumValue && slices.Contains(known.enums[name], v.Raw)
}

// argumentKind names an argument's type for messages.
func argumentKind(name string) string {
	switch name {
	case "String":
		return "a string"
	case "Boolean":
		return "true or false"
	case "Int":
		return "an integer"
	case whereScalar:
		return "an SQL string or an object"
	case orderByScalar:
		return "an object such as {createdAt: DESC}"
	}
	return "one of " + strings.Join(known.enums[name], ", ")
}

func valueRemedy(v *ast.Value, name string) string {
	values, isEnum := known.enums[name]
	switch {
	case strings.EqualFold(v.Raw, "btree"):
		return "Leave it out: a B-tree is the default."
	case isEnum && v.Kind == ast.StringValue && slices.Contains(values, v.Raw):
		return fmt.Sprintf("Write %s without quotes.", v.Raw)
	case isEnum && v.Raw != "":
		return didYouMean(v.Raw, values)
	case name == "String" && v.Kind == ast.EnumValue:
		return fmt.Sprintf("Write it in quotes: %q.", v.Raw)
	case v.Kind == ast.StringValue && (name == "Int" || name == "Boolean"):
		return "Write it without quotes."
	}
	return "Write " + argumentKind(name) + " there."
}

// excerpt shows a value in a message.
func excerpt(v *ast.Value) string {
	switch v.Kind {
	case ast.ListValue:
		return "a list"
	case ast.ObjectValue:
		return "an object"
	}
	raw := []rune(v.Raw)
	const most = 40
	if len(raw) > most {
		raw = append(raw[:most:most], '…')
	}
	if v.Kind == ast.StringValue || v.Kind == ast.BlockValue {
		return strconv.Quote(string(raw))
	}
	return string(raw)
}
