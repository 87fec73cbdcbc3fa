package cache

import (
	"sync"
	"unsafe"

	"github.com/jackc/pglogrepl"
)

// Pages is the part of a Cache that holds pages of lists: what a question about
// the documents of one model was answered with, such as the keys of a page in
// their order, and a count. It holds no documents: those it leaves to the Cache,
// with which it shares the limit in bytes.
//
// A page depends on columns: those that its filter, order and aggregates speak
// of. It is forgotten when a batch has moved one of them in any document of the
// model, or has inserted or deleted one, and at no other change.
//
// To answer from a page and documents together they must be of one state of the
// database. The rule is:
//
//	page, ok := pages.Get(req)       // of a position that the feed has come to
//	… all documents that it names, from the cache or loaded
//	ok = page.Holds(batch)           // batch: the highest that any of them was read at
//
// If the page still stands then, it is right at every position between its own
// and that of the feed, thus at the one that each document was read at. Else
// the page is to be read anew, with its documents, in one statement.
//
// It is safe for concurrent use.
type Pages[V, P any] struct {
	c    *Cache[V]
	cost func(P) int
	keep func(P) P

	mu      sync.Mutex
	flights map[ident]*pageFlight[P]
}

// PageOptions configure Pages. Cost is required.
type PageOptions[P any] struct {
	// Cost returns the bytes that a page holds on the heap, as Options.Cost.
	Cost func(P) int
	// Keep returns of what was loaded the part that is to be cached: without
	// the documents that came with it. The default is all of it.
	Keep func(P) P
}

// NewPages returns the pages of a cache. A cache may have several, if they have
// no models in common.
func NewPages[V, P any](c *Cache[V], o PageOptions[P]) *Pages[V, P] {
	if o.Cost == nil {
		panic("cache: PageOptions.Cost is required")
	}
	if o.Keep == nil {
		o.Keep = func(p P) P { return p }
	}
	return &Pages[V, P]{c: c, cost: o.Cost, keep: o.Keep, flights: map[ident]*pageFlight[P]{}}
}

// PageRequest asks for a page.
type PageRequest struct {
	Model string
	// Key stands for the question: two questions with one key have one answer.
	// Without one nothing is stored; it goes with Bypass.
	Key string
	// Columns are those that the answer depends on, beside the keys: as
	// Change.Moved names them.
	Columns []string
	// MinLSN and Bypass are as in Request.
	MinLSN pglogrepl.LSN
	Bypass bool
}

// pageName is the name under which the pages of a model have their counters.
// No model has such a one.
func pageName(model string) string { return pagePrefix + model }

// pagesOf returns what is known of the pages of a model.
func (c *Cache[V]) pagesOf(model string) *modelInfo {
	m := c.models.get(model)
	p := m.pages.Load()
	if p == nil {
		p = c.models.get(pageName(model))
		m.pages.Store(p)
	}
	return p
}

const pagePrefix = "\x00pages of "

// pageEntry is what an entry holds of a page.
type pageEntry[P any] struct {
	value   P
	columns []string
	marks   []*stamp // of the columns, when it was stored
}

// Page is a page that was found.
type Page[P any] struct {
	Value P
	// Position is that of the snapshot it was read from.
	Position Position

	local *localBatch
	m     *modelInfo
	whole *stamp
	entry *pageEntry[P]
}

// stands reports whether no invalidation has come since the page was stored.
func (p *Page[P]) stands() bool {
	if p.whole != p.m.whole.Load() {
		return false
	}
	marks := p.m.columns.Load()
	for i, c := range p.entry.columns {
		if p.entry.marks[i] != marks.of(c) {
			return false
		}
	}
	return true
}

// Holds reports whether the page is right at the position that documents were
// read at; batch is the highest of any of them, or UnknownBatch, or 0 without
// any. It counts the page as a hit, or as a miss.
func (p *Page[P]) Holds(batch int64) bool {
	ok := p.local.reached(batch) && p.stands()
	if ok {
		p.m.hits.Add(1)
	} else {
		p.m.misses.Add(1)
	}
	return ok
}

// Get returns a page that is cached, if it is of a position that the feed has
// come to and reflects MinLSN; Bypass finds none. A miss is counted; a hit is
// once Page.Holds says so.
func (p *Pages[V, P]) Get(req *PageRequest) (Page[P], bool) {
	found, ok := p.find(req)
	if !ok {
		p.c.pagesOf(req.Model).misses.Add(1)
	}
	return found, ok
}

func (p *Pages[V, P]) find(req *PageRequest) (Page[P], bool) {
	if !p.c.enabled || req.Bypass {
		return Page[P]{}, false
	}
	local := p.c.watermark()
	id := p.ident(req)
	sh := p.c.shard(id)
	sh.mu.Lock()
	e, ok := sh.lookup(id)
	sh.mu.Unlock()
	if !ok || max(local, e.lsn) < req.MinLSN {
		return Page[P]{}, false
	}
	held := e.page.(*pageEntry[P])
	found := Page[P]{
		Value: held.value, Position: Position{e.lsn, e.batch},
		local: &p.c.local, m: id.model, whole: e.whole, entry: held,
	}
	return found, p.c.local.reached(e.batch) && found.stands()
}

func (p *Pages[V, P]) ident(req *PageRequest) ident {
	return p.c.ident(p.c.pagesOf(req.Model), req.Key)
}

// put stores a page where the marks admit it. What decides is read in this
// order: a Purge in between has either changed the mark of the whole model, or
// is seen.
func (p *Pages[V, P]) put(id ident, req *PageRequest, loaded LoadedPage[P], begin uint64) {
	held := &pageEntry[P]{value: p.keep(loaded.Page), columns: req.Columns, marks: make([]*stamp, len(req.Columns))}
	e := entry[V]{lsn: loaded.Watermark, batch: known(loaded.Batch), whole: id.model.whole.Load(), page: held}
	admitted := e.whole.admits(e.lsn, begin)
	marks := id.model.columns.Load()
	for i, c := range req.Columns {
		held.marks[i] = marks.of(c)
		admitted = admitted && held.marks[i].admits(e.lsn, begin)
	}
	admitted = admitted && begin >= p.c.purged.Load()
	cost := p.cost(held.value) + int(unsafe.Sizeof(*held)) + len(req.Columns)*columnBytes
	sh := p.c.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if old, ok := sh.peek(id); !admitted || ok && old.batch > e.batch {
		sh.stat(id.model).Rejected++
		return
	}
	sh.put(id, e, cost)
}

// columnBytes is what a column of a page's entry takes.
const columnBytes = int(unsafe.Sizeof("") + unsafe.Sizeof(&stamp{}))
