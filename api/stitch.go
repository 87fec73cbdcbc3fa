package api

import (
	"strings"

	"freshet/api/document"
	"freshet/api/served"
	"freshet/cache"
)

// visit is an object whose selection has something to load below it.
type visit struct {
	sel *selection
	doc *document.Document
	obj document.Object
}

// enter adds the objects of a root field to the frontier.
func (r *run) enter(frontier []visit, f *rootField, res *rootResult) []visit {
	sel := f.sel
	if f.kind == rootNode {
		sel = res.sel
	}
	if sel != nil && sel.stitches {
		return enterDocuments(frontier, sel, res)
	}
	if f.list == nil || !f.list.stitches || res.page == nil {
		return frontier
	}
	for _, sel := range f.list.documentSelections() {
		for _, row := range res.page.rows {
			frontier = append(frontier, visit{sel, row.doc, row.doc.Root()})
		}
	}
	return frontier
}

// enterDocuments adds the documents of a root field that is no connection.
func enterDocuments(frontier []visit, sel *selection, res *rootResult) []visit {
	if res.doc != nil {
		frontier = append(frontier, visit{sel, res.doc, res.doc.Root()})
	}
	for _, l := range res.docs {
		if l.doc != nil {
			frontier = append(frontier, visit{sel, l.doc, l.doc.Root()})
		}
	}
	if res.page != nil {
		for _, row := range res.page.rows {
			frontier = append(frontier, visit{sel, row.doc, row.doc.Root()})
		}
	}
	return frontier
}

// documentSelections returns the selections of the list's documents that have
// something to load.
func (conn *connection) documentSelections() []*selection {
	var sels []*selection
	add := func(sel *selection) {
		if sel != nil && sel.stitches {
			sels = append(sels, sel)
		}
	}
	for _, f := range conn.fields {
		add(f.sel)
		for _, e := range f.edges {
			add(e.sel)
		}
	}
	return sels
}

// level collects what one level of a query needs.
type level struct {
	r     *run
	keys  map[*served.Type][]string // to load
	asked map[docID]bool
	next  []pending
	seen  map[seenID]bool
}

// pending is a document to go on into once it is there.
type pending struct {
	sel *selection
	id  docID
}

// seenID is a document at a place of the plan: visited once, however many
// parents embed its key.
type seenID struct {
	sel *selection
	id  docID
}

// stitch loads what embeds do not hold: level by level, and on each with one
// load for each type.
func (r *run) stitch(frontier []visit) {
	if r.docs == nil {
		r.docs = map[docID]loaded{}
	}
	for len(frontier) > 0 {
		lv := &level{r: r, keys: map[*served.Type][]string{}, asked: map[docID]bool{}, seen: map[seenID]bool{}}
		for _, v := range frontier {
			lv.walk(v)
		}
		if r.want(lv.keys) != nil {
			return
		}
		for t, keys := range lv.keys {
			r.load(t, keys)
		}
		frontier = frontier[:0]
		for _, p := range lv.next {
			if doc := r.docs[p.id].doc; doc != nil {
				frontier = append(frontier, visit{p.sel, doc, doc.Root()})
			}
		}
	}
}

// walk goes down what is embedded, to the objects that must be loaded.
func (lv *level) walk(v visit) {
	for i := range v.sel.fields {
		f := &v.sel.fields[i]
		if f.choices != nil {
			lv.reachChosen(v, f)
			continue
		}
		if f.sub == nil || !f.sub.stitches {
			continue
		}
		if f.kind == fieldOne {
			lv.reach(f.sub, v.doc, v.doc.One(v.obj, f.slot))
			continue
		}
		list, _ := v.doc.Many(v.obj, f.slot)
		for j := range list.Len() {
			lv.reach(f.sub, v.doc, v.doc.Elem(list, j))
		}
	}
}

func (lv *level) reach(sel *selection, doc *document.Document, obj document.Object) {
	if obj == 0 {
		return
	}
	if !sel.load {
		lv.walk(visit{sel, doc, obj})
		return
	}
	key, ok := rawKey(doc.Value(obj, sel.keySlot))
	if !ok {
		return
	}
	id := docID{sel.typ.ID, key}
	if lv.seen[seenID{sel, id}] {
		return
	}
	id.key = strings.Clone(key)
	lv.seen[seenID{sel, id}] = true
	if sel.below() {
		lv.next = append(lv.next, pending{sel, id})
	}
	if _, have := lv.r.docs[id]; !have && !lv.asked[id] {
		lv.asked[id] = true
		lv.need(sel.typ, id.key)
	}
}

// need asks the cache for a document and notes it to be loaded if it is not there.
func (lv *level) need(t *served.Type, key string) {
	if doc, state := lv.r.cached(t, key); state != cache.Miss {
		lv.r.docs[docID{t.ID, key}] = loaded{doc: doc}
		return
	}
	lv.keys[t] = append(lv.keys[t], key)
}

// below says whether there is more to load below the objects themselves.
func (sel *selection) below() bool {
	for i := range sel.fields {
		if sel.fields[i].stitches() {
			return true
		}
	}
	return false
}
