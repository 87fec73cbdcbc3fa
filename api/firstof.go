package api

import (
	"freshet/api/document"
	"freshet/model"
)

// A field of @firstOf is of an interface or union. Documents hold the relations
// that it is made of, each with objects of one type: so the field is compiled
// once for each of them, and which one is answered shows in each document.

// choice is one of the relations of such a field.
type choice struct {
	slot int
	sub  *selection
}

// hasField says whether a shape holds a field; of @firstOf it is all relations.
func hasField(shape *document.Shape, name string) bool {
	if shape.Slot(name) >= 0 {
		return true
	}
	def := shape.Type.Field(name)
	if def == nil || def.Kind != model.FirstOf {
		return false
	}
	for _, m := range def.Members {
		if shape.Slot(m.Name) < 0 {
			return false
		}
	}
	return true
}

// firstOf compiles a field of @firstOf. Each relation counts as a field of its
// own, so that nesting does not multiply them beyond the limit.
func (c *compiler) firstOf(f *field, def *model.Field, shape *document.Shape, g group) {
	f.kind, f.times = fieldFirstOf, 1
	for _, m := range def.Members {
		slot := shape.Slot(m.Name)
		sub := c.object(c.schema.Types[m.Relation.Target.Name], shape.Slots[slot].Sub, g)
		f.choices = append(f.choices, choice{slot, sub})
	}
}

// stitches says whether something below the field is loaded.
func (f *field) stitches() bool {
	for _, ch := range f.choices {
		if ch.sub.stitches {
			return true
		}
	}
	return f.sub != nil && f.sub.stitches
}

// costOf is what one object of the field costs: of several, the largest.
func (f *field) costOf() int {
	most := 0
	if f.sub != nil {
		most = f.sub.cost
	}
	for _, ch := range f.choices {
		most = max(most, ch.sub.cost)
	}
	return most
}

// chosen is the object of the first relation that is there, and what is taken
// of it; none if all are null.
func (f *field) chosen(doc *document.Document, obj document.Object) (*selection, document.Object) {
	for _, ch := range f.choices {
		if o := doc.One(obj, ch.slot); o != 0 {
			return ch.sub, o
		}
	}
	return nil, 0
}

// reachChosen goes to what must be loaded below a field of @firstOf.
func (lv *level) reachChosen(v visit, f *field) {
	if sel, o := f.chosen(v.doc, v.obj); o != 0 && sel.stitches {
		lv.reach(sel, v.doc, o)
	}
}

// writeChosen writes the object of a field of @firstOf.
func (r *run) writeChosen(f *field, doc *document.Document, obj document.Object) bool {
	sel, o := f.chosen(doc, obj)
	return r.writeOne(f, sel, doc, o)
}
