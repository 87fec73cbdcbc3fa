package compile

import (
	"fmt"
	"slices"
	"strings"

	"freshet/model"
	"freshet/projector/catalog"
)

// checkFields holds columns, filters and computed fields against the catalog.
func (k *compiler) checkFields() {
	for _, t := range k.model.Types {
		o := k.objects[t]
		if o == nil {
			continue
		}
		k.checkPredicate(t, t.Where, t.WherePos, "the where of "+t.Name)
		for _, f := range t.Fields {
			switch f.Kind {
			case model.Column:
				k.checkColumn(o, f)
			case model.Computed:
				k.checkComputed(o, f)
			}
		}
	}
}

// checkPredicate reports a where that Postgres refuses.
func (k *compiler) checkPredicate(t *model.Type, sql string, pos model.Pos, what string) {
	if sql != "" && k.objects[t] != nil {
		k.accepted(predicate(t, sql), pos, what)
	}
}

// accepted says whether Postgres takes the expression, and reports where it
// does not.
func (k *compiler) accepted(e catalog.Expr, pos model.Pos, what string) bool {
	info, ok := k.catalog.Exprs[e]
	switch {
	case !ok:
		k.ds.Errorf(pos, "", "%s was not checked by Postgres", what)
	case info.Error != "":
		k.ds.Errorf(pos, info.Hint, "%s is refused: %s", what, info.Error)
	default:
		return true
	}
	return false
}

func (k *compiler) checkComputed(o *object, f *model.Field) {
	e := computed(o.typ, f)
	if k.accepted(e, f.SQLPos, fmt.Sprintf("the SQL of %s.%s", o.typ.Name, f.Name)) {
		k.checkType(f, k.expr(e).Type, fmt.Sprintf("its SQL is of type %s", k.expr(e).Type.SQL))
	}
}

func (k *compiler) checkColumn(o *object, f *model.Field) {
	c := k.column(o.table, f.Column, f.Pos)
	if c == nil {
		return
	}
	k.checkType(f, c.Type, fmt.Sprintf("the column %s of %s is of type %s", c.Name, o.table.Name, c.Type.SQL))
	if f.Type.NonNull && !notNull(c) {
		nullable := f.Type
		nullable.NonNull = false
		k.ds.Errorf(f.Pos, fmt.Sprintf("Write %s: %s, or run: ALTER TABLE %s ALTER COLUMN %s SET NOT NULL;", f.Name, nullable, qualified(o.table.Name), ident(c.Name)),
			"%s.%s is non-null, but the column %s of %s is nullable", o.typ.Name, f.Name, c.Name, o.table.Name)
	}
}

// checkType compares a field's GraphQL type with what Postgres has; found says
// what that is.
func (k *compiler) checkType(f *model.Field, t catalog.Type, found string) {
	if e := k.model.Enum(f.Type.Name); e != nil && f.Type.List == t.Array {
		if isEnum(t) {
			k.checkLabels(f, e, t)
			return
		}
		if t.Base == "text" || t.Base == "varchar" {
			return
		}
	}
	if f.Type.List == t.Array && slices.Contains(scalarsFor(t), f.Type.Name) {
		return
	}
	k.ds.Errorf(f.Pos, k.typeRemedy(f, t), "%s is declared %s, but %s", f.Name, f.Type, found)
}

// typeRemedy writes the field with the types that fit.
func (k *compiler) typeRemedy(f *model.Field, t catalog.Type) string {
	names := scalarsFor(t)
	if isEnum(t) {
		names = append(k.enumsLike(t), names...)
	}
	ways := make([]string, len(names))
	for i, name := range names {
		ref := f.Type
		ref.Name, ref.List = name, t.Array
		ref.ElemNonNull = ref.ElemNonNull && t.Array
		ways[i] = f.Name + ": " + ref.String()
	}
	remedy := "Write " + strings.Join(ways, " or ") + "."
	if isEnum(t) && len(names) == 1 {
		remedy += " Or declare an enum with the values " + strings.Join(t.Labels, ", ") + "."
	}
	return remedy
}

// enumsLike returns the model's enums whose values are the type's labels.
func (k *compiler) enumsLike(t catalog.Type) []string {
	var names []string
	for _, e := range k.model.Enums {
		if sameSet(enumValues(e), t.Labels) {
			names = append(names, e.Name)
		}
	}
	return names
}

func enumValues(e *model.Enum) []string {
	values := make([]string, len(e.Values))
	for i, v := range e.Values {
		values[i] = v.Name
	}
	return values
}

// checkLabels reports enum values that Postgres does not know, and labels that
// the model does not.
func (k *compiler) checkLabels(f *model.Field, e *model.Enum, t catalog.Type) {
	values := enumValues(e)
	for _, v := range values {
		if slices.Contains(t.Labels, v) {
			continue
		}
		remedy := "Its labels are " + strings.Join(t.Labels, ", ") + "."
		if near := nearest(v, slices.Clone(t.Labels)); near != "" {
			remedy = fmt.Sprintf("Did you mean %s?", near)
		}
		k.ds.Errorf(f.Pos, remedy, "the enum %s of %s has the value %s, which is no label of %s", e.Name, f.Name, v, t.SQL)
	}
	for _, label := range t.Labels {
		if !slices.Contains(values, label) {
			k.ds.Errorf(f.Pos, fmt.Sprintf("Add %s to enum %s, or make the field a String.", label, e.Name),
				"the enum %s of %s lacks %s, a label of %s", e.Name, f.Name, label, t.SQL)
		}
	}
}

// valueType is the SQL type of a column or computed field; false where it was
// reported as faulty.
func (k *compiler) valueType(t *model.Type, f *model.Field) (catalog.Type, bool) {
	o := k.objects[t]
	if o == nil {
		return catalog.Type{}, false
	}
	if f.Kind == model.Computed {
		info, ok := k.catalog.Exprs[computed(t, f)]
		return info.Type, ok && info.Error == ""
	}
	c := o.table.Column(f.Column)
	if c == nil {
		return catalog.Type{}, false
	}
	return c.Type, true
}
