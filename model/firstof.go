package model

import (
	"fmt"
	"slices"
	"strings"
)

// resolveFirstOf links every @firstOf to its relations.
func (r *reader) resolveFirstOf() {
	for _, s := range r.fieldSources {
		if s.field.Kind == FirstOf && !r.brokenFields[s.field] && !r.members(s) {
			r.breakField(s.field)
		}
	}
}

func (r *reader) members(s *fieldSource) bool {
	f, u := s.field, s.kind()
	ok := u.value("fields") != nil
	if f.Type.List {
		r.ds.Errorf(f.Pos, fmt.Sprintf("Write %s: %s.", f.Name, f.Type.Name), "@firstOf yields one object, and %s is a list", f.Name)
		ok = false
	} else if f.Type.NonNull {
		r.ds.Errorf(f.Pos, fmt.Sprintf("Write %s: %s.", f.Name, f.Type.Name), "%s cannot be non-null: nothing makes sure that one of its relations is there", f.Name)
		ok = false
	}
	for _, v := range u.list("fields") {
		pos := r.text.pos(v.Position)
		m := r.member(s, v.Raw, pos)
		if m != nil && slices.Contains(f.Members, m) {
			r.ds.Errorf(pos, "Keep one of them.", "@firstOf names %s twice", v.Raw)
			m = nil
		}
		if m == nil {
			ok = false
			continue
		}
		f.Members = append(f.Members, m)
	}
	return ok
}

// member looks up one relation of a @firstOf.
func (r *reader) member(s *fieldSource, name string, pos Pos) *Field {
	t, abstract := s.owner, s.field.Type.Name
	able := fieldNames(t, func(f *Field) bool { return r.isToOne(f) && r.isPossible(abstract, f.Relation.Target) })
	f := t.Field(name)
	switch {
	case f == nil:
		r.ds.Errorf(pos, didYouMean(name, able), "the type %s has no relation %s", t.Name, name)
	case r.brokenFields[f]:
	case !r.isToOne(f):
		r.ds.Errorf(pos, didYouMean("", able), "%s.%s is no relation to one row", t.Name, name)
	case !r.isPossible(abstract, f.Relation.Target):
		remedy := fmt.Sprintf("Name %s in the union.", f.Relation.Target.Name)
		if r.model.Interface(abstract) != nil {
			remedy = fmt.Sprintf("Write type %s implements %s.", f.Relation.Target.Name, abstract)
		}
		r.ds.Errorf(pos, remedy, "%s.%s yields a %s, which is no %s", t.Name, name, f.Relation.Target.Name, abstract)
	default:
		return f
	}
	return nil
}

func (r *reader) isToOne(f *Field) bool {
	return f.Kind == Relates && f.Relation != nil && !f.Relation.ToMany() && !r.brokenFields[f]
}

func (r *reader) isPossible(abstract string, t *Type) bool {
	return slices.Contains(r.model.PossibleTypes(abstract), t)
}

// strayAbstract reports a field of an interface or union that says nothing, or
// something else, of where its objects come from.
func (r *reader) strayAbstract(s *fieldSource) {
	f, kind := s.field, "a union"
	if r.model.Interface(f.Type.Name) != nil {
		kind = "an interface"
	}
	var names []string
	for _, t := range r.model.PossibleTypes(f.Type.Name) {
		names = append(names, fmt.Sprintf("%q", lowerFirst(t.Name)))
	}
	remedy := fmt.Sprintf("Make a relation to each of its types, and this field @firstOf(fields: [%s]).", strings.Join(names, ", "))
	if u := s.kind(); u != nil {
		r.ds.Errorf(u.pos, remedy, "@%s cannot yield %s, which is %s", u.name, f.Type.Name, kind)
	} else if !s.uses.unknown {
		r.ds.Errorf(f.Pos, remedy, "%s is of type %s, which is %s, and nothing says where it comes from", f.Name, f.Type.Name, kind)
	}
}

func lowerFirst(name string) string { return strings.ToLower(name[:1]) + name[1:] }

// memberNames are the relations of a @firstOf, as an embed names them.
func (f *Field) memberNames() string {
	names := make([]string, len(f.Members))
	for i, m := range f.Members {
		names[i] = m.Name
	}
	return strings.Join(names, " ")
}
