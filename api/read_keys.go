package api

import (
	"fmt"
	"strings"

	"freshet/api/served"
	"freshet/cache"
)

// keyReader reads the documents of all root fields by key: what the cache
// lacks with one statement for each type.
type keyReader struct {
	r       *run
	missed  map[*served.Type][]string
	waiting []waitingRoot
}

// waitingRoot is a root field, or an element of one, whose document is being
// loaded.
type waitingRoot struct {
	index int
	at    int // -1: the field itself
	typ   *served.Type
	key   string
}

func (r *run) readKeys() {
	k := keyReader{r: r}
	for i := range r.plan.roots {
		switch r.plan.roots[i].kind {
		case rootByKey:
			k.one(i)
		case rootByKeys:
			k.many(i)
		case rootNode:
			k.node(i)
		}
	}
	if r.want(k.missed) != nil {
		return
	}
	for t, keys := range k.missed {
		r.load(t, keys)
	}
	for _, w := range k.waiting {
		l := r.docs[docID{w.typ.ID, w.key}]
		if w.at < 0 {
			r.roots[w.index].doc, r.roots[w.index].err = l.doc, l.err
		} else {
			r.roots[w.index].docs[w.at] = l
		}
	}
}

func (k *keyReader) one(i int) {
	f := &k.r.plan.roots[i]
	v, _ := argument(f.args, f.argDefs, f.root.Arg, &k.r.vars)
	k.r.roots[i].doc = k.read(i, -1, f.root.Type, v).doc
}

func (k *keyReader) many(i int) {
	f := &k.r.plan.roots[i]
	v, _ := argument(f.args, f.argDefs, f.root.Arg, &k.r.vars)
	values := listOf(v)
	if most := k.r.s.cfg.MaxPage; len(values) > most {
		k.r.roots[i].err = coded(codeBadInput, fmt.Sprintf("%s has %d keys, and the most that can be asked for at once is %d", f.root.Arg, len(values), most))
		return
	}
	k.r.roots[i].docs = make([]loaded, len(values))
	for at, v := range values {
		k.r.roots[i].docs[at] = k.read(i, at, f.root.Type, v)
	}
}

// node reads a document by its global id. An id of another kind has none.
func (k *keyReader) node(i int) {
	f := &k.r.plan.roots[i]
	v, _ := argument(f.args, f.argDefs, f.root.Arg, &k.r.vars)
	id, _ := v.(string)
	typeName, key, ok := splitNodeID(id)
	t := k.r.s.schema.Types[typeName]
	if !ok || t == nil || !t.Stored() {
		return
	}
	k.r.roots[i].sel = f.node[t]
	k.r.roots[i].doc = k.read(i, -1, t, key).doc
}

// read returns a document that the cache has, or notes that it is to be loaded.
func (k *keyReader) read(i, at int, t *served.Type, v any) loaded {
	key, ok := keyText(t.Table.Key, v)
	if !ok {
		return loaded{}
	}
	doc, state := k.r.cached(t, key)
	if state != cache.Miss {
		return loaded{doc: doc}
	}
	if k.missed == nil {
		k.missed = map[*served.Type][]string{}
	}
	key = strings.Clone(key)
	k.missed[t] = append(k.missed[t], key)
	k.waiting = append(k.waiting, waitingRoot{i, at, t, key})
	return loaded{}
}
