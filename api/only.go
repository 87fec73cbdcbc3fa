package api

import (
	"context"
	"slices"
	"strings"

	"freshet/api/document"
	"freshet/api/live"
	"freshet/api/page"
	"freshet/api/served"
	"freshet/cache"
)

// A document that is not on a page can alter it only by coming into the list,
// where the list ends on the page, or nothing is told but the page's own rows.
// Of most documents that change, one column tells that they have not: that of
// "where: {post: {id: {eq: …}}}".

// onlyThose returns what a document must have to matter to a page without being
// on it; nil: any may.
func onlyThose(f *rootField, p *pageResult) *live.Only {
	q := p.query
	ends := !p.more && q.After == nil && q.Before == nil && q.Offset == 0 && len(p.rows) < q.Limit
	rowsAlone := !q.Count && !q.Beyond && len(q.Aggregates) == 0 && q.Offset == 0
	if !ends && !rowsAlone {
		return nil
	}
	if f.list != nil && !f.list.documents {
		return nil // its rows are not among the documents that count
	}
	o := onlyValues(q.Where)
	if o == nil || !tells(f.root.Type, o.Column) {
		return nil
	}
	return o
}

// tells says whether the documents of a type have the value of a column.
func tells(t *served.Type, column string) bool {
	for _, c := range t.Table.Columns {
		if c.Name == column {
			return inShape(t.Shape, strings.Split(c.Path, "."))
		}
	}
	return false
}

func inShape(shape *document.Shape, path []string) bool {
	slot := shape.Slot(path[0])
	if slot < 0 {
		return false
	}
	sub := shape.Slots[slot].Sub
	switch {
	case len(path) > 1:
		return sub != nil && inShape(sub, path[1:])
	case sub != nil:
		return sub.Key >= 0
	}
	return true
}

// onlyValues finds a column that must have one of some values, where the text
// of a value in a document decides.
func onlyValues(c page.Cond) *live.Only {
	switch c := c.(type) {
	case page.All:
		for _, sub := range c {
			if o := onlyValues(sub); o != nil {
				return o
			}
		}
	case page.Compare:
		if c.Op != page.Eq && c.Op != page.In || c.Column.Base != "bool" && !slices.Contains(exactKeys, c.Column.Base) {
			return nil
		}
		o := &live.Only{Column: c.Column.Name}
		for _, v := range c.Values {
			if text, ok := keyText(c.Column, v); ok { // no row has another
				o.Values = append(o.Values, text)
			}
		}
		return o
	}
	return nil
}

// values returns what columns have in documents: see live.Config.
func (s *Server) values(ctx context.Context, model string, keys, columns []string) (map[string][]string, error) {
	t := s.schema.Types[model]
	if t == nil || !t.Stored() {
		return nil, nil
	}
	res, err := s.docs.Fetch(ctx, cache.Request{Model: model, Keys: keys, Bypass: !s.following()}, s.loads[t.ID])
	if err != nil {
		return nil, s.told(ctx, err)
	}
	values := map[string][]string{}
	for _, c := range t.Table.Columns {
		if !slices.Contains(columns, c.Name) {
			continue
		}
		for _, d := range res.Docs {
			if !d.Present {
				continue
			}
			if v, ok := valueAt(t, d.Value, strings.Split(c.Path, ".")); ok {
				values[c.Name] = append(values[c.Name], strings.Clone(v))
			}
		}
	}
	return values, nil
}

// told tells of an error that no client is to hear of.
func (s *Server) told(ctx context.Context, err error) error {
	_ = s.failure(ctx, err) // told to OnError
	return err
}

// valueAt returns the text of the value at a path of a document, the key of what
// a relation leads to; ok is false if there is none.
func valueAt(t *served.Type, doc *document.Document, path []string) (text string, ok bool) {
	shape, obj := t.Shape, doc.Root()
	for i, name := range path {
		slot := shape.Slot(name)
		if slot < 0 {
			return "", false
		}
		sub := shape.Slots[slot].Sub
		if sub == nil {
			return rawKey(doc.Value(obj, slot))
		}
		if obj = doc.One(obj, slot); obj == 0 {
			return "", false
		}
		if i == len(path)-1 {
			return rawKey(doc.Value(obj, sub.Key))
		}
		shape = sub
	}
	return "", false
}
