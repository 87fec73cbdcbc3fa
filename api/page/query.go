package page

import (
	"strconv"
	"strings"
)

// Query asks for one page of a Table.
type Query struct {
	Table *Table
	Where Cond   // nil: all rows
	Order []Term // total: see Table.Total
	// After and Before are positions in the order, exclusive: a value for each
	// term, in Postgres' text form, nil for NULL. A nil slice is no bound.
	After, Before []*string
	// Limit is the number of rows wanted, from the end if Backward. The
	// statement asks for one more, to tell whether there are any; but not if
	// Exact.
	Limit    int
	Backward bool
	Exact    bool
	Offset   int // rows passed over

	Documents bool // the documents are wanted, not the keys alone
	// Spared are fields that the documents are wanted without. It is no part of
	// Key: a page in part is not kept.
	Spared []string
	Count  bool // the number of rows that Where holds for is wanted
	// Beyond asks whether there are rows on the other side of After (or, if
	// Backward, of Before): the page before this one.
	Beyond bool
	// Aggregates are wanted of all the rows that Where holds for.
	Aggregates []Aggregate
	// Slot is the slot whose position is read along.
	Slot string
}

// Columns of a row of the statement: fixed ones first, then one for each term
// of the order and one for each aggregate. The last row is about the list as a whole: its key is NULL,
// and it alone has position, count, beyond and aggregates.
const (
	ColumnKey = iota
	ColumnData
	ColumnPosition
	ColumnCount
	ColumnBeyond
	ColumnOrder
)

// Position is the SQL of the position of a row of freshet.checkpoint: watermark
// and number of the last batch as one text.
const Position = "watermark::text || ' ' || batch"

// SQL returns the statement and its parameters. Every column is text. The rows
// of a limited subquery under UNION ALL keep their order: one scan yields them.
func (q *Query) SQL() (string, []any) {
	b := &builder{}
	b.Grow(512)
	b.WriteString("(")
	q.writePage(b)
	b.WriteString(") UNION ALL ")
	q.writeSummary(b)
	return b.String(), b.args
}

// beyond says whether the question has a bound to look beyond.
func (q *Query) beyond() bool {
	return q.Beyond && (q.After != nil && !q.Backward || q.Before != nil && q.Backward)
}

func (q *Query) writePage(b *builder) {
	b.WriteString("SELECT " + q.Table.Key.SQL() + "::text, ")
	if q.Documents {
		q.writeDocument(b)
	} else {
		b.WriteString("NULL::text, ")
	}
	b.WriteString("NULL::text, NULL::text, NULL::text")
	for _, t := range q.Order {
		b.WriteString(", " + t.Column.SQL() + "::text")
	}
	for range q.Aggregates {
		b.WriteString(", NULL::text")
	}
	b.WriteString(" FROM " + q.Table.SQL())
	q.writeWhere(b, q.bounds())
	b.WriteString(" ORDER BY ")
	for i, t := range q.Order {
		if i > 0 {
			b.WriteString(", ")
		}
		if q.Backward {
			t = t.Reverse()
		}
		// Qualified: a name alone would mean the column of the result, which is text.
		b.WriteString(q.Table.SQL() + "." + t.SQL())
	}
	// A number of our own, and not a parameter: the planner would guess at a
	// tenth of the table, and so plan anew each time.
	limit := q.Limit + 1
	if q.Exact {
		limit = q.Limit
	}
	b.WriteString(" LIMIT " + strconv.Itoa(limit))
	if q.Offset > 0 {
		b.WriteString(" OFFSET " + strconv.Itoa(q.Offset))
	}
}

// writeDocument writes the document, without the fields to be spared.
func (q *Query) writeDocument(b *builder) {
	if len(q.Spared) == 0 {
		b.WriteString("data::text, ")
		return
	}
	b.WriteString("(data - ARRAY[")
	for i, name := range q.Spared {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("'" + strings.ReplaceAll(name, "'", "''") + "'") // a name of the model's
	}
	b.WriteString("]::text[])::text, ")
}

// bounds returns the conditions that After and Before make.
func (q *Query) bounds() []Cond {
	var conds []Cond
	if q.After != nil {
		conds = append(conds, bound{order: q.Order, values: q.After})
	}
	if q.Before != nil {
		conds = append(conds, bound{order: reversed(q.Order), values: q.Before})
	}
	return conds
}

func reversed(order []Term) []Term {
	out := make([]Term, len(order))
	for i, t := range order {
		out[i] = t.Reverse()
	}
	return out
}

func (q *Query) writeWhere(b *builder, bounds []Cond) {
	conds := All(bounds)
	if q.Where != nil {
		conds = append(All{q.Where}, bounds...)
	}
	if len(conds) > 0 {
		b.WriteString(" WHERE ")
		conds.write(b)
	}
}

// writeSummary writes the row about the list as a whole.
func (q *Query) writeSummary(b *builder) {
	b.WriteString("SELECT NULL, NULL, (SELECT " + Position + " FROM freshet.checkpoint WHERE slot = " + b.arg(q.Slot) + "::text), ")
	if q.Count && len(q.Aggregates) > 0 {
		b.WriteString("s.n")
	} else if q.Count {
		b.WriteString("(SELECT count(*)::text FROM " + q.Table.SQL())
		q.writeWhere(b, nil)
		b.WriteString(")")
	} else {
		b.WriteString("NULL")
	}
	b.WriteString(", ")
	if q.beyond() {
		b.WriteString("(SELECT EXISTS (SELECT 1 FROM " + q.Table.SQL())
		q.writeWhere(b, []Cond{q.beyondBound()})
		b.WriteString(")::text)")
	} else {
		b.WriteString("NULL")
	}
	for range q.Order {
		b.WriteString(", NULL")
	}
	q.writeAggregates(b)
}

// beyondBound is the other side of the bound that the page begins at.
func (q *Query) beyondBound() Cond {
	if q.Backward {
		return bound{order: q.Order, values: q.Before, inclusive: true}
	}
	return bound{order: reversed(q.Order), values: q.After, inclusive: true}
}
