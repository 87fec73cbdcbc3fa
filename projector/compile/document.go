package compile

import (
	"fmt"
	"slices"
	"strings"

	"freshet/model"
	"freshet/projector/catalog"
)

// maxPairs is how many fields one jsonb_build_object takes: Postgres passes at
// most 100 arguments.
const maxPairs = 50

// document is the expression of what the document holds of the node's row.
func (g *generator) document(n *node, sel *model.Selection) string {
	var objects, pairs []string
	for i, item := range sel.Items {
		pairs = append(pairs, literal(item.Field.Name)+", "+g.field(n, item))
		if len(pairs) == maxPairs || i == len(sel.Items)-1 {
			objects = append(objects, wrapObject(pairs))
			pairs = nil
		}
	}
	if len(objects) == 0 {
		return "jsonb_build_object()"
	}
	return strings.Join(objects, " || ")
}

// wrapObject writes one jsonb_build_object, a single short pair on one line.
func wrapObject(pairs []string) string {
	if len(pairs) == 1 && !strings.Contains(pairs[0], "\n") {
		return "jsonb_build_object(" + pairs[0] + ")"
	}
	return "jsonb_build_object" + paren(list(pairs))
}

// field is the expression of one field's value.
func (g *generator) field(n *node, item model.SelectionItem) string {
	f := item.Field
	switch f.Kind {
	case model.Relates:
		if f.Relation.ToMany() {
			return g.embedMany(n, f, item.Sub)
		}
		return g.embedOne(n, f, item.Sub)
	case model.Aggregate:
		return g.aggregate(n, f, func(v value) string { return encode(v, f.Type) })
	}
	g.hasJSON = g.hasJSON || f.Type.Name == "JSON"
	return encode(g.value(n, f), f.Type)
}

// embedOne is the object that a relation to one row embeds, or null.
func (g *generator) embedOne(n *node, f *model.Field, sel *model.Selection) string {
	child := g.open(n, f, f.Name, columnsOf(sel))
	return g.one(child, g.document(child, sel))
}

// one is an expression over the one row of a relation, null where there is none.
func (g *generator) one(child *node, expr string) string {
	conds := g.applies(child)
	if child.stands == nil {
		expr = paren("SELECT " + expr + "\n" + g.oneRow(child))
	} else {
		conds = append(conds, child.present()...)
	}
	if len(conds) == 0 {
		return expr
	}
	return "CASE WHEN " + strings.Join(conds, " AND ") + " THEN " + expr + " END"
}

// oneRow is the FROM clause of a relation to one row. Where no constraint says
// that there is at most one, the first in order is taken.
func (g *generator) oneRow(child *node) string {
	l := child.link
	if l.parentHolds && l.fk != nil || uniqueOn(l.child, l.childCols) {
		return g.rows(child, nil, 0)
	}
	return g.rows(child, g.order(child), 1)
}

// embedMany is the array that a relation to many rows embeds.
func (g *generator) embedMany(n *node, f *model.Field, sel *model.Selection) string {
	child := g.open(n, f, f.Name, g.listColumns(f, sel))
	doc, order := g.document(child, sel), g.order(child)
	query := "SELECT jsonb_agg(" + doc + " ORDER BY " + strings.Join(order, ", ") + ")\n" + g.rows(child, order, f.Relation.Limit)
	return "COALESCE(" + paren(query) + ", '[]')"
}

// columnsOf returns the columns that a selection takes, or nil where it takes
// anything else.
func columnsOf(sel *model.Selection) []string {
	columns := []string{}
	for _, item := range sel.Items {
		if item.Field.Kind != model.Column {
			return nil
		}
		columns = append(columns, item.Field.Column)
	}
	return columns
}

// listColumns returns the columns that a list needs of its target, its order
// included, or nil where it needs anything else.
func (g *generator) listColumns(f *model.Field, sel *model.Selection) []string {
	columns := columnsOf(sel)
	for _, o := range f.Relation.OrderBy {
		if columns == nil || o.Field.Kind != model.Column {
			return nil
		}
		columns = append(columns, o.Field.Column)
	}
	if columns == nil {
		return nil
	}
	return append(columns, g.relations[f].target.tie...)
}

// order are the terms by which a relation's rows are ordered: those of the
// file, then what tells any two rows apart. NULL comes where Postgres puts it:
// last ascending, first descending; the SQL says so where NULL can be.
func (g *generator) order(child *node) []string {
	var terms, named []string
	for _, o := range child.field.Relation.OrderBy {
		v := g.value(child, o.Field)
		nullable := true
		if o.Field.Kind == model.Column {
			named = append(named, o.Field.Column)
			nullable = !notNull(child.table.Column(o.Field.Column))
		}
		terms = append(terms, term(v.sql, o.Descending, nullable))
	}
	return append(terms, tieTerms(child, named)...)
}

func term(sql string, descending, nullable bool) string {
	switch {
	case descending && nullable:
		return sql + " DESC NULLS FIRST"
	case descending:
		return sql + " DESC"
	case nullable:
		return sql + " NULLS LAST"
	}
	return sql
}

// tieTerms orders the rows that are equal in the columns named already.
func tieTerms(child *node, named []string) []string {
	tie := child.object.tie
	if subset(tie, named) {
		return nil
	}
	var terms []string
	for _, name := range tie {
		if slices.Contains(named, name) {
			continue
		}
		c := child.table.Column(name)
		sql := child.col(name)
		if slices.Contains(unordered, c.Type.Base) {
			sql += "::text"
		}
		terms = append(terms, term(sql, false, !notNull(c)))
	}
	return terms
}

// rows is the FROM clause of a relation's rows; with a limit, of its first
// rows in that order, so that nothing is built for the others.
func (g *generator) rows(child *node, order []string, limit int) string {
	first, conds := child, []string(nil)
	from := ""
	switch {
	case child.stands != nil: // only lists stand on their join table here
		first = child.stands
		from, conds = g.from(first), append(first.matches(), child.present()...)
	case child.parent.object == nil:
		first = child.parent
		from = g.from(first) + "\nJOIN " + g.from(child) + " ON " + strings.Join(child.matches(), " AND ")
		conds = first.matches()
	default:
		from, conds = g.from(child), child.matches()
	}
	if limit == 0 {
		return "FROM " + from + where(conds...)
	}
	alias := child.rowAlias()
	return "FROM " + paren(fmt.Sprintf("SELECT %s.*\nFROM %s%s\nORDER BY %s\nLIMIT %d", alias, from, where(conds...), strings.Join(order, ", "), limit)) + " " + alias
}

// aggregate is an aggregate over a relation; finish makes of its value what is
// wanted of it.
func (g *generator) aggregate(n *node, f *model.Field, finish func(value) string) string {
	agg := f.Agg
	if agg.Fn == model.Count {
		child := g.open(n, agg.Of, f.Name, []string{})
		v := value{sql: "count(*)", typ: plainType("int8"), deterministic: true}
		return paren("SELECT " + finish(v) + "\n" + g.rows(child, nil, 0))
	}
	var needs []string
	if agg.Field.Kind == model.Column {
		needs = []string{agg.Field.Column}
	}
	child := g.open(n, agg.Of, f.Name, needs)
	v := aggregated(agg.Fn, g.value(child, agg.Field))
	return paren("SELECT " + finish(v) + "\n" + g.rows(child, nil, 0))
}

// aggregated is the aggregate of a value over rows in any order. Where the
// order could show in the result, it is fixed: floating-point addition is not
// associative, and of equal numbers such as 1.0 and 1.00 one is the least.
func aggregated(fn model.AggregateFn, v value) value {
	arg := v.sql
	if isFloat(v.typ) && (fn == model.Sum || fn == model.Avg) {
		arg += " ORDER BY " + v.sql
	} else if (fn == model.Min || fn == model.Max) && v.severalTexts() {
		arg += " ORDER BY " + v.sql + `::text COLLATE "C"`
	}
	v.sql = strings.ToLower(string(fn)) + "(" + arg + ")"
	if fn == model.Avg && small(v.typ) {
		v.sql, v.finite = v.sql+"::float8", true
	}
	v.typ = resultType(fn, v.typ)
	return v
}

// resultType is the type of an aggregate's result. The mean of small integers
// is numeric in Postgres and a Float to GraphQL.
func resultType(fn model.AggregateFn, t catalog.Type) catalog.Type {
	switch fn {
	case model.Sum:
		switch {
		case small(t):
			return plainType("int8")
		case t.Base == "int8" || t.Base == "numeric":
			return plainType("numeric")
		}
	case model.Avg:
		if small(t) || isFloat(t) {
			return plainType("float8")
		}
		return plainType("numeric")
	}
	return t
}

// small says whether the type is one of the integers that an Int holds.
func small(t catalog.Type) bool { return t.Base == "int2" || t.Base == "int4" }

func isFloat(t catalog.Type) bool { return t.Base == "float4" || t.Base == "float8" }
