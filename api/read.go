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
		if r.late != nil {
			return
		}
		switch f.kind {
		case rootByUnique:
			r.readUnique(f, &r.roots[i])
		case rootList, rootPlain:
			r.readList(f, &r.roots[i])
		}
		frontier = r.enter(frontier, f, &r.roots[i])
	}
	if len(frontier) > 0 && r.late == nil {
		r.stitch(frontier)
	}
}

// cached returns what the cache has of a document, and nothing of models whose
// documents must be wanted first.
func (r *run) cached(t *served.Type, key string) (*document.Document, cache.State) {
	if r.bypass {
		return nil, cache.Miss
	}
	if r.lags != nil {
		if r.behind(t) {
			return nil, cache.Miss
		}
		r.touch(t)
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
	ctx := r.looking()
	res, err := r.s.docs.Fetch(ctx, cache.Request{Model: t.Model.Name, Keys: keys, MinLSN: r.least(), Bypass: r.bypass}, r.s.loads[t.ID])
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
	r.touch(t)
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
	key := r.lookup(f, value, res)
	if res.err != nil || !r.behind(t) {
		return
	}
	if key != "" {
		if r.want(map[*served.Type][]string{t: {key}}) != nil {
			return
		}
		if again := r.lookup(f, value, res); res.err != nil || again == key {
			return
		}
	}
	// None, or another one: which it is may be what is lagging.
	if r.awaitModels([]string{t.Model.Name}) == nil {
		r.lookup(f, value, res)
	}
}

// lookup reads the document of a look-up as it is now, and returns its key.
func (r *run) lookup(f *rootField, value string, res *rootResult) (key string) {
	t := f.root.Type
	ctx, token := r.looking(), r.s.docs.Begin()
	r.queries++
	res.doc = nil
	at, err := r.s.store.Lookup(ctx, t, f.root.Column, value, func(k string, data []byte) error {
		doc, err := document.Prepare(t.Shape, data)
		key, res.doc = k, doc
		return err
	})
	if err = r.tooOld(err, t, at.Watermark); err != nil {
		res.doc, res.err = nil, r.s.failure(r.ctx, err)
		return ""
	}
	r.lower(at.Watermark)
	r.touch(t)
	if res.doc != nil {
		r.s.docs.PutAt(token, t.Model.Name, key, res.doc, at)
	}
	return key
}

// least is what everything is read at, at least.
func (r *run) least() pglogrepl.LSN {
	if r.min == 0 {
		return 0
	}
	return max(r.min, r.wanted)
}

// tooOld turns a read below what the request asks for into an error.
func (r *run) tooOld(err error, t *served.Type, lsn pglogrepl.LSN) error {
	if least := r.least(); err == nil && lsn < least {
		return &cache.TooOldError{Model: t.Model.Name, Want: least, Have: lsn}
	}
	return err
}
