package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// interfaceSource is an interface with what the file says of it.
type interfaceSource struct {
	iface *Interface
	def   *ast.Definition
}

// implementer is whatever has an implements clause: a type, or an interface.
type implementer struct {
	name       string
	pos        Pos
	def        *ast.Definition
	interfaces *[]*Interface
	// field returns the type and position of a field; known is false where
	// there is none, and the type is nil where a fault of it was reported.
	field func(name string) (t *TypeRef, pos Pos, known bool)
}

func (r *reader) declareInterface(d *ast.Definition) {
	if !r.checkName(d) || r.model.Interface(d.Name) != nil {
		return
	}
	i := &Interface{Name: d.Name, Description: d.Description, Pos: r.text.pos(d.Position)}
	r.directives(d.Directives, ast.LocationInterface)
	if len(d.Fields) == 0 {
		r.ds.Errorf(i.Pos, "Give it fields, or make it a union.", "the interface %s has no fields", i.Name)
	}
	r.model.Interfaces = append(r.model.Interfaces, i)
	r.interfaceSources = append(r.interfaceSources, &interfaceSource{i, d})
}

func (r *reader) declareUnion(d *ast.Definition) {
	if !r.checkName(d) || r.model.Union(d.Name) != nil {
		return
	}
	r.directives(d.Directives, ast.LocationUnion)
	r.model.Unions = append(r.model.Unions, &Union{Name: d.Name, Description: d.Description, Pos: r.text.pos(d.Position)})
}

// isAbstract says whether a name is an interface's or a union's.
func (r *reader) isAbstract(name string) bool {
	d := r.declared[name]
	return d != nil && (d.Kind == ast.Interface || d.Kind == ast.Union)
}

// abstractNames are the interfaces and unions, for suggestions.
func (r *reader) abstractNames() []string {
	var names []string
	for _, i := range r.model.Interfaces {
		names = append(names, i.Name)
	}
	for _, u := range r.model.Unions {
		names = append(names, u.Name)
	}
	return names
}

// readAbstract reads the fields of interfaces, and says which types each
// interface and union has.
func (r *reader) readAbstract() {
	for _, s := range r.interfaceSources {
		for _, d := range s.def.Fields {
			r.readInterfaceField(s.iface, d)
		}
	}
	for _, im := range r.implementers() {
		r.readImplements(im)
	}
	for _, ts := range r.typeSources {
		for _, i := range ts.typ.Interfaces {
			i.Types = append(i.Types, ts.typ)
		}
	}
	for _, u := range r.model.Unions {
		r.readUnion(u)
	}
}

func (r *reader) readInterfaceField(i *Interface, d *ast.FieldDefinition) {
	f := &InterfaceField{Name: d.Name, Description: d.Description, Pos: r.text.pos(d.Position)}
	us := r.directives(d.Directives, ast.LocationFieldDefinition)
	f.Deprecated = deprecation(us)
	for _, u := range us.all {
		if u.name != "deprecated" {
			r.ds.Errorf(u.pos, fmt.Sprintf("Write it on the field %s of each type that implements %s.", f.Name, i.Name), "@%s cannot stand on a field of an interface, which has no table", u.name)
		}
	}
	if len(d.Arguments) > 0 {
		r.ds.Errorf(r.text.pos(d.Arguments[0].Position), "Remove them: Freshet derives the arguments.", "the field %s has arguments", f.Name)
	}
	switch {
	case strings.HasPrefix(d.Name, "__"):
		r.ds.Errorf(f.Pos, "Rename it.", "the field name %s begins with __, which belongs to GraphQL", d.Name)
	case i.Field(d.Name) != nil:
		r.ds.Errorf(f.Pos, "Remove one of them.", "the field %s.%s is declared twice, first at line %d", i.Name, d.Name, i.Field(d.Name).Pos.Line)
	case r.interfaceType(f, d.Type):
		i.Fields = append(i.Fields, f)
	}
}

// interfaceType reads the type of an interface's field.
func (r *reader) interfaceType(f *InterfaceField, t *ast.Type) bool {
	f.Type = TypeRef{Name: t.Name(), NonNull: t.NonNull}
	if t.Elem != nil {
		f.Type.List, f.Type.ElemNonNull = true, t.Elem.NonNull
		if t.Elem.Elem != nil {
			r.ds.Errorf(r.text.pos(t.Position), "Write one pair of brackets; Postgres arrays of any dimension are flattened.", "%s is a list of lists", f.Name)
			return false
		}
	}
	if r.isValueType(f.Type.Name) || r.types[f.Type.Name] != nil || r.isAbstract(f.Type.Name) {
		return true
	}
	r.ds.Errorf(f.Pos, didYouMean(f.Type.Name, append(append(r.typeNames(), r.abstractNames()...), allScalars()...)), "unknown type %s", f.Type.Name)
	return false
}

// implementers are the interfaces and then the types of the file.
func (r *reader) implementers() []implementer {
	var all []implementer
	for _, s := range r.interfaceSources {
		i := s.iface
		all = append(all, implementer{i.Name, i.Pos, s.def, &i.Interfaces, func(name string) (*TypeRef, Pos, bool) {
			if f := i.Field(name); f != nil {
				return &f.Type, f.Pos, true
			}
			return nil, Pos{}, s.def.Fields.ForName(name) != nil
		}})
	}
	for _, ts := range r.typeSources {
		t := ts.typ
		all = append(all, implementer{t.Name, t.Pos, ts.def, &t.Interfaces, func(name string) (*TypeRef, Pos, bool) {
			f := t.Field(name)
			if f == nil || r.brokenFields[f] {
				return nil, Pos{}, f != nil
			}
			return &f.Type, f.Pos, true
		}})
	}
	return all
}

// readImplements resolves an implements clause.
func (r *reader) readImplements(im implementer) {
	for _, name := range im.def.Interfaces {
		i, pos := r.model.Interface(name), r.nameAfter(im.def, "implements", name)
		switch {
		case i == nil && r.isAbstract(name):
			r.ds.Errorf(pos, fmt.Sprintf("Name %s in the union instead: union %s = %s.", im.name, name, im.name), "%s cannot implement %s, which is a union", im.name, name)
		case i == nil:
			r.ds.Errorf(pos, didYouMean(name, r.interfaceNames()), "%s implements %s, which is no interface of the file", im.name, name)
		case slices.Contains(*im.interfaces, i):
			r.ds.Errorf(pos, "Name it once.", "%s implements %s twice", im.name, name)
		case name == im.name:
			r.ds.Errorf(pos, "Remove it.", "%s implements itself", name)
		default:
			*im.interfaces = append(*im.interfaces, i)
		}
	}
}

func (r *reader) interfaceNames() []string {
	var names []string
	for _, i := range r.model.Interfaces {
		names = append(names, i.Name)
	}
	return names
}

// readUnion resolves the types of a union.
func (r *reader) readUnion(u *Union) {
	def := r.declared[u.Name]
	if len(def.Types) == 0 {
		r.ds.Errorf(u.Pos, fmt.Sprintf("Name its types: union %s = A | B.", u.Name), "the union %s has no types", u.Name)
	}
	for _, name := range def.Types {
		t, pos := r.types[name], r.nameAfter(def, "=", name)
		switch {
		case t == nil && (r.declared[name] != nil || IsScalar(name)):
			r.ds.Errorf(pos, "Name the types themselves.", "the union %s cannot have %s, which is no type with fields of its own", u.Name, name)
		case t == nil:
			r.ds.Errorf(pos, didYouMean(name, r.typeNames()), "unknown type %s", name)
		case slices.Contains(u.Types, t):
			r.ds.Errorf(pos, "Name it once.", "the union %s has %s twice", u.Name, name)
		default:
			u.Types = append(u.Types, t)
		}
	}
}

// nameAfter returns where a definition names something behind a mark, which
// the parser does not tell; where that cannot be found, it is the definition.
func (r *reader) nameAfter(d *ast.Definition, mark, name string) Pos {
	runes := r.text.runes
	at := d.Position.Start
	behind := false
	for at < len(runes) && runes[at] != '{' {
		start := at
		for at < len(runes) && isNameRune(runes[at]) {
			at++
		}
		if at == start {
			at++
		}
		switch word := string(runes[start:at]); {
		case behind && word == name:
			return r.text.at(start)
		case word == mark:
			behind = true
		}
	}
	return r.text.pos(d.Position)
}

func isNameRune(c rune) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// checkImplements holds types and interfaces to what they implement.
func (r *reader) checkImplements() {
	for _, im := range r.implementers() {
		for _, i := range *im.interfaces {
			r.checkFieldsOf(im, i)
			for _, more := range i.Interfaces {
				r.checkInherited(im, i, more)
			}
		}
	}
	for _, i := range r.model.Interfaces {
		if len(i.Types) == 0 {
			r.ds.Warnf(i.Pos, fmt.Sprintf("Write type X implements %s, or remove it.", i.Name), "no type implements %s", i.Name)
		}
	}
}

func (r *reader) checkFieldsOf(im implementer, i *Interface) {
	for _, want := range i.Fields {
		have, pos, known := im.field(want.Name)
		switch {
		case !known:
			r.ds.Errorf(im.pos, fmt.Sprintf("Add %s: %s, or remove the implements.", want.Name, want.Type), "%s implements %s and has no field %s", im.name, i.Name, want.Name)
		case have != nil && !r.fits(*have, want.Type):
			r.ds.Errorf(pos, fmt.Sprintf("Write %s: %s here, or another type there.", want.Name, want.Type), "%s.%s is of type %s, and of type %s in the interface %s", im.name, want.Name, *have, want.Type, i.Name)
		}
	}
}

// checkInherited reports what an interface implements and its types do not.
func (r *reader) checkInherited(im implementer, i, more *Interface) {
	switch {
	case more.Name == im.name:
		r.ds.Errorf(im.pos, "Remove one of the implements.", "%s and %s implement each other", im.name, i.Name)
	case !slices.Contains(*im.interfaces, more):
		r.ds.Errorf(im.pos, fmt.Sprintf("Write implements %s & %s.", i.Name, more.Name), "%s implements %s, which implements %s, and must implement that, too", im.name, i.Name, more.Name)
	}
}

// fits says whether a field of type have may stand for one of type want: as it
// is, or narrower.
func (r *reader) fits(have, want TypeRef) bool {
	if have.List != want.List || want.NonNull && !have.NonNull || want.ElemNonNull && !have.ElemNonNull {
		return false
	}
	if have.Name == want.Name {
		return true
	}
	if t := r.types[have.Name]; t != nil {
		return slices.Contains(r.model.PossibleTypes(want.Name), t)
	}
	have0, want0 := r.model.Interface(have.Name), r.model.Interface(want.Name)
	return have0 != nil && want0 != nil && slices.Contains(have0.Interfaces, want0)
}

// pruneAbstract takes types that are lost out of interfaces and unions.
func (r *reader) pruneAbstract() {
	whole := func(t *Type) bool { return !r.brokenTypes[t] }
	for _, i := range r.model.Interfaces {
		i.Types = pruned(i.Types, whole)
	}
	for _, u := range r.model.Unions {
		u.Types = pruned(u.Types, whole)
	}
}
