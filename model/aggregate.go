package model

import (
	"fmt"
	"slices"
)

// resolveAggregates links every aggregate to its relation and field.
func (r *reader) resolveAggregates() {
	for _, s := range r.fieldSources {
		if s.field.Kind == Aggregate && !r.brokenFields[s.field] {
			if !r.resolveAggregate(s) {
				r.breakField(s.field)
			}
		}
	}
}

func (r *reader) resolveAggregate(s *fieldSource) bool {
	f, u := s.field, s.kind()
	agg := &Aggregation{Pos: u.pos, Fn: AggregateFn(u.text("fn"))}
	f.Agg = agg
	agg.Of = r.aggregated(s, u)
	if agg.Fn == "" {
		return false
	}
	if agg.Fn == Count {
		if v := u.args["field"]; v != nil {
			r.ds.Errorf(r.text.pos(v.Position), "Remove the field.", "COUNT counts rows and has no field")
		}
		return r.checkAggregateType(s, "Int") && agg.Of != nil
	}
	if u.args["field"] == nil {
		if !u.faulty["field"] {
			r.ds.Errorf(u.pos, fmt.Sprintf("Write @aggregate(fn: %s, of: …, field: …).", agg.Fn), "%s needs a field", agg.Fn)
		}
		return false
	}
	if agg.Of == nil {
		return false
	}
	return r.aggregateField(s, u)
}

// aggregated looks up the relation that an aggregate is of.
func (r *reader) aggregated(s *fieldSource, u *use) *Field {
	v := u.value("of")
	if v == nil {
		return nil
	}
	pos, t := r.text.pos(v.Position), s.owner
	lists := fieldNames(t, func(f *Field) bool { return f.Kind == Relates && f.Type.List && !r.brokenFields[f] })
	of := t.Field(v.Raw)
	switch {
	case of == nil:
		r.ds.Errorf(pos, didYouMean(v.Raw, lists), "the type %s has no relation %s", t.Name, v.Raw)
	case r.brokenFields[of]:
	case of.Kind != Relates:
		r.ds.Errorf(pos, didYouMean(v.Raw, lists), "%s.%s is not a relation", t.Name, of.Name)
	case !of.Relation.ToMany():
		r.ds.Errorf(pos, didYouMean(v.Raw, lists), "an aggregate is over many rows, and %s.%s is a relation to one", t.Name, of.Name)
	default:
		return of
	}
	return nil
}

// aggregateField resolves the target's field, and checks the result's type.
func (r *reader) aggregateField(s *fieldSource, u *use) bool {
	agg := s.field.Agg
	v := u.value("field")
	if v == nil {
		return false
	}
	target, pos := agg.Of.Relation.Target, r.text.pos(v.Position)
	able := func(f *Field) bool {
		_, ok := resultType(agg.Fn, f.Type)
		return ok && isValue(f) && !r.brokenFields[f]
	}
	agg.Field = r.valueField(target, v.Raw, pos, "aggregated", able)
	if agg.Field == nil {
		return false
	}
	result, ok := resultType(agg.Fn, agg.Field.Type)
	if !ok {
		r.ds.Errorf(pos, didYouMean("", fieldNames(target, able)), "%s has no result for %s.%s of type %s", agg.Fn, target.Name, agg.Field.Name, agg.Field.Type)
		return false
	}
	return r.checkAggregateType(s, result)
}

// resultType returns the type that an aggregate over values of type t has.
func resultType(fn AggregateFn, t TypeRef) (string, bool) {
	if t.List {
		return "", false
	}
	switch fn {
	case Sum:
		name, ok := sumType[t.Name]
		return name, ok
	case Avg:
		name, ok := avgType[t.Name]
		return name, ok
	}
	return t.Name, t.extremes()
}

// checkAggregateType compares the field's declared type with the one that the
// aggregate has: COUNT is never null, the others are, of no rows.
func (r *reader) checkAggregateType(s *fieldSource, name string) bool {
	f := s.field
	want := TypeRef{Name: name, NonNull: f.Agg.Fn == Count}
	if f.Type == want {
		return true
	}
	why := ""
	if f.Type == (TypeRef{Name: name, NonNull: true}) {
		why = ": of no rows it is null"
	}
	arg := ""
	if slices.Contains([]AggregateFn{Sum, Avg, Min, Max}, f.Agg.Fn) {
		arg = " of " + f.Agg.Field.Name
	}
	r.ds.Errorf(r.text.pos(s.def.Type.Position), fmt.Sprintf("Write %s: %s.", f.Name, want), "%s%s is of type %s, not %s%s", f.Agg.Fn, arg, want, f.Type, why)
	return false
}
