package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// where turns a where argument into an SQL predicate over the columns of t's
// own row. It returns "" after a fault.
func (r *reader) where(t *Type, v *ast.Value) string {
	if v.Kind != ast.ObjectValue {
		return strings.TrimSpace(v.Raw)
	}
	faults := len(r.ds)
	parts := r.conditions(t, v)
	if len(r.ds) > faults {
		return ""
	}
	return strings.Join(parts, " AND ")
}

// conditions translates an object filter into predicates that must all hold.
// Each can be joined by AND as it is. The logic is two-valued: a comparison
// with NULL is false, and ne, nin and not are exact opposites.
func (r *reader) conditions(t *Type, v *ast.Value) []string {
	if v.Kind != ast.ObjectValue {
		r.ds.Errorf(r.text.pos(v.Position), "Write an object such as {published: {eq: true}}.", "a filter is an object, not %s", excerpt(v))
		return nil
	}
	if len(v.Children) == 0 {
		r.ds.Errorf(r.text.pos(v.Position), "Give it a condition, or leave it out.", "an empty filter says nothing")
	}
	var parts []string
	seen := map[string]bool{}
	for _, c := range v.Children {
		if seen[c.Name] {
			r.ds.Errorf(r.text.pos(c.Position), "Combine them by and: [{…}, {…}].", "the filter names %s twice", c.Name)
			continue
		}
		seen[c.Name] = true
		parts = append(parts, r.condition(t, c)...)
	}
	return parts
}

func (r *reader) condition(t *Type, c *ast.ChildValue) []string {
	switch c.Name {
	case "and":
		var parts []string
		for _, v := range r.operands(c) {
			parts = append(parts, r.conditions(t, v)...)
		}
		return parts
	case "or":
		var parts []string
		for _, v := range r.operands(c) {
			parts = append(parts, strings.Join(r.conditions(t, v), " AND "))
		}
		return []string{"(" + strings.Join(parts, " OR ") + ")"}
	case "not":
		return []string{"(" + strings.Join(r.conditions(t, c.Value), " AND ") + ") IS NOT TRUE"}
	}
	return r.comparisons(t, c)
}

// operands returns the filters that and or or joins.
func (r *reader) operands(c *ast.ChildValue) []*ast.Value {
	if c.Value.Kind != ast.ListValue {
		return []*ast.Value{c.Value}
	}
	if len(c.Value.Children) == 0 {
		r.ds.Errorf(r.text.pos(c.Value.Position), "Give it conditions, or leave it out.", "an empty %s says nothing", c.Name)
	}
	var vs []*ast.Value
	for _, child := range c.Value.Children {
		vs = append(vs, child.Value)
	}
	return vs
}

func (r *reader) comparisons(t *Type, c *ast.ChildValue) []string {
	pos := r.text.pos(c.Position)
	f := r.valueField(t, c.Name, pos, "filtered by", isValue)
	if f == nil {
		return nil
	}
	if c.Value.Kind != ast.ObjectValue {
		r.ds.Errorf(r.text.pos(c.Value.Position), fmt.Sprintf("Write %s: {eq: %s}.", c.Name, excerpt(c.Value)), "the condition on %s is an object, not %s", c.Name, excerpt(c.Value))
		return nil
	}
	if len(c.Value.Children) == 0 {
		r.ds.Errorf(r.text.pos(c.Value.Position), "Give it a condition, or leave it out.", "an empty filter says nothing")
	}
	var parts []string
	for _, op := range c.Value.Children {
		parts = append(parts, r.comparison(f, op))
	}
	return parts
}

// operators are the SQL forms of the plain comparisons.
var operators = map[string]string{"eq": "=", "ne": "IS DISTINCT FROM", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}

var operatorNames = []string{"eq", "ne", "in", "nin", "lt", "lte", "gt", "gte", "isNull"}

func (r *reader) comparison(f *Field, op *ast.ChildValue) string {
	pos := r.text.pos(op.Position)
	if !slices.Contains(operatorNames, op.Name) {
		r.ds.Errorf(pos, didYouMean(op.Name, operatorNames), "a filter has no operator %s", op.Name)
		return ""
	}
	left := f.sql()
	if op.Name == "isNull" {
		return r.isNull(left, op.Value)
	}
	if !f.Type.sortable() {
		r.ds.Errorf(pos, "Use isNull, or an SQL string for the whole where.", "%s is of type %s and cannot be compared", f.Name, f.Type)
		return ""
	}
	if op.Name == "in" || op.Name == "nin" {
		return r.membership(f, left, op)
	}
	value, ok := r.literal(f, op.Value)
	if !ok {
		return ""
	}
	return left + " " + operators[op.Name] + " " + value
}

func (r *reader) isNull(left string, v *ast.Value) string {
	if v.Kind != ast.BooleanValue {
		r.ds.Errorf(r.text.pos(v.Position), "Write isNull: true or isNull: false.", "isNull takes true or false, not %s", excerpt(v))
	}
	if v.Raw == "true" {
		return left + " IS NULL"
	}
	return left + " IS NOT NULL"
}

func (r *reader) membership(f *Field, left string, op *ast.ChildValue) string {
	if op.Value.Kind != ast.ListValue || len(op.Value.Children) == 0 {
		r.ds.Errorf(r.text.pos(op.Value.Position), fmt.Sprintf("Write %s: [a, b].", op.Name), "%s takes a list of at least one value", op.Name)
		return ""
	}
	var values []string
	for _, c := range op.Value.Children {
		if value, ok := r.literal(f, c.Value); ok {
			values = append(values, value)
		}
	}
	in := left + " IN (" + strings.Join(values, ", ") + ")"
	if op.Name == "nin" {
		return "(" + in + ") IS NOT TRUE"
	}
	return in
}

// sql returns the field's value as SQL over the unqualified columns of its row.
func (f *Field) sql() string {
	if f.Kind != Computed {
		return quoteIdent(f.Column)
	}
	if strings.Contains(f.SQL, "--") {
		return "(" + f.SQL + "\n)" // a comment must not swallow the bracket
	}
	return "(" + f.SQL + ")"
}

// literal checks a filter's value against the field's type and quotes it.
// Strings and numbers become untyped literals, which take the column's own
// type: a numeric constant would compare wrongly with a real column.
func (r *reader) literal(f *Field, v *ast.Value) (string, bool) {
	if v.Kind == ast.NullValue {
		r.ds.Errorf(r.text.pos(v.Position), "Use isNull: true or isNull: false.", "nothing compares with null")
		return "", false
	}
	if e := r.enums[f.Type.Name]; e != nil {
		return r.enumLiteral(e, v)
	}
	value, ok := constants[f.Type.Name].read(v)
	if !ok {
		r.ds.Errorf(r.text.pos(v.Position), constants[f.Type.Name].remedy(), "%s is of type %s and cannot be compared with %s", f.Name, f.Type.Name, excerpt(v))
		return "", false
	}
	if v.Kind == ast.BooleanValue {
		return value, true
	}
	return quoteLiteral(value), true
}

func (r *reader) enumLiteral(e *Enum, v *ast.Value) (string, bool) {
	var names []string
	for _, value := range e.Values {
		names = append(names, value.Name)
	}
	if v.Kind == ast.EnumValue && slices.Contains(names, v.Raw) {
		return quoteLiteral(v.Raw), true
	}
	remedy := didYouMean(v.Raw, names)
	if v.Kind != ast.EnumValue && slices.Contains(names, v.Raw) {
		remedy = fmt.Sprintf("Write %s without quotes.", v.Raw)
	}
	r.ds.Errorf(r.text.pos(v.Position), remedy, "the enum %s has no value %s", e.Name, excerpt(v))
	return "", false
}
