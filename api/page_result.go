package api

import (
	"freshet/api/document"
	"freshet/api/page"
	"freshet/cache"
)

// pageResult is a page with its documents.
type pageResult struct {
	query  *page.Query
	rows   []pageRow
	sum    PageSummary
	more   bool // there are rows behind the page
	prints uint64
}

// position returns the position of the snapshot that the page was read from.
func (s *PageSummary) position() cache.Position {
	return cache.Position{Watermark: s.Watermark, Batch: s.Batch}
}

type pageRow struct {
	key   string
	doc   *document.Document
	order []*string
}

// result returns a page as the answer to the question, with the documents that
// came with it.
func (asked *listQuestion) result(lp *listPage) *pageResult {
	p := &pageResult{query: asked.query, prints: asked.prints, sum: lp.sum, more: lp.more}
	p.rows = make([]pageRow, len(lp.rows))
	for i, row := range lp.rows {
		p.rows[i] = pageRow{key: row.key, order: row.order}
		if lp.docs != nil {
			p.rows[i].doc = lp.docs[i]
		}
	}
	return p
}
