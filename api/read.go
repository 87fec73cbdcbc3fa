package api

import (
	"github.com/jackc/pglogrepl"

	"freshet/api/document"
	"freshet/api/served"
	"freshet/cache"
)

// read reads all that the plan needs.
func (r *run) read() {
	for range r.plan.roots {
		r.roots = append(r.roots, rootResult{})
	}
	r.readKeys()
	var frontier []visit
	for i := range r.plan.roots {
		f := &r.plan.roots[i]
		switch f.kind {
		case rootByUnique:
			r.readUnique(f, &r.roots[i])
		case rootList, rootPlain:
			r.readList(f, &r.roots[i])
		}
		frontier = r.enter(frontier, f, &r.roots[i])
	}
	if len(frontier) > 0 {
		r.stitch(frontier)
	}
}

// cached returns what the cache has of a document.
func (r *run) cached(t *served.Type, key string) (*document.Document, cache.State) {
	if r.bypass {
		return nil, cache.Miss
	}
	return r.s.docs.Get(t.Model.Name, key)
}

// load loads documents into r.docs, through the cache: keys that others are
// loading are waited for, the rest is one statement.
func (r *run) load(t *served.Type, keys []string) {
	if r.docs == nil {
		r.docs = map[docID]loaded{}
	}
	keys = unique(keys)
	res, err := r.s.docs.Fetch(r.dbContext(), cache.Request{Model: t.Model.Name, Keys: keys, MinLSN: r.min, Bypass: r.bypass}, r.s.loads[t.ID])
	if err != nil || res.Loaded > 0 {
		r.queries++
	}
	if err != nil {
		failure := r.s.failure(r.ctx, err)
		for _, key := range keys {
			r.docs[docID{t.ID, key}] = loaded{err: failure}
		}
		return
	}
	r.lower(res.Watermark)
	for i, key := range keys {
		r.docs[docID{t.ID, key}] = loaded{doc: res.Docs[i].Value}
	}
}

// lower notes that something was read at a watermark.
func (r *run) lower(lsn pglogrepl.LSN) { r.lsn = min(r.lsn, lsn) }

func unique(keys []string) []string {
	if len(keys) < 2 {
		return keys
	}
	seen := make(map[string]bool, len(keys))
	out := keys[:0]
	for _, k := range keys {
		if !seen[k] {
			seen[k] = true
			out = append(out, k)
		}
	}
	return out
}

// readUnique reads the document of a look-up by a unique column.
func (r *run) readUnique(f *rootField, res *rootResult) {
	v, _ := argument(f.args, f.argDefs, f.root.Arg, &r.vars)
	value, ok := keyText(f.root.Column, v)
	if !ok {
		return
	}
	t := f.root.Type
	token := r.s.docs.Begin()
	var key string
	r.queries++
	lsn, err := r.s.store.Lookup(r.dbContext(), t, f.root.Column, value, func(k string, data []byte) error {
		doc, err := document.Prepare(t.Shape, data)
		key, res.doc = k, doc
		return err
	})
	if err = r.tooOld(err, t, lsn); err != nil {
		res.doc, res.err = nil, r.s.failure(r.ctx, err)
		return
	}
	r.lower(lsn)
	if res.doc != nil {
		r.s.docs.Put(token, t.Model.Name, key, res.doc, lsn)
	}
}

// tooOld turns a read below what the request asks for into an error.
func (r *run) tooOld(err error, t *served.Type, lsn pglogrepl.LSN) error {
	if err == nil && lsn < r.min {
		return &cache.TooOldError{Model: t.Model.Name, Want: r.min, Have: lsn}
	}
	return err
}

// readList reads a page.
func (r *run) readList(f *rootField, res *rootResult) {
	q, err := r.s.listQuery(f, &r.vars)
	if err != nil {
		res.err = coded(codeBadInput, err.Error())
		return
	}
	t := f.root.Type
	p := &pageResult{query: q}
	token := r.s.docs.Begin()
	r.queries++
	sum, err := r.s.store.Page(r.dbContext(), q, func(row PageRow) error { return p.add(t, row) })
	if err = r.tooOld(err, t, sum.Watermark); err != nil {
		res.err = r.s.failure(r.ctx, err)
		return
	}
	r.lower(sum.Watermark)
	p.finish(sum)
	for _, row := range p.rows {
		if row.doc != nil {
			r.s.docs.Put(token, t.Model.Name, row.key, row.doc, sum.Watermark)
		}
	}
	res.page = p
}
