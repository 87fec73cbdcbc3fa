package api

import (
	"slices"
	"strings"

	"freshet/api/live"
	"freshet/api/page"
	"freshet/api/served"
)

// What an answer depends on is worked out from what the run has read, at its
// end: documents by key, there or not; and of lists the columns that decide
// which documents are on the page, and in which order. Documents on a page
// count by themselves only if something of them is shown.

// depends returns what the run's answer depends on.
func (r *run) depends() live.Dependencies {
	d := &dependencies{r: r}
	for i := range r.plan.roots {
		d.root(&r.plan.roots[i], &r.roots[i])
	}
	for id := range r.docs {
		d.document(r.s.storedType(id.typ), id.key)
	}
	return d.live
}

// storedType returns a stored type by its number.
func (s *Server) storedType(id int) *served.Type { return s.stored[id] }

// dependencies collects.
type dependencies struct {
	r    *run
	live live.Dependencies
}

func (d *dependencies) document(t *served.Type, key string) {
	d.live.Documents = append(d.live.Documents, live.Document{Model: t.Model.Name, Key: strings.Clone(key)})
}

// root adds what a root field depends on.
func (d *dependencies) root(f *rootField, res *rootResult) {
	switch f.kind {
	case rootByKey, rootByKeys:
		v, _ := argument(f.args, f.argDefs, f.root.Arg, &d.r.vars)
		for _, v := range listOf(v) {
			d.byKey(f.root.Type, v)
		}
	case rootNode:
		v, _ := argument(f.args, f.argDefs, f.root.Arg, &d.r.vars)
		id, _ := v.(string)
		typeName, key, _ := splitNodeID(id)
		if t := d.r.s.schema.Types[typeName]; t != nil && t.Stored() {
			d.byKey(t, key)
		}
	case rootByUnique:
		d.columns(f.root.Type, f.root.Column)
		if doc := res.doc; doc != nil {
			if key, ok := rawKey(doc.Value(doc.Root(), f.root.Type.Shape.Key)); ok {
				d.document(f.root.Type, key)
			}
		}
	case rootList, rootPlain:
		d.page(f, res.page)
	}
}

func (d *dependencies) byKey(t *served.Type, v any) {
	if key, ok := keyText(t.Table.Key, v); ok {
		d.document(t, key)
	}
}

// columns adds a page that depends on columns.
func (d *dependencies) columns(t *served.Type, columns ...*page.Column) {
	p := live.Page{Model: t.Model.Name}
	for _, c := range columns {
		if c != t.Table.Key { // the key never changes
			p.Columns = append(p.Columns, c.Name)
		}
	}
	d.live.Pages = append(d.live.Pages, p)
}

// page adds a page that was read: none was where its arguments are wrong.
func (d *dependencies) page(f *rootField, p *pageResult) {
	if p == nil {
		return
	}
	t, q := f.root.Type, p.query
	if f.list == nil || f.list.documents {
		for _, row := range p.rows {
			d.document(t, row.key)
		}
	}
	if keys, ok := onlyKeys(q.Where, t.Table.Key); ok {
		for _, key := range keys {
			d.document(t, key)
		}
		return
	}
	columns := page.Columns(q.Where)
	for _, term := range q.Order {
		columns = append(columns, term.Column)
	}
	for _, a := range q.Aggregates {
		columns = append(columns, a.Column)
	}
	d.columns(t, columns...)
	d.live.Pages[len(d.live.Pages)-1].Only = onlyThose(f, p)
}

// exactKeys are the types whose values have one text, which is that of the keys
// in the change feed.
var exactKeys = []string{"uuid", "int2", "int4", "int8", "text", "varchar"}

// onlyKeys returns the keys that a condition leaves, if it names them: changes
// of other documents can never alter such a page.
func onlyKeys(c page.Cond, key *page.Column) (keys []string, ok bool) {
	switch c := c.(type) {
	case page.All:
		for _, sub := range c {
			if keys, ok = onlyKeys(sub, key); ok {
				return keys, true
			}
		}
	case page.Compare:
		if c.Column == key && (c.Op == page.Eq || c.Op == page.In) && slices.Contains(exactKeys, key.Base) {
			return c.Values, true
		}
	}
	return nil, false
}
