package live

import (
	"slices"

	"freshet/cache"
)

// set is a set of queries.
type set map[*query]struct{}

// index finds the queries that a change touches.
type index map[string]*modelIndex

// modelIndex is the part of one read model.
type modelIndex struct {
	documents map[string]set            // by key
	columns   map[string]set            // pages without Only, by the columns that they depend on
	pages     set                       // all with such a page
	only      map[string]map[string]set // pages with it, by column and value
}

func (x index) model(name string) *modelIndex {
	m := x[name]
	if m == nil {
		m = &modelIndex{documents: map[string]set{}, columns: map[string]set{}, pages: set{}, only: map[string]map[string]set{}}
		x[name] = m
	}
	return m
}

// replace makes the index know a query by its new dependencies.
func (x index) replace(q *query, deps Dependencies) {
	if q.deps.same(&deps) {
		return
	}
	x.remove(q)
	q.deps = deps
	for _, d := range deps.Documents {
		put(x.model(d.Model).documents, d.Key, q)
	}
	for _, p := range deps.Pages {
		m := x.model(p.Model)
		if p.Only != nil {
			m.putOnly(p.Only, q)
			continue
		}
		m.pages[q] = struct{}{}
		for _, c := range p.Columns {
			put(m.columns, c, q)
		}
	}
}

// remove takes a query out.
func (x index) remove(q *query) {
	for _, d := range q.deps.Documents {
		take(x.model(d.Model).documents, d.Key, q)
	}
	for _, p := range q.deps.Pages {
		m := x.model(p.Model)
		if p.Only != nil {
			m.takeOnly(p.Only, q)
			continue
		}
		delete(m.pages, q)
		for _, c := range p.Columns {
			take(m.columns, c, q)
		}
	}
	q.deps = Dependencies{}
}

func (m *modelIndex) putOnly(o *Only, q *query) {
	if m.only[o.Column] == nil {
		m.only[o.Column] = map[string]set{}
	}
	for _, v := range o.Values {
		put(m.only[o.Column], v, q)
	}
}

func (m *modelIndex) takeOnly(o *Only, q *query) {
	for _, v := range o.Values {
		take(m.only[o.Column], v, q)
	}
	if len(m.only[o.Column]) == 0 {
		delete(m.only, o.Column)
	}
}

func put(sets map[string]set, name string, q *query) {
	s := sets[name]
	if s == nil {
		s = set{}
		sets[name] = s
	}
	s[q] = struct{}{}
}

func take(sets map[string]set, name string, q *query) {
	delete(sets[name], q)
	if len(sets[name]) == 0 {
		delete(sets, name)
	}
}

// each calls found for the queries that a change touches, some of them more
// than once.
func (x index) each(ch *cache.Change, found func(*query)) {
	m := x[ch.Model]
	if m == nil {
		return
	}
	if ch.Whole {
		for _, s := range m.documents {
			visit(s, found)
		}
		visit(m.pages, found)
		m.eachOnly(found)
		return
	}
	for _, keys := range [][]string{ch.Keys, ch.DeletedKeys} {
		for _, key := range keys {
			visit(m.documents[key], found)
		}
	}
	columns, all := moved(ch)
	if all {
		visit(m.pages, found)
		return
	}
	for _, c := range columns {
		visit(m.columns[c], found)
	}
}

func (m *modelIndex) eachOnly(found func(*query)) {
	for _, values := range m.only {
		for _, s := range values {
			visit(s, found)
		}
	}
}

func visit(s set, found func(*query)) {
	for q := range s {
		found(q)
	}
}

// touches says whether a change touches dependencies.
func (d *Dependencies) touches(ch *cache.Change, has func(key string) bool) bool {
	if ch.Whole && slices.ContainsFunc(d.Documents, func(doc Document) bool { return doc.Model == ch.Model }) {
		return true
	}
	if slices.ContainsFunc(ch.Keys, has) || slices.ContainsFunc(ch.DeletedKeys, has) {
		return true
	}
	columns, all := moved(ch)
	return slices.ContainsFunc(d.Pages, func(p Page) bool {
		return p.Model == ch.Model && (all || ch.Whole ||
			slices.ContainsFunc(columns, func(c string) bool { return slices.Contains(p.Columns, c) }))
	})
}
