package compile

import (
	"fmt"
	"slices"
	"strings"

	"freshet/projector/catalog"
)

// path is the way from a changed row at the node up to the read model's key,
// along the links as they are now. Filters do not count on the way: a row that
// has just left one was in the document before.
func (b *planBuilder) path(rm *ReadModel, n *node) *Path {
	if n.parent == nil {
		start := []string{rm.Key.Column}
		return &Path{Name: pathName(n, start), Model: rm, Start: start, Direct: true}
	}
	p := &Path{Model: rm, Start: slices.Clone(n.link.childCols)}
	p.Name = pathName(n, p.Start)
	c := &climb{planBuilder: b, origin: n}
	for i, name := range p.Start {
		c.values = append(c.values, climbValue{param: i + 1, column: n.table.Column(name)})
	}
	key := c.up(n)
	if key.param > 0 && len(p.Start) == 1 {
		p.Direct = true
		return p
	}
	p.SQL, p.Probe = c.sql(key)
	return p
}

// pathName is unique without its first part already: how the file leads to a
// table says which links the path is made of, so no two paths have a way in
// common. A path that serves several is named after the first.
func pathName(n *node, start []string) string {
	return fmt.Sprintf("%s(%s) -> %s", n.table.Name, strings.Join(start, ", "), n.via)
}

// climb goes up from a node to the root.
type climb struct {
	*planBuilder
	origin  *node
	values  []climbValue // in step with the current link's columns
	joins   []string     // FROM items with their conditions; the first may have its in conds
	conds   []string
	unnests bool // the parameters are taken apart as v
	aliases int
}

// climbValue is a value that leads on upward: a parameter, or a column of a
// table that was joined.
type climbValue struct {
	param  int // 0: not one
	sql    string
	column *catalog.Column
}

// up returns the root's key.
func (c *climb) up(n *node) climbValue {
	for {
		p := n.parent
		needs := upward(p)
		next, ok := c.through(n, needs)
		if !ok {
			next = c.join(n, needs)
		}
		if p.parent == nil {
			return next[0]
		}
		c.values, n = next, p
	}
}

// upward names the columns of a node that lead on to its own parent; those of
// the root are its key.
func upward(n *node) []string {
	if n.parent == nil {
		return []string{n.object.key.Name}
	}
	return n.link.childCols
}

// through passes a parent by where its rows need not be read: the values lead
// to it by all that leads on from it.
func (c *climb) through(n *node, needs []string) ([]climbValue, bool) {
	var next []climbValue
	for _, name := range needs {
		i := slices.Index(n.link.parentCols, name)
		if i < 0 || !identical(n.link.parent.Column(name), c.values[i].column) {
			return nil, false
		}
		next = append(next, c.values[i])
	}
	return next, true
}

// join reads the parent's rows that the values lead to.
func (c *climb) join(n *node, needs []string) []climbValue {
	l := n.link
	c.needIndex(l.parent, l.parentCols, n)
	c.aliases++
	alias := fmt.Sprintf("t%d", c.aliases)
	first := len(c.joins) == 0
	var conds []string
	for i, name := range l.parentCols {
		v, column := c.values[i], alias+"."+ident(name)
		if v.param > 0 && first && len(l.parentCols) == 1 && len(c.origin.link.childCols) == 1 {
			c.conds = append(c.conds, column+" = ANY("+v.array()+")")
			continue
		}
		conds = append(conds, column+" = "+c.ref(v))
	}
	from := qualified(l.parent.Name) + " " + alias
	switch {
	case c.unnests && first, !first:
		from = "JOIN " + from + " ON " + strings.Join(conds, " AND ")
	default:
		from = "FROM " + from
	}
	c.joins = append(c.joins, from)
	next := make([]climbValue, len(needs))
	for i, name := range needs {
		next[i] = climbValue{sql: alias + "." + ident(name), column: l.parent.Column(name)}
	}
	return next
}

// array is a parameter as an array of the column's type.
func (v climbValue) array() string {
	return textArray(v.param, castSQL(v.column.Type))
}

// ref refers to a value in a condition.
func (c *climb) ref(v climbValue) string {
	if v.param == 0 {
		return v.sql
	}
	c.unnests = true
	return fmt.Sprintf("v.c%d", v.param)
}

// sql is the whole query, and the same for no more than so many rows. The
// latter can stop at once where it is not to tell keys apart.
func (c *climb) sql(key climbValue) (all, probe string) {
	expr := c.ref(key)
	lines := []string{expr + "::text AS key"}
	if c.unnests {
		lines = append(lines, "FROM "+c.parameters())
	}
	lines = append(lines, c.joins...)
	conds := c.conds
	if key.param > 0 || !notNull(key.column) {
		conds = append(conds, expr+" IS NOT NULL")
	}
	query := strings.Join(lines, "\n") + where(conds...)
	limit := param(len(c.origin.link.childCols) + 1)
	return "SELECT DISTINCT " + query, "SELECT " + query + "\nLIMIT " + limit + "::bigint"
}

// parameters takes the parameters apart, in step.
func (c *climb) parameters() string {
	l := c.origin.link
	var arrays, names []string
	for i, name := range l.childCols {
		v := climbValue{param: i + 1, column: l.child.Column(name)}
		arrays = append(arrays, v.array())
		names = append(names, fmt.Sprintf("c%d", i+1))
	}
	return "unnest(" + strings.Join(arrays, ", ") + ") AS v(" + strings.Join(names, ", ") + ")"
}
