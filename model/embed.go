package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// resolveEmbeds resolves every relation's selection and every type's document.
func (r *reader) resolveEmbeds() {
	for _, s := range r.fieldSources {
		if s.field.Kind == Relates && s.field.Relation != nil {
			r.embed(s.field)
		}
	}
	for _, ts := range r.typeSources {
		r.document(ts.typ)
	}
}

// embed resolves a relation's selection. It returns nil where that would
// contain itself, after reporting it.
func (r *reader) embed(f *Field) *Selection {
	rel, s := f.Relation, r.sources[f]
	if rel == nil {
		return nil
	}
	if rel.Embed != nil {
		return rel.Embed
	}
	u := s.uses.get("embed")
	if r.resolving[rel] {
		r.infinite(f, u)
		return nil
	}
	r.resolving[rel] = true
	defer delete(r.resolving, rel)
	if v := u.value("fields"); v != nil {
		rel.Embed = r.explicit(rel.Target, v)
	} else {
		rel.Embed = r.bare(rel.Target, f.Pos)
	}
	return rel.Embed
}

func (r *reader) infinite(f *Field, u *use) {
	if r.brokenFields[f] {
		return
	}
	r.breakField(f)
	pos, owner := f.Pos, r.sources[f].owner
	if u != nil {
		pos = u.pos
	}
	r.ds.Errorf(pos, "Give the relations in it a selection of their own: orders { id }.", "the embed of %s.%s is infinite: it leads back to %s", owner.Name, f.Name, owner.Name)
}

// bare is the selection of a relation that has none: the key, or everything of
// a type that is not stored.
func (r *reader) bare(t *Type, pos Pos) *Selection {
	if t.Stored {
		return t.keyOnly(pos)
	}
	return r.document(t)
}

// document resolves Type.Document, leaving out what is infinite.
func (r *reader) document(t *Type) *Selection {
	if t.document != nil {
		return t.document
	}
	s := &Selection{Type: t}
	for _, f := range t.Fields {
		if f.Kind == FirstOf {
			continue
		}
		item := SelectionItem{Field: f, Pos: f.Pos}
		if f.Kind == Relates {
			if item.Sub = r.embed(f); item.Sub == nil {
				continue
			}
		}
		s.Items = append(s.Items, item)
	}
	if t.document == nil {
		t.document = s
	}
	return t.document
}

// embedReader reads the selection in one @embed string.
type embedReader struct {
	*reader
	start   int   // of the literal in the file
	offsets []int // in the file, of each character of the string
}

// pos returns where in the file an offset of the parsed query is; the query
// has one character, its brace, before the string.
func (e *embedReader) pos(offset int) Pos {
	i := offset - 1
	switch {
	case len(e.offsets) == 0:
		return e.text.at(e.start)
	case i < 0:
		i = 0
	case i >= len(e.offsets):
		return e.text.at(e.offsets[len(e.offsets)-1] + 1)
	}
	return e.text.at(e.offsets[i])
}

// explicit resolves the selection of an @embed string.
func (r *reader) explicit(target *Type, v *ast.Value) *Selection {
	e := &embedReader{reader: r, start: v.Position.Start}
	var source string
	source, e.offsets = r.text.literal(e.start)
	query := "{" + source + "\n}" // the line break ends a comment
	doc, err := parser.ParseQuery(&ast.Source{Name: r.text.file, Input: query})
	switch {
	case strings.Trim(source, " \t\r\n,{}") == "":
		r.ds.Errorf(r.text.at(e.start), "Name the fields to copy.", "the embed is empty")
	case err != nil:
		offset, message := newText(r.text.file, query).errorOffset(err)
		r.ds.Errorf(e.pos(offset), "Write field names, and { … } after a relation's: id title author { id }.", "the embed does not parse: %s", message)
	case len(doc.Operations) != 1 || len(doc.Fragments) > 0:
		r.ds.Errorf(r.text.at(e.start), "Write field names, and { … } after a relation's: id title author { id }.", "the embed has a } too many")
	default:
		return e.selection(target, doc.Operations[0].SelectionSet, e.pos(0))
	}
	return r.bare(target, r.text.at(e.start)) // so that what refers to it goes on
}

// selection resolves one level; at is where a fault of the whole is reported.
func (e *embedReader) selection(t *Type, set ast.SelectionSet, at Pos) *Selection {
	s := &Selection{Type: t}
	named := map[string]bool{}
	for _, node := range set {
		field, ok := node.(*ast.Field)
		if !ok {
			e.ds.Errorf(e.pos(node.GetPosition().Start), "Name the fields themselves.", "an embed cannot have fragments")
			continue
		}
		pos := e.pos(field.Position.Start)
		if named[field.Name] {
			e.ds.Errorf(pos, "Keep one of them.", "the embed names %s twice", field.Name)
			continue
		}
		named[field.Name] = true
		if item, ok := e.item(t, field, pos); ok {
			s.Items = append(s.Items, item)
		}
	}
	if t.Stored {
		s.addKey(at)
	} else {
		e.checkCovers(t, named, at)
	}
	return s
}

func (e *embedReader) item(t *Type, field *ast.Field, pos Pos) (SelectionItem, bool) {
	e.refuseExtras(field, pos)
	f := t.Field(field.Name)
	switch {
	case field.Name == "__typename":
		e.ds.Errorf(pos, "Remove it: it is served without being copied.", "__typename cannot be embedded")
		return SelectionItem{}, false
	case f == nil:
		e.ds.Errorf(pos, didYouMean(field.Name, fieldNames(t, nil)), "the type %s has no field %s", t.Name, field.Name)
		return SelectionItem{}, false
	case f.Kind == FirstOf:
		if !e.brokenFields[f] {
			e.ds.Errorf(pos, fmt.Sprintf("Name the relations: %s.", f.memberNames()), "%s.%s is one of its relations, and those are embedded", t.Name, f.Name)
		}
		return SelectionItem{}, false
	case f.Kind == Relates:
		return e.relation(f, field, pos)
	case len(field.SelectionSet) > 0 && !e.brokenFields[f]:
		e.ds.Errorf(pos, fmt.Sprintf("Write %s alone.", f.Name), "%s.%s is no relation and has no fields", t.Name, f.Name)
	}
	return SelectionItem{Field: f, Pos: pos}, true
}

func (e *embedReader) relation(f *Field, field *ast.Field, pos Pos) (SelectionItem, bool) {
	item := SelectionItem{Field: f, Pos: pos}
	switch {
	case f.Relation == nil:
		return item, false
	case len(field.SelectionSet) > 0:
		item.Sub = e.selection(f.Relation.Target, field.SelectionSet, pos)
	default:
		item.Sub = e.bare(f.Relation.Target, pos)
	}
	return item, true
}

// refuseExtras reports what a query may have and an embed may not.
func (e *embedReader) refuseExtras(field *ast.Field, pos Pos) {
	if field.Alias != field.Name {
		e.ds.Errorf(pos, fmt.Sprintf("Write %s alone; queries can rename it.", field.Name), "an embed cannot have aliases: %s", field.Alias)
	}
	if len(field.Arguments) > 0 {
		e.ds.Errorf(e.pos(field.Arguments[0].Position.Start), "Give order and limit to the relation's directive.", "an embed cannot have arguments")
	}
	if len(field.Directives) > 0 {
		e.ds.Errorf(e.pos(field.Directives[0].Position.Start), "Remove them.", "an embed cannot have directives")
	}
}

// checkCovers reports fields left out of a type that is not stored: there is
// no table from which they could be fetched later.
func (e *embedReader) checkCovers(t *Type, named map[string]bool, at Pos) {
	missing := fieldNames(t, func(f *Field) bool { return !named[f.Name] && !e.brokenFields[f] && f.Kind != FirstOf })
	if len(missing) == 0 {
		return
	}
	e.ds.Errorf(at, fmt.Sprintf("Add %s, or drop the selection: everything is the default.", strings.Join(missing, " ")),
		"the embed leaves out %s of %s, which is not stored and cannot be fetched otherwise", strings.Join(missing, ", "), t.Name)
}

// checkInfinite breaks the relations by which types that are not stored
// contain themselves.
func (r *reader) checkInfinite() {
	done := map[*Type]bool{}
	for _, ts := range r.typeSources {
		if !ts.typ.Stored {
			r.walkUnstored(ts.typ, nil, done)
		}
	}
}

func (r *reader) walkUnstored(t *Type, path []*Type, done map[*Type]bool) {
	if done[t] {
		return
	}
	path = append(path, t)
	for _, f := range t.Fields {
		if f.Kind != Relates || f.Relation == nil || f.Relation.Target.Stored {
			continue
		}
		if i := slices.Index(path, f.Relation.Target); i >= 0 {
			r.ds.Errorf(f.Relation.Pos, "Make one of the types stored, or remove the relation.", "an infinite embed: %s, and none of them is stored", circle(path[i:]))
			r.breakField(f)
			f.Relation = nil
			continue
		}
		r.walkUnstored(f.Relation.Target, path, done)
	}
	done[t] = true
}

func circle(path []*Type) string {
	var s strings.Builder
	for _, t := range path {
		s.WriteString(t.Name + " contains ")
	}
	return s.String() + path[0].Name
}
