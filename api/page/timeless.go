package page

import (
	"slices"
	"strings"
)

// Timeless reports whether the question means the same at any time. Postgres
// reads 'now' and 'today' as dates, and 'Europe/Rome' as an offset that depends
// on the day.
func (q *Query) Timeless() bool {
	for i, t := range q.Order {
		for _, values := range [][]*string{q.After, q.Before} {
			if values != nil && values[i] != nil && !t.Column.timeless(*values[i]) {
				return false
			}
		}
	}
	return timeless(q.Where)
}

func timeless(c Cond) bool {
	switch c := c.(type) {
	case nil:
		return true
	case Compare:
		return !slices.ContainsFunc(c.Values, func(v string) bool { return !c.Column.timeless(v) })
	case Not:
		return timeless(c.Cond)
	case All:
		return !slices.ContainsFunc(c, func(sub Cond) bool { return !timeless(sub) })
	case Any:
		return !slices.ContainsFunc(c, func(sub Cond) bool { return !timeless(sub) })
	}
	return false
}

// timeless reports whether a text is the same value of the column's type at any
// time. Of dates and times only plain ones are sure to be; of types that are not
// known here, those without a word that stands for a day.
func (c *Column) timeless(value string) bool {
	switch c.Base {
	case "uuid", "int2", "int4", "int8", "numeric", "float4", "float8", "bool", "text", "varchar", "bpchar", "interval", "bytea":
		return true
	case "timestamptz", "timestamp", "date", "time", "timetz":
		return value == "infinity" || value == "-infinity" || !strings.ContainsFunc(value, unplain)
	}
	lower := strings.ToLower(value)
	return !slices.ContainsFunc([]string{"now", "today", "tomorrow", "yesterday"}, func(word string) bool { return strings.Contains(lower, word) })
}

// unplain reports whether a rune is none of those that plain dates and times
// are made of.
func unplain(r rune) bool { return !strings.ContainsRune("0123456789-+:.TZ ", r) }
