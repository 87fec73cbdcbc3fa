package model

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// resolveRelations links every relation to its target.
func (r *reader) resolveRelations() {
	for _, s := range r.fieldSources {
		if s.field.Kind == Relates {
			r.resolveRelation(s)
		}
	}
}

func (r *reader) resolveRelation(s *fieldSource) {
	f, u := s.field, s.kind()
	target := r.types[f.Type.Name]
	if target == nil {
		return // reported with the field's type
	}
	rel := &Relation{Kind: RelationKind(slices.Index(relationDirectives, u.name)), Pos: u.pos, Target: target}
	f.Relation = rel
	r.checkShape(s)
	rel.ForeignKey = r.columns(u, "foreignKey")
	rel.TargetKey = r.columns(u, "targetKey")
	if rel.Kind == ManyToMany {
		var ok bool
		if rel.Through, ok = r.tableName(u, "through", ""); !ok {
			r.breakField(f)
		}
	}
	if v := u.value("where"); v != nil {
		rel.Where, rel.WherePos = r.where(target, v), r.text.pos(v.Position)
	}
	if v := u.value("when"); v != nil {
		rel.When, rel.WhenPos = r.where(s.owner, v), r.text.pos(v.Position)
	}
	r.readOrder(rel, u)
	r.readLimit(rel, u)
	r.checkNonNull(s, u)
}

// checkShape reports a list where there is one row, and the other way round.
func (r *reader) checkShape(s *fieldSource) {
	f, rel := s.field, s.field.Relation
	if rel.ToMany() == f.Type.List || r.brokenFields[f] {
		return
	}
	pos := r.text.pos(s.def.Type.Position)
	if rel.ToMany() {
		r.ds.Errorf(pos, fmt.Sprintf("Write [%s!]!, or use @belongsTo or @hasOne.", rel.Target.Name), "@%s yields a list, and %s is of type %s", rel.Kind, f.Name, f.Type)
	} else {
		r.ds.Errorf(pos, fmt.Sprintf("Write %s, or use @hasMany or @manyToMany.", rel.Target.Name), "@%s yields one %s, and %s is a list", rel.Kind, rel.Target.Name, f.Name)
	}
	r.breakField(f)
}

// checkNonNull reports a ! that nothing can guarantee. Whether a foreign key
// is nullable the catalog knows.
func (r *reader) checkNonNull(s *fieldSource, u *use) {
	f, rel := s.field, s.field.Relation
	if !f.Type.NonNull || rel.ToMany() || r.brokenFields[f] {
		return
	}
	remedy := fmt.Sprintf("Write %s: %s.", f.Name, rel.Target.Name)
	target := r.typeSource(rel.Target)
	switch {
	case rel.Kind == HasOne:
		r.ds.Errorf(f.Pos, remedy, "%s cannot be non-null: nothing makes sure that there is a row that points here", f.Name)
	case u.value("when") != nil:
		r.ds.Errorf(f.Pos, remedy, "%s cannot be non-null: its when may leave it out", f.Name)
	case u.value("where") != nil:
		r.ds.Errorf(f.Pos, remedy, "%s cannot be non-null: its where may leave out the row", f.Name)
	case target != nil && target.uses.get("table").value("where") != nil:
		r.ds.Warnf(f.Pos, remedy, "%s may be null in spite of its !: the where of %s may leave out the row", f.Name, rel.Target.Name)
	}
}

func (r *reader) typeSource(t *Type) *typeSource {
	for _, ts := range r.typeSources {
		if ts.typ == t {
			return ts
		}
	}
	return nil
}

// columns reads a list of column names.
func (r *reader) columns(u *use, arg string) []string {
	var names []string
	for _, v := range u.list(arg) {
		if slices.Contains(names, v.Raw) {
			r.ds.Errorf(r.text.pos(v.Position), "Keep one of them.", "@%s(%s:) names the column %q twice", u.name, arg, v.Raw)
			continue
		}
		names = append(names, v.Raw)
	}
	return names
}

func (r *reader) readLimit(rel *Relation, u *use) {
	v := u.value("limit")
	if v == nil {
		return
	}
	pos := r.text.pos(v.Position)
	limit, err := strconv.Atoi(v.Raw)
	if err != nil || limit <= 0 {
		r.ds.Errorf(pos, "Give a limit of at least 1, or leave it out.", "the limit %s leaves nothing", v.Raw)
		return
	}
	rel.Limit = limit
	if u.args["orderBy"] == nil && !u.faulty["orderBy"] {
		r.ds.Errorf(pos, r.orderRemedy(rel.Target), "an unordered limit: which %d rows of %s are meant is left to chance", limit, rel.Target.Name)
	}
}

func (r *reader) orderRemedy(t *Type) string {
	names := fieldNames(t, r.orderable)
	if len(names) == 0 {
		return "Add an orderBy."
	}
	best := names[0]
	for _, f := range t.Fields {
		if r.orderable(f) && strings.HasPrefix(f.Type.Name, "Date") {
			best = f.Name
			break
		}
	}
	return fmt.Sprintf("Add orderBy: {%s: DESC}.", best)
}

// orderable says whether rows can be ordered by a field of theirs.
func (r *reader) orderable(f *Field) bool {
	return !r.brokenFields[f] && isValue(f) && f.Type.sortable()
}

// isValue says whether a field stands for an SQL value of its own row.
func isValue(f *Field) bool { return f.Kind == Column || f.Kind == Computed }

func (r *reader) readOrder(rel *Relation, u *use) {
	for _, v := range u.list("orderBy") {
		if len(v.Children) == 0 {
			r.ds.Errorf(r.text.pos(v.Position), r.orderRemedy(rel.Target), "the orderBy is empty")
		}
		for _, term := range v.Children {
			r.readOrderTerm(rel, term)
		}
	}
}

var directions = []string{"ASC", "DESC"}

func (r *reader) readOrderTerm(rel *Relation, term *ast.ChildValue) {
	pos, v := r.text.pos(term.Position), term.Value
	if v.Kind != ast.EnumValue || !slices.Contains(directions, v.Raw) {
		remedy := "Write ASC or DESC."
		if c := nearest(v.Raw, directions); c != "" {
			remedy = fmt.Sprintf("Write %s, without quotes.", c)
		}
		r.ds.Errorf(r.text.pos(v.Position), remedy, "the direction of an order is ASC or DESC, not %s", excerpt(v))
	}
	f := r.valueField(rel.Target, term.Name, pos, "ordered by", r.orderable)
	if f == nil {
		return
	}
	if !f.Type.sortable() {
		r.ds.Errorf(pos, "Order by another field.", "%s.%s cannot be ordered by: it is of type %s", rel.Target.Name, f.Name, f.Type)
		return
	}
	for _, o := range rel.OrderBy {
		if o.Field == f {
			r.ds.Errorf(pos, "Keep one of them.", "the orderBy names %s twice", f.Name)
			return
		}
	}
	rel.OrderBy = append(rel.OrderBy, Order{Field: f, Descending: v.Raw == "DESC", Pos: pos})
}

// valueField looks up a column or computed field that something is, as verb
// says, done with. It reports where there is none, and returns nil then and
// for broken fields; able are those to suggest.
func (r *reader) valueField(t *Type, name string, pos Pos, verb string, able func(*Field) bool) *Field {
	f := t.Field(name)
	switch {
	case f == nil:
		r.ds.Errorf(pos, didYouMean(name, fieldNames(t, able)), "the type %s has no field %s", t.Name, name)
		return nil
	case r.brokenFields[f]:
		return nil
	case !isValue(f):
		r.ds.Errorf(pos, didYouMean("", fieldNames(t, able)), "%s.%s is no column and cannot be %s", t.Name, name, verb)
		return nil
	}
	return f
}
