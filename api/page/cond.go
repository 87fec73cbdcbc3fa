package page

import (
	"strconv"
	"strings"
)

// Op compares a column with one value or several.
type Op string

// The operators. A comparison with NULL is false, and Ne and NotIn are the
// exact opposites of Eq and In.
const (
	Eq         Op = "eq"
	Ne         Op = "ne"
	In         Op = "in"
	NotIn      Op = "nin"
	Lt         Op = "lt"
	Lte        Op = "lte"
	Gt         Op = "gt"
	Gte        Op = "gte"
	IsNull     Op = "isNull"
	IsNotNull  Op = "isNotNull"
	Like       Op = "like"
	ILike      Op = "ilike"
	StartsWith Op = "startsWith"
	Contains   Op = "contains"
)

// Cond is a condition on the rows of a Table.
type Cond interface {
	write(*builder)
	key(*keyWriter)
}

// Compare applies an operator. Values are in Postgres' text form: none for
// IsNull and IsNotNull, any number for In and NotIn, else one.
type Compare struct {
	Column *Column
	Op     Op
	Values []string
}

// All holds where all of its conditions hold; All{} always does.
type All []Cond

// Any holds where one of its conditions holds; Any{} never does.
type Any []Cond

// Not holds where its condition does not.
type Not struct{ Cond Cond }

// builder collects the text of a statement and its parameters.
type builder struct {
	strings.Builder
	args []any
}

// arg adds a parameter and returns its placeholder.
func (b *builder) arg(v any) string {
	b.args = append(b.args, v)
	return "$" + strconv.Itoa(len(b.args))
}

var operators = map[Op]string{Eq: "=", Lt: "<", Lte: "<=", Gt: ">", Gte: ">=", Like: "LIKE", ILike: "ILIKE"}

func (c Compare) write(b *builder) {
	column := c.Column.SQL()
	b.WriteString(column)
	switch c.Op {
	case IsNull:
		b.WriteString(" IS NULL")
	case IsNotNull:
		b.WriteString(" IS NOT NULL")
	case In:
		b.WriteString(" = ANY(" + c.Column.Params(b.arg(c.Values)) + ")")
	case NotIn:
		b.WriteString(" <> ALL(" + c.Column.Params(b.arg(c.Values)) + ")")
		if !c.Column.NotNull {
			b.WriteString(" OR " + column + " IS NULL")
		}
	case Ne:
		b.WriteString(unequal(c.Column) + c.Column.Param(b.arg(c.Values[0])))
	case StartsWith:
		b.WriteString(" LIKE " + b.arg(escapeLike(c.Values[0])+"%") + "::text")
	case Contains:
		b.WriteString(" LIKE " + b.arg("%"+escapeLike(c.Values[0])+"%") + "::text")
	case Like, ILike:
		b.WriteString(" " + operators[c.Op] + " " + b.arg(c.Values[0]) + "::text")
	default:
		b.WriteString(" " + operators[c.Op] + " " + c.Column.Param(b.arg(c.Values[0])))
	}
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// escapeLike makes a pattern that matches s itself.
func escapeLike(s string) string { return likeEscaper.Replace(s) }

func (c All) write(b *builder) { writeJoined(b, c, " AND ", "TRUE") }
func (c Any) write(b *builder) { writeJoined(b, c, " OR ", "FALSE") }

func (c Not) write(b *builder) {
	b.WriteString("(")
	c.Cond.write(b)
	b.WriteString(") IS NOT TRUE")
}

// unequal is the operator that holds for NULL too.
func unequal(c *Column) string {
	if c.NotNull {
		return " <> "
	}
	return " IS DISTINCT FROM "
}

// writeJoined writes conditions with an operator between them.
func writeJoined(b *builder, conds []Cond, op, none string) {
	if len(conds) == 0 {
		b.WriteString(none)
		return
	}
	for i, c := range conds {
		if i > 0 {
			b.WriteString(op)
		}
		b.WriteString("(")
		c.write(b)
		b.WriteString(")")
	}
}

// Fixed returns the columns that the condition binds to a single value: an
// index that begins with them is in order of its next column.
func Fixed(c Cond) []*Column {
	switch c := c.(type) {
	case All:
		var all []*Column
		for _, sub := range c {
			all = append(all, Fixed(sub)...)
		}
		return all
	case Compare:
		if c.Op == Eq || c.Op == IsNull || c.Op == In && len(c.Values) == 1 {
			return []*Column{c.Column}
		}
	}
	return nil
}
