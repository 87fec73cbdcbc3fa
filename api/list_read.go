package api

import (
	"context"
	"slices"
	"unsafe"

	"freshet/api/document"
	"freshet/api/page"
	"freshet/api/served"
	"freshet/cache"
)

// A list is answered from the cache if the cache has its page, and the page
// holds for each of its documents: see cache.Pages. What of the documents the
// cache lacks is read with one statement by key; where many are lacking, or a
// document turns out to be ahead of the page, page and documents are read anew
// with one statement, and are then of one snapshot.

// listRead reads one list.
type listRead struct {
	r     *run
	s     *Server
	t     *served.Type
	asked *listQuestion
	req   cache.PageRequest
}

// readList reads a page.
func (r *run) readList(f *rootField, res *rootResult) {
	asked, err := r.s.listQuestion(f, &r.vars)
	if err != nil {
		res.err = coded(codeBadInput, err.Error())
		return
	}
	l := listRead{r: r, s: r.s, t: f.root.Type, asked: asked}
	if cached := l.name(); cached {
		if res.page = l.fromCache(); res.page != nil {
			return
		}
	}
	if res.page, err = l.load(); err != nil {
		res.err = r.s.failure(r.ctx, err)
	}
}

// name sets what the page is called in the cache, and reports whether it may be
// there. While a model is filled again its documents change without a word from
// the feed.
func (l *listRead) name() bool {
	r := l.r
	l.req = cache.PageRequest{Model: l.t.Model.Name, MinLSN: r.least(), Bypass: r.bypass}
	lag, lags := r.lags[l.t.Model.Name]
	l.req.Key, l.req.Columns = l.asked.key, l.asked.columns
	l.req.Bypass = r.bypass || lags && lag.Reason == cache.ReasonRefill || !l.asked.timeless
	return !l.req.Bypass
}

// fromCache answers from the cache, or returns nil.
func (l *listRead) fromCache() *pageResult {
	found, ok := l.s.pages.Get(&l.req)
	if !ok {
		return nil
	}
	p := l.asked.result(found.Value)
	batch := int64(0)
	if l.asked.query.Documents {
		batch, ok = l.documents(p)
	}
	if !found.Holds(batch) || !ok {
		return nil
	}
	l.r.touch(l.t)
	return p
}

// documents fills in the documents of a page, and returns the highest batch that
// any of them was read at. ok is false where the page had better be read anew.
func (l *listRead) documents(p *pageResult) (batch int64, ok bool) {
	var lacking []string
	var places []int
	for i := range p.rows {
		row := &p.rows[i]
		doc, state, at := l.s.docs.GetAt(l.t.Model.Name, row.key)
		if row.doc = doc; state == cache.Miss {
			lacking, places = append(lacking, row.key), append(places, i)
		} else if doc == nil {
			return 0, false
		}
		batch = max(batch, at)
	}
	if 2*len(lacking) > len(p.rows) {
		return 0, false
	}
	return l.fetch(p, lacking, places, batch)
}

// fetch reads the documents that are lacking.
func (l *listRead) fetch(p *pageResult, lacking []string, places []int, batch int64) (int64, bool) {
	if len(lacking) == 0 {
		return batch, true
	}
	r := l.r
	req := cache.Request{Model: l.t.Model.Name, Keys: lacking, MinLSN: r.least()}
	res, err := l.s.docs.Fetch(r.looking(), req, l.s.loads[l.t.ID])
	if err != nil || res.Loaded > 0 {
		r.queries++
	}
	if err != nil {
		return 0, false // the page's own statement will tell
	}
	r.lower(res.Watermark)
	for i, d := range res.Docs {
		if !d.Present {
			return 0, false
		}
		p.rows[places[i]].doc = d.Value
	}
	return max(batch, res.Batch), true
}

// load reads page and documents with one statement.
func (l *listRead) load() (*pageResult, error) {
	r := l.r
	ctx := r.looking() // it may set what the run reads at
	l.req.MinLSN = r.least()
	r.queries++
	loaded, err := l.s.pages.Fetch(ctx, l.req, l.statement)
	if err != nil {
		return nil, err
	}
	r.lower(loaded.Watermark)
	r.touch(l.t)
	return l.asked.result(loaded.Page), nil
}

// statement reads the page for all who want it now. It may go on when the run
// has ended, which therefore is none of its business.
func (l *listRead) statement(ctx context.Context) (loaded cache.LoadedPage[*listPage], err error) {
	s, t, question := l.s, l.t, *l.asked.query // the store may write into it
	q, token := &question, s.docs.Begin()
	lp := &listPage{}
	sum, err := s.store.Page(ctx, q, func(row PageRow) error { return lp.add(t, q, row) })
	if err != nil {
		return loaded, err
	}
	lp.finish(q, sum)
	at := sum.position()
	for i, doc := range lp.docs {
		s.docs.PutAt(token, t.Model.Name, lp.rows[i].key, doc, at)
	}
	return cache.LoadedPage[*listPage]{Page: lp, Position: at}, nil
}

// listPage is a page that was read. Once read it is not changed: it is the
// cache's, and that of all who wanted it at the same time.
type listPage struct {
	rows []listRow
	docs []*document.Document // of the rows; nil if they were not asked for
	sum  PageSummary
	more bool // there are rows behind the page
}

// listRow is a row of a listPage.
type listRow struct {
	key   string
	order []*string
}

// add takes over a row.
func (lp *listPage) add(t *served.Type, q *page.Query, row PageRow) error {
	if len(lp.rows) == q.Limit {
		lp.more = true
		return nil
	}
	if row.Data != nil {
		doc, err := document.Prepare(t.Shape, row.Data)
		if err != nil {
			return err
		}
		lp.docs = append(lp.docs, doc)
	}
	lp.rows = append(lp.rows, listRow{row.Key, row.Order})
	return nil
}

// finish brings the rows into the list's own order.
func (lp *listPage) finish(q *page.Query, sum PageSummary) {
	lp.sum = sum
	if q.Backward {
		slices.Reverse(lp.rows)
		slices.Reverse(lp.docs)
	}
}

// keys returns the page without its documents.
func (lp *listPage) keys() *listPage {
	return &listPage{rows: lp.rows, sum: lp.sum, more: lp.more}
}

// size returns the bytes that the page takes without its documents.
func (lp *listPage) size() int {
	n := int(unsafe.Sizeof(*lp)) + cap(lp.rows)*int(unsafe.Sizeof(listRow{})) + cap(lp.sum.Aggregates)*int(unsafe.Sizeof([]byte(nil)))
	for _, row := range lp.rows {
		n += allocated(len(row.key)) + cap(row.order)*int(unsafe.Sizeof(&n))
		for _, v := range row.order {
			if v != nil {
				n += int(unsafe.Sizeof(*v)) + allocated(len(*v))
			}
		}
	}
	for _, a := range lp.sum.Aggregates {
		n += allocated(len(a))
	}
	return n
}

// allocated is what so many bytes take on the heap, nearly.
func allocated(n int) int { return (n + 15) &^ 15 }
