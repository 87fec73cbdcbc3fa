package api

import (
	"freshet/api/document"
	"freshet/api/page"
	"freshet/api/served"
)

// pageResult is a page that was read.
type pageResult struct {
	query  *page.Query
	rows   []pageRow
	sum    PageSummary
	more   bool // there are rows behind the page
	prints uint64
}

type pageRow struct {
	key   string
	doc   *document.Document
	order []*string
}

// add takes over a row.
func (p *pageResult) add(t *served.Type, row PageRow) error {
	if len(p.rows) == p.query.Limit {
		p.more = true
		return nil
	}
	taken := pageRow{key: row.Key, order: row.Order}
	if row.Data != nil {
		var err error
		if taken.doc, err = document.Prepare(t.Shape, row.Data); err != nil {
			return err
		}
	}
	p.rows = append(p.rows, taken)
	return nil
}

// finish brings the rows into the list's own order.
func (p *pageResult) finish(sum PageSummary) {
	p.sum = sum
	p.prints = p.query.Table.Fingerprint(p.query.Order)
	if p.query.Backward {
		for i, j := 0, len(p.rows)-1; i < j; i, j = i+1, j-1 {
			p.rows[i], p.rows[j] = p.rows[j], p.rows[i]
		}
	}
}
