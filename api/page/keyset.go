package page

// bound limits a page to the rows behind a position in the order.
type bound struct {
	order     []Term
	values    []*string // by term; nil is NULL
	inclusive bool      // the position itself belongs to them
}

// write writes the condition. Without NULLs and in one direction it is a row
// comparison, which an index answers at once.
func (bd bound) write(b *builder) {
	if bd.uniform() {
		bd.writeRow(b)
		return
	}
	bd.writeLead(b)
	bd.writeFrom(b, 0)
}

// uniform says whether a row comparison tells the order.
func (bd bound) uniform() bool {
	for i, t := range bd.order {
		if !t.Column.NotNull || bd.values[i] == nil || t.Descending != bd.order[0].Descending {
			return false
		}
	}
	return true
}

func (bd bound) writeRow(b *builder) {
	b.WriteString("(")
	for i, t := range bd.order {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(t.Column.SQL())
	}
	b.WriteString(") " + bd.operator(bd.order[0], bd.inclusive) + " (")
	for i, t := range bd.order {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(t.Column.Param(b.arg(*bd.values[i])))
	}
	b.WriteString(")")
}

func (bd bound) operator(t Term, inclusive bool) string {
	op := ">"
	if t.Descending {
		op = "<"
	}
	if inclusive {
		op += "="
	}
	return op
}

// writeLead writes a plain bound on the first term, which follows from the
// condition but which an index can use.
func (bd bound) writeLead(b *builder) {
	t, v := bd.order[0], bd.values[0]
	if v == nil || len(bd.order) == 1 || !t.Column.NotNull && !t.NullsFirst {
		return
	}
	b.WriteString(t.Column.SQL() + " " + bd.operator(t, true) + " " + t.Column.Param(b.arg(*v)) + " AND ")
}

// writeFrom writes "behind the position" for the terms from i on: behind it in
// this term, or equal in it and behind in the next ones.
func (bd bound) writeFrom(b *builder, i int) {
	if i == len(bd.order) {
		if bd.inclusive {
			b.WriteString("TRUE")
		} else {
			b.WriteString("FALSE")
		}
		return
	}
	t, v := bd.order[i], bd.values[i]
	b.WriteString("(")
	bd.writeBehind(b, t, v)
	b.WriteString(" OR ")
	if v == nil {
		b.WriteString(t.Column.SQL() + " IS NULL AND ")
	} else {
		b.WriteString(t.Column.SQL() + " = " + t.Column.Param(b.arg(*v)) + " AND ")
	}
	bd.writeFrom(b, i+1)
	b.WriteString(")")
}

// writeBehind writes "strictly behind the value in this term".
func (bd bound) writeBehind(b *builder, t Term, v *string) {
	switch {
	case v == nil && t.NullsFirst:
		b.WriteString(t.Column.SQL() + " IS NOT NULL")
	case v == nil:
		b.WriteString("FALSE")
	case !t.NullsFirst && !t.Column.NotNull:
		b.WriteString("(" + t.Column.SQL() + " " + bd.operator(t, false) + " " + t.Column.Param(b.arg(*v)) + " OR " + t.Column.SQL() + " IS NULL)")
	default:
		b.WriteString(t.Column.SQL() + " " + bd.operator(t, false) + " " + t.Column.Param(b.arg(*v)))
	}
}
