package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// refuse reports what a model file cannot contain at all.
func (r *reader) refuse(doc *ast.SchemaDocument) {
	for _, d := range append(doc.Schema, doc.SchemaExtension...) {
		r.ds.Errorf(r.text.pos(d.Position), "Remove it: Freshet derives the schema from the types.", "a model file has no schema definition")
	}
	for _, d := range doc.Extensions {
		r.ds.Errorf(r.text.pos(d.Position), fmt.Sprintf("Put its fields into %s itself.", d.Name), "a model file cannot extend %s", d.Name)
	}
	for _, d := range doc.DirectiveExtensions {
		r.ds.Errorf(r.text.pos(d.Position), "Remove it.", "a model file cannot extend @%s", d.Name)
	}
	for _, d := range doc.Directives {
		if known.directives.ForName(d.Name) == nil {
			r.ds.Errorf(r.text.pos(d.Position), "Remove it.", "a model file cannot define the directive @%s", d.Name)
		}
	}
}

// declare enters every type, interface, union and enum of the file by name.
func (r *reader) declare(defs ast.DefinitionList) {
	for _, d := range defs {
		if d.Kind != ast.Scalar && d.Kind != ast.InputObject {
			r.checkDuplicate(d)
		}
	}
	for _, d := range defs {
		switch d.Kind {
		case ast.Object:
			r.declareType(d)
		case ast.Enum:
			r.declareEnum(d)
		case ast.Interface:
			r.declareInterface(d)
		case ast.Union:
			r.declareUnion(d)
		case ast.Scalar:
			r.checkScalar(d)
		default:
			r.refuseKind(d)
		}
	}
}

func (r *reader) checkDuplicate(d *ast.Definition) {
	if isPrelude(d) {
		return
	}
	if first := r.declared[d.Name]; first != nil {
		r.ds.Errorf(r.text.pos(d.Position), "Rename one of them, or remove it.", "%s is declared twice, first at line %d", d.Name, r.text.pos(first.Position).Line)
		return
	}
	r.declared[d.Name] = d
}

// isPrelude says whether a definition is one of the Prelude's own, which a
// file may repeat.
func isPrelude(d *ast.Definition) bool {
	p := known.internal[d.Name]
	return p != nil && p.Kind == d.Kind
}

var refusedKinds = map[ast.DefinitionKind][2]string{
	ast.InputObject: {"an input type", "Remove it: Freshet derives filters and orders itself."},
}

func (r *reader) refuseKind(d *ast.Definition) {
	k := refusedKinds[d.Kind]
	r.ds.Errorf(r.text.pos(d.Position), k[1], "a model file cannot have %s: %s", k[0], d.Name)
}

func (r *reader) checkScalar(d *ast.Definition) {
	if isPrelude(d) || IsScalar(d.Name) {
		return
	}
	remedy := "Use one of " + strings.Join(known.scalars, ", ") + "; any other column type may be a String."
	if s := r.scalarFor(d.Name); s != "" {
		remedy = fmt.Sprintf("Use %s instead.", s)
	}
	r.ds.Errorf(r.text.pos(d.Position), remedy, "a model file cannot define the scalar %s", d.Name)
}

// scalarFor returns the scalar that an unknown name most likely means, or "".
func (r *reader) scalarFor(name string) string {
	if s, ok := otherNames[name]; ok {
		return s
	}
	return nearest(name, allScalars())
}

func allScalars() []string { return slices.Concat(standardScalars, known.scalars) }

// checkName reports a type's or enum's name that the served schema needs itself.
func (r *reader) checkName(d *ast.Definition) bool {
	why := ""
	switch base := derivedFrom(d.Name, r.derives); {
	case slices.Contains([]string{"Query", "Mutation", "Subscription"}, d.Name):
		r.ds.Errorf(r.text.pos(d.Position), "Remove it, or rename it if it is a read model.", "Freshet derives the type %s itself", d.Name)
		return false
	case strings.HasPrefix(d.Name, "__"):
		why = "names that begin with __ belong to GraphQL"
	case slices.Contains(reservedTypes, d.Name):
		why = "the served schema has a type of its own by that name"
	case IsScalar(d.Name) || known.internal[d.Name] != nil:
		why = "it is a scalar or enum of Freshet's own"
	case base != "":
		why = "the served schema derives a type of that name from " + base
	default:
		return true
	}
	remedy := "Rename it."
	if d.Kind == ast.Object {
		remedy = "Rename it; @table says which table it is of."
	}
	r.ds.Errorf(r.text.pos(d.Position), remedy, "the name %s is taken: %s", d.Name, why)
	return false
}

// derives says whether the served schema derives further types from a name.
func (r *reader) derives(name string) bool {
	return r.declared[name] != nil && !r.isAbstract(name)
}

func (r *reader) declareEnum(d *ast.Definition) {
	if isPrelude(d) {
		return
	}
	r.checkName(d)
	r.directives(d.Directives, ast.LocationEnum)
	e := &Enum{Name: d.Name, Description: d.Description, Pos: r.text.pos(d.Position)}
	if len(d.EnumValues) == 0 {
		r.ds.Errorf(e.Pos, "Give it the labels of the Postgres enum.", "the enum %s has no values", d.Name)
	}
	for _, v := range d.EnumValues {
		r.addEnumValue(e, v)
	}
	if r.enums[d.Name] == nil {
		r.enums[d.Name] = e
		r.model.Enums = append(r.model.Enums, e)
	}
}

func (r *reader) addEnumValue(e *Enum, v *ast.EnumValueDefinition) {
	pos := r.text.pos(v.Position)
	us := r.directives(v.Directives, ast.LocationEnumValue)
	switch {
	case slices.Contains([]string{"true", "false", "null"}, v.Name) || strings.HasPrefix(v.Name, "__"):
		r.ds.Errorf(pos, "Use a String field for this column.", "GraphQL does not allow the enum value %s", v.Name)
	case slices.ContainsFunc(e.Values, func(w EnumValue) bool { return w.Name == v.Name }):
		r.ds.Errorf(pos, "Remove it.", "the enum %s has the value %s twice", e.Name, v.Name)
	default:
		e.Values = append(e.Values, EnumValue{Name: v.Name, Description: v.Description, Deprecated: deprecation(us)})
	}
}

// deprecation returns the reason of @deprecated, or nil without it.
func deprecation(us *uses) *string {
	u := us.get("deprecated")
	if u == nil {
		return nil
	}
	reason := u.text("reason")
	if reason == "" {
		reason = "No longer supported"
	}
	return &reason
}

func (r *reader) declareType(d *ast.Definition) {
	ok := r.checkName(d)
	if !ok && slices.Contains([]string{"Query", "Mutation", "Subscription"}, d.Name) {
		return // its fields are no columns: one fault says it all
	}
	t := &Type{Name: d.Name, Description: d.Description, Pos: r.text.pos(d.Position), Stored: true}
	if !ok || r.types[d.Name] != nil {
		r.brokenTypes[t] = true
	}
	if r.types[d.Name] == nil {
		r.types[d.Name] = t
	}
	r.model.Types = append(r.model.Types, t)
	r.typeSources = append(r.typeSources, &typeSource{typ: t, def: d})
}
