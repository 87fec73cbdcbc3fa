package model

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/vektah/gqlparser/v2/ast"
)

// resolveIndexes resolves @index on types, then @index and @unique on fields.
func (r *reader) resolveIndexes() {
	for _, ts := range r.typeSources {
		for _, u := range ts.uses.all {
			if u.name == "index" {
				r.typeIndex(ts.typ, u)
			}
		}
	}
	for _, s := range r.fieldSources {
		for _, u := range s.uses.all {
			if u.name == "index" || u.name == "unique" {
				r.fieldIndex(s, u)
			}
		}
	}
}

// indexable reports an index on a type that has no table.
func (r *reader) indexable(t *Type, u *use) bool {
	if !t.Stored {
		r.ds.Errorf(u.pos, "Remove it, or make the type stored.", "@%s needs a table, and %s is not stored", u.name, t.Name)
	}
	return t.Stored
}

func (r *reader) typeIndex(t *Type, u *use) {
	if !r.indexable(t, u) {
		return
	}
	index := &Index{Pos: u.pos, GIN: u.value("using") != nil}
	values := u.list("fields")
	switch {
	case index.GIN && len(values) > 0:
		r.ds.Errorf(r.text.pos(values[0].Position), "Remove the fields, or the using.", "an index using GIN is over the whole document")
		return
	case !index.GIN && len(values) == 0:
		if len(u.faulty) == 0 {
			r.ds.Errorf(u.pos, `Write @index(fields: ["a", "b"]) or @index(using: GIN).`, "@index on a type needs fields")
		}
		return
	}
	ok := true
	for _, v := range values {
		path, found := r.indexPath(t, v)
		if found && slices.ContainsFunc(index.Fields, path.equal) {
			r.ds.Errorf(r.text.pos(v.Position), "Keep one of them.", "the index names %s twice", path)
			found = false
		}
		index.Fields = append(index.Fields, path)
		ok = ok && found
	}
	if ok {
		r.addIndex(t, index)
	}
}

func (r *reader) fieldIndex(s *fieldSource, u *use) {
	t, f := s.owner, s.field
	if len(u.args)+len(u.faulty) > 0 && u.name == "index" {
		r.ds.Errorf(u.pos, "Write @index alone, or put it on the type.", "@index on a field has no arguments")
		return
	}
	if r.brokenFields[f] || !r.indexable(t, u) {
		return
	}
	if f == t.KeyField() {
		r.ds.Warnf(u.pos, "Remove it.", "@%s on %s.%s does nothing: the key has its lookup and index already", u.name, t.Name, f.Name)
		return
	}
	if u.name == "unique" && !isValue(f) {
		r.ds.Errorf(u.pos, "Remove it.", "@unique is only for columns and computed fields, and %s.%s is neither", t.Name, f.Name)
		return
	}
	if !r.indexEnd(f, "", u.pos) {
		return
	}
	index := &Index{Pos: u.pos, Fields: []IndexPath{{Path: []*Field{f}}}}
	if u.name == "unique" {
		f.Unique, index.Lookup = true, f
	}
	r.addIndex(t, index)
}

// addIndex adds an index unless there is one over the same.
func (r *reader) addIndex(t *Type, index *Index) {
	for _, other := range t.Indexes {
		if other.GIN == index.GIN && slices.EqualFunc(other.Fields, index.Fields, IndexPath.equal) {
			r.ds.Errorf(index.Pos, "Remove one of them.", "the same index is asked for at line %d", other.Pos.Line)
			return
		}
	}
	t.Indexes = append(t.Indexes, index)
}

func (p IndexPath) equal(q IndexPath) bool { return slices.Equal(p.Path, q.Path) }

// indexPath resolves one path of an index on a type.
func (r *reader) indexPath(t *Type, v *ast.Value) (IndexPath, bool) {
	_, offsets := r.text.literal(v.Position.Start)
	names := strings.Split(v.Raw, ".")
	var path IndexPath
	at := 0
	level := t.document
	for i, name := range names {
		pos := r.text.pos(v.Position)
		if v.Kind == ast.StringValue && at < len(offsets) {
			pos = r.text.at(offsets[at])
		}
		at += utf8.RuneCountInString(name) + 1
		f, sub := r.indexStep(level, name, v.Raw, pos)
		if f == nil {
			return path, false
		}
		path.Path = append(path.Path, f)
		last := i == len(names)-1
		if last && !r.indexEnd(f, prefix(names[:i]), pos) || !last && !r.indexThrough(f, pos) {
			return path, false
		}
		level = sub
	}
	return path, true
}

func prefix(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return strings.Join(names, ".") + "."
}

// indexStep finds one name of a path in what the document holds there.
func (r *reader) indexStep(level *Selection, name, whole string, pos Pos) (*Field, *Selection) {
	t := level.Type
	f, item := t.Field(name), level.Item(name)
	switch {
	case f == nil:
		r.ds.Errorf(pos, didYouMean(name, fieldNames(t, nil)), "the type %s has no field %s", t.Name, name)
	case r.brokenFields[f] || f.Kind == Relates && f.Relation == nil:
	case f.Kind == FirstOf:
		r.indexEnd(f, "", pos)
	case item == nil:
		r.ds.Errorf(pos, fmt.Sprintf("Add %s to the @embed.", name), "the document does not hold %s, so it cannot be indexed", whole)
	default:
		return f, item.Sub
	}
	return nil, nil
}

// indexThrough says whether a path can go on behind f.
func (r *reader) indexThrough(f *Field, pos Pos) bool {
	switch {
	case f.Kind != Relates:
		r.ds.Errorf(pos, fmt.Sprintf("End the path at %s.", f.Name), "%s is no relation and has no fields", f.Name)
	case f.Relation.ToMany():
		r.ds.Errorf(pos, "Index a field of the type itself, or of a relation to one.", "an index cannot go through %s: it is a list", f.Name)
	default:
		return true
	}
	return false
}

// indexEnd says whether an index can be over f; before is the path to it.
func (r *reader) indexEnd(f *Field, before string, pos Pos) bool {
	switch {
	case f.Kind == FirstOf:
		r.ds.Errorf(pos, fmt.Sprintf("Index its relations: %s.", f.memberNames()), "%s cannot be indexed: it is one of several relations", before+f.Name)
	case f.Kind == Relates && f.Relation.ToMany():
		r.ds.Errorf(pos, "Remove it; an aggregate over the relation can be indexed.", "%s cannot be indexed: it is a list", before+f.Name)
	case f.Kind == Relates && !f.Relation.Target.Stored:
		r.ds.Errorf(pos, fmt.Sprintf("Index one of its fields on the type: @index(fields: [%q]).", before+f.Name+".…"), "%s cannot be indexed: %s is not stored and has no key", before+f.Name, f.Relation.Target.Name)
	case f.Kind != Relates && !f.Type.sortable():
		r.ds.Errorf(pos, "Remove it; @index(using: GIN) on the type is over the whole document.", "%s of type %s cannot be indexed", before+f.Name, f.Type)
	default:
		return true
	}
	return false
}
