package api

import (
	"strconv"

	"freshet/api/page"
)

// writeConnection writes a list. Nothing in it is nullable, so that a null
// below it takes the whole of it away.
func (r *run) writeConnection(conn *connection, p *pageResult) bool {
	depth := len(r.path)
	defer func() { r.path = r.path[:depth] }()
	r.out = append(r.out, '{')
	for i := range conn.fields {
		f := &conn.fields[i]
		if i > 0 {
			r.out = append(r.out, ',')
		}
		r.out = append(r.out, f.key...)
		r.path = append(r.path[:depth], step{name: f.name})
		if !r.writeConnField(f, p) {
			return false
		}
	}
	r.out = append(r.out, '}')
	return true
}

func (r *run) writeConnField(f *connField, p *pageResult) bool {
	switch f.kind {
	case connTypename:
		r.out = append(r.out, f.text...)
	case connTotal:
		r.out = strconv.AppendInt(r.out, p.sum.Count, 10)
	case connPageInfo:
		r.writePageInfo(f.info, p)
	case connAggregate:
		r.writeAggregate(f.aggregate, p)
	case connNodes:
		return r.writeRows(p, func(i int) bool {
			doc := p.rows[i].doc
			return r.writeObject(f.sel, doc, doc.Root())
		})
	case connEdges:
		return r.writeRows(p, func(i int) bool { return r.writeEdge(f.edges, p, i) })
	}
	return true
}

// writePlain writes a list of documents, none of which may be null.
func (r *run) writePlain(sel *selection, p *pageResult) bool {
	depth := len(r.path)
	ok := r.writeRows(p, func(i int) bool {
		doc := p.rows[i].doc
		return r.writeObject(sel, doc, doc.Root())
	})
	r.path = r.path[:depth]
	return ok
}

// writeAggregate writes aggregates, which the database has as JSON.
func (r *run) writeAggregate(a *aggregate, p *pageResult) {
	r.out = append(r.out, '{')
	for i := range a.fields {
		f := &a.fields[i]
		if i > 0 {
			r.out = append(r.out, ',')
		}
		r.out = append(r.out, f.key...)
		switch f.kind {
		case aggregateTypename:
			r.out = append(r.out, f.text...)
		case aggregateCount:
			r.out = strconv.AppendInt(r.out, p.sum.Count, 10)
		case aggregateObject:
			r.writeAggregate(f.sub, p)
		case aggregateValue:
			r.writeAggregateValue(p.sum.Aggregates[f.index])
		}
	}
	r.out = append(r.out, '}')
}

func (r *run) writeAggregateValue(v []byte) {
	if v == nil {
		v = []byte(null)
	}
	r.out = append(r.out, v...)
}

// writeRows writes a list with an element for each row.
func (r *run) writeRows(p *pageResult, write func(i int) bool) bool {
	r.out = append(r.out, '[')
	depth := len(r.path)
	for i := range p.rows {
		if i > 0 {
			r.out = append(r.out, ',')
		}
		r.path = append(r.path[:depth], step{index: i})
		if !write(i) {
			return false
		}
	}
	r.out = append(r.out, ']')
	return true
}

func (r *run) writeEdge(fields []edgeField, p *pageResult, row int) bool {
	depth := len(r.path)
	r.out = append(r.out, '{')
	for i := range fields {
		f := &fields[i]
		if i > 0 {
			r.out = append(r.out, ',')
		}
		r.out = append(r.out, f.key...)
		switch f.kind {
		case edgeTypename:
			r.out = append(r.out, f.text...)
		case edgeCursor:
			r.writeCursor(p, row)
		case edgeNode:
			r.path = append(r.path[:depth], step{name: f.name})
			doc := p.rows[row].doc
			if !r.writeObject(f.sel, doc, doc.Root()) {
				return false
			}
		}
	}
	r.out = append(r.out, '}')
	return true
}

func (r *run) writeCursor(p *pageResult, row int) {
	r.out = append(r.out, '"')
	r.out = page.AppendCursor(r.out, p.prints, p.rows[row].order)
	r.out = append(r.out, '"')
}

func (r *run) writePageInfo(fields []infoField, p *pageResult) {
	next, previous := p.more, p.sum.Beyond
	if p.query.Backward {
		next, previous = previous, next
	}
	r.out = append(r.out, '{')
	for i := range fields {
		f := &fields[i]
		if i > 0 {
			r.out = append(r.out, ',')
		}
		r.out = append(r.out, f.key...)
		switch f.kind {
		case infoTypename:
			r.out = append(r.out, f.text...)
		case infoNext:
			r.out = strconv.AppendBool(r.out, next)
		case infoPrevious:
			r.out = strconv.AppendBool(r.out, previous)
		default:
			r.writeEndCursor(f.kind, p)
		}
	}
	r.out = append(r.out, '}')
}

func (r *run) writeEndCursor(kind infoKind, p *pageResult) {
	switch {
	case len(p.rows) == 0:
		r.out = append(r.out, null...)
	case kind == infoStart:
		r.writeCursor(p, 0)
	default:
		r.writeCursor(p, len(p.rows)-1)
	}
}
