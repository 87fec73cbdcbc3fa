package page

import "strconv"

// Fn is an aggregate function.
type Fn string

// The aggregate functions. Without any row, or with NULLs alone, they yield
// NULL.
const (
	Min Fn = "min"
	Max Fn = "max"
	Sum Fn = "sum"
	Avg Fn = "avg"
)

// Aggregate is a function over a column of all rows of a list.
type Aggregate struct {
	Fn     Fn
	Column *Column
	Type   string // the GraphQL type of its value
}

// sql returns the aggregate as JSON text, in the form that documents have.
func (a Aggregate) sql() string {
	v := string(a.Fn) + "(" + a.Column.SQL() + ")"
	switch a.Type {
	case "BigInt", "Decimal":
		v += "::text"
	case "Float":
		v = "nullif(nullif(nullif(" + v + "::" + a.float() + ", 'NaN'), 'Infinity'), '-Infinity')"
	case "DateTime":
		if a.Column.Base == "timestamp" {
			v = "(" + v + " AT TIME ZONE 'UTC')"
		}
	}
	return "to_jsonb(" + v + ")::text"
}

// float is the type of the result: of a float4 it has no more digits than that.
func (a Aggregate) float() string {
	if a.Column.Base == "float4" && a.Fn != Avg {
		return "float4"
	}
	return "float8"
}

// writeAggregates ends the row about the list with the aggregates: one scan
// yields them and the count.
func (q *Query) writeAggregates(b *builder) {
	if len(q.Aggregates) == 0 {
		return
	}
	for i := range q.Aggregates {
		b.WriteString(", s.a" + strconv.Itoa(i))
	}
	b.WriteString(" FROM (SELECT count(*)::text AS n")
	for i, a := range q.Aggregates {
		b.WriteString(", " + a.sql() + " AS a" + strconv.Itoa(i))
	}
	b.WriteString(" FROM " + q.Table.SQL())
	q.writeWhere(b, nil)
	b.WriteString(") s")
}
