package api

import (
	"github.com/vektah/gqlparser/v2/gqlerror"

	"freshet/api/document"
)

// The write functions write one value each and return true; or, where it is
// null against its type, note the error and return false: the caller then
// takes back what was written and is null itself, up to a nullable field.

const null = "null"

// writeQuery writes the answer's data.
func (r *run) writeQuery() bool {
	r.out = append(r.out, '{')
	for i := range r.plan.roots {
		f := &r.plan.roots[i]
		if i > 0 {
			r.out = append(r.out, ',')
		}
		r.out = append(r.out, f.key...)
		r.path = append(r.path[:0], step{name: f.name})
		if !r.writeRoot(f, &r.roots[i]) {
			return false
		}
	}
	r.out = append(r.out, '}')
	return true
}

// writeRoot writes a field of Query. Lists are non-null, documents are not.
func (r *run) writeRoot(f *rootField, res *rootResult) bool {
	if e := r.nullArgument(f); e != nil {
		r.errs = append(r.errs, e)
		if f.kind.nonNull() {
			return false
		}
		r.out = append(r.out, null...)
		return true
	}
	if res.err != nil {
		r.errs = append(r.errs, f.at(res.err, r.pathOf()))
		if f.kind.nonNull() {
			return false
		}
		r.out = append(r.out, null...)
		return true
	}
	switch f.kind {
	case rootTypename:
		r.out = append(r.out, f.typename...)
	case rootSchema:
		return r.writeMeta(f, r.s.meta)
	case rootType:
		return r.writeType(f)
	case rootList:
		return r.writeConnection(f.list, res.page)
	case rootPlain:
		return r.writePlain(f.sel, res.page)
	case rootByKeys:
		r.writeDocuments(f, res.docs)
	case rootNode:
		r.writeDocument(res.sel, res.doc)
	default:
		r.writeDocument(f.sel, res.doc)
	}
	return true
}

func (r *run) writeDocument(sel *selection, doc *document.Document) {
	start := len(r.out)
	if doc == nil || !r.writeObject(sel, doc, doc.Root()) {
		r.out = append(r.out[:start], null...)
	}
}

// writeDocuments writes a list with null where there is no document.
func (r *run) writeDocuments(f *rootField, docs []loaded) {
	r.out = append(r.out, '[')
	depth := len(r.path)
	for i, l := range docs {
		if i > 0 {
			r.out = append(r.out, ',')
		}
		r.path = append(r.path[:depth], step{index: i})
		if l.err != nil {
			r.errs = append(r.errs, f.at(l.err, r.pathOf()))
		}
		r.writeDocument(f.sel, l.doc)
	}
	r.path = r.path[:depth]
	r.out = append(r.out, ']')
}

// writeObject writes an object's selection.
func (r *run) writeObject(sel *selection, doc *document.Document, obj document.Object) bool {
	out := append(r.out, '{')
	for i := range sel.fields {
		f := &sel.fields[i]
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, f.key...)
		if f.kind == fieldLeaf {
			v := doc.Value(obj, f.slot)
			if v != nil {
				out = append(out, v...)
				continue
			}
			if !f.nonNull {
				out = append(out, null...)
				continue
			}
		}
		r.out = out
		if !r.writeField(sel, f, doc, obj) {
			return false
		}
		out = r.out
	}
	r.out = append(out, '}')
	return true
}

// writeField writes a field's value, or null where it may be.
func (r *run) writeField(sel *selection, f *field, doc *document.Document, obj document.Object) bool {
	if f.kind == fieldTypename {
		r.out = append(r.out, sel.typename...)
		return true
	}
	start, depth := len(r.out), len(r.path)
	r.path = append(r.path, step{name: f.name})
	ok := r.writeValue(sel, f, doc, obj)
	r.path = r.path[:depth]
	if ok || f.nonNull {
		return ok
	}
	r.out = append(r.out[:start], null...)
	return true
}

// writeValue writes a field's value; false means null, already reported where
// that is an error. Null itself is reported here if the field is non-null.
func (r *run) writeValue(sel *selection, f *field, doc *document.Document, obj document.Object) bool {
	switch f.kind {
	case fieldOne:
		return r.writeOne(f, f.sub, doc, doc.One(obj, f.slot))
	case fieldFirstOf:
		return r.writeChosen(f, doc, obj)
	case fieldMany:
		return r.writeMany(f, doc, obj)
	case fieldNodeID:
		return r.writeNodeID(sel, f, doc.Value(obj, f.slot))
	case fieldMissing:
		r.report(f, &gqlerror.Error{Message: "Field " + f.parent + "." + f.field + " is not part of the documents at this place."})
		return false
	}
	v := doc.Value(obj, f.slot)
	switch {
	case v == nil:
		return r.none(f)
	case f.kind == fieldEnum:
		return r.writeEnum(f, v)
	case f.kind == fieldLeaves:
		return r.writeLeaves(f, v)
	}
	r.out = append(r.out, v...)
	return true
}

// none is a null at a field: an error if it is non-null.
func (r *run) none(f *field) bool {
	if f.nonNull {
		r.report(f, f.notNull())
	}
	return false
}

// notNull is graphql-js's error for a null where none may be.
func (p *place) notNull() *gqlerror.Error {
	return &gqlerror.Error{Message: "Cannot return null for non-nullable field " + p.parent + "." + p.field + "."}
}

// report notes an error of a field at the present path.
func (r *run) report(f *field, e *gqlerror.Error) {
	r.errs = append(r.errs, f.at(e, r.pathOf()))
}

// writeOne writes the object of a relation to one row, as far as sel takes it.
func (r *run) writeOne(f *field, sel *selection, doc *document.Document, obj document.Object) bool {
	if obj == 0 {
		return r.none(f)
	}
	doc, obj, err := r.follow(sel, doc, obj)
	if err != nil {
		r.report(f, err)
		return false
	}
	if doc == nil {
		return r.none(f)
	}
	return r.writeObject(sel, doc, obj)
}

// follow returns the object itself, or the whole document that was loaded for
// it: none if there is no such document.
func (r *run) follow(sel *selection, doc *document.Document, obj document.Object) (*document.Document, document.Object, *gqlerror.Error) {
	if !sel.load {
		return doc, obj, nil
	}
	key, _ := rawKey(doc.Value(obj, sel.keySlot))
	l := r.docs[docID{sel.typ.ID, key}]
	if l.doc == nil {
		return nil, 0, l.err
	}
	return l.doc, l.doc.Root(), nil
}

// writeMany writes the list of a to-many relation. An object whose document is
// gone meanwhile is not in the list any more.
func (r *run) writeMany(f *field, doc *document.Document, obj document.Object) bool {
	list, ok := doc.Many(obj, f.slot)
	if !ok {
		return r.none(f)
	}
	r.out = append(r.out, '[')
	depth := len(r.path)
	r.path = append(r.path, step{})
	n := 0
	for i := range list.Len() {
		at, place, err := doc, doc.Elem(list, i), (*gqlerror.Error)(nil)
		if place != 0 {
			if at, place, err = r.follow(f.sub, doc, place); at == nil && err == nil {
				continue
			}
		}
		if n > 0 {
			r.out = append(r.out, ',')
		}
		r.path = append(r.path[:depth], step{index: n})
		if !r.writeElem(f, at, place, err) {
			return false
		}
		n++
	}
	r.path = r.path[:depth]
	r.out = append(r.out, ']')
	return true
}

// writeElem writes an object of a list, or null where it may be.
func (r *run) writeElem(f *field, doc *document.Document, obj document.Object, err *gqlerror.Error) bool {
	start := len(r.out)
	switch {
	case err != nil:
		r.report(f, err)
	case obj != 0:
		if r.writeObject(f.sub, doc, obj) {
			return true
		}
	case f.elemNonNull:
		r.report(f, f.notNull())
	}
	if f.elemNonNull {
		return false
	}
	r.out = append(r.out[:start], null...)
	return true
}

// writeType writes __type.
func (r *run) writeType(f *rootField) bool {
	name, _ := argument(f.args, f.argDefs, "name", &r.vars)
	text, _ := name.(string)
	if t := r.s.metaType(text); t != nil {
		return r.writeMeta(f, t)
	}
	r.out = append(r.out, null...)
	return true
}
