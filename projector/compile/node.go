package compile

import (
	"fmt"
	"slices"
	"strings"

	"freshet/model"
	"freshet/projector/catalog"
)

// node is one occurrence of a table in a read model's documents. Whatever SQL
// reads of it goes through its methods, which note the columns: that is how
// the paths know what matters.
type node struct {
	table  *catalog.Table
	object *object // nil for a join table
	alias  string
	via    string       // how the model file leads here
	field  *model.Field // the relation; nil at the root
	parent *node        // nil at the root
	link   *link        // to the parent
	top    *model.Field // the document's own field that leads here; nil at the root
	reads  map[string]bool

	// stands is the node whose foreign key tells all that is read of this one:
	// then no table occurs here. columns maps this table's columns to its.
	stands  *node
	columns map[string]string

	computed []*model.Field // what SQL refers to: computed fields, and relations for their when
}

// col refers to a column.
func (n *node) col(name string) string {
	if n.stands != nil {
		return n.stands.col(n.columns[name])
	}
	n.reads[name] = true
	return n.alias + "." + ident(name)
}

// rowAlias is the alias in which the node's columns are found.
func (n *node) rowAlias() string {
	if n.stands != nil {
		return n.stands.rowAlias()
	}
	return n.alias
}

// computedColumn is the name under which from yields a computed field, or a
// relation's when: the field's, lengthened until no column of the table has it.
func (n *node) computedColumn(f *model.Field) string {
	name := f.Name
	for n.table.Column(name) != nil {
		name += "_"
	}
	return name
}

// matches are the conditions that tie the node to its parent.
func (n *node) matches() []string {
	conds := make([]string, len(n.link.childCols))
	for i, c := range n.link.childCols {
		conds[i] = n.col(c) + " = " + n.parent.col(n.link.parentCols[i])
	}
	return conds
}

// generator writes the SQL of one read model's documents and collects the
// nodes that it needs.
type generator struct {
	*compiler
	nodes   []*node
	aliases int
	hasJSON bool // some value in the document is JSON as it is
}

// root makes the node of the read model's own row.
func (g *generator) root(o *object) *node {
	n := &node{table: o.table, object: o, via: o.typ.Name, alias: "r0", reads: map[string]bool{}}
	g.nodes = append(g.nodes, n)
	g.aliases = 1
	return n
}

// open makes the nodes of a relation's rows below n, for the field called
// name. Of the target's columns only those in needs are read; nil is any.
func (g *generator) open(n *node, f *model.Field, name string, needs []string) *node {
	r := g.relations[f]
	number := g.aliases
	g.aliases++
	child := &node{
		table: r.target.table, object: r.target, alias: fmt.Sprintf("r%d", number), via: n.via + "." + name,
		field: f, parent: n, link: r.first, top: topField(n, name), reads: map[string]bool{},
	}
	if r.join != nil {
		join := &node{
			table: r.join, alias: fmt.Sprintf("j%d", number), via: child.via + " (" + r.join.Name.Name + ")",
			field: f, parent: n, link: r.first, top: child.top, reads: map[string]bool{},
		}
		g.nodes = append(g.nodes, join)
		child.parent, child.link = join, r.second
	}
	if needs != nil && covers(child, needs) {
		child.stands, child.columns = child.parent, map[string]string{}
		for i, c := range child.link.childCols {
			child.columns[c] = child.link.parentCols[i]
		}
		return child
	}
	g.nodes = append(g.nodes, child)
	return child
}

// topField is the document's own field that leads to what is opened below n
// for the field called name.
func topField(n *node, name string) *model.Field {
	if n.parent == nil {
		return n.object.typ.Field(name)
	}
	return n.top
}

// covers says whether the parent's foreign key tells all that is needed of the
// child: its columns, and that there is such a row at all.
func covers(child *node, needs []string) bool {
	l := child.link
	if !l.parentHolds || !l.enforced() || child.field.Relation.When != "" || child.object.typ.Where != "" || child.field.Relation.Where != "" || !subset(needs, l.childCols) {
		return false
	}
	for i, c := range l.childCols {
		if !identical(l.child.Column(c), l.parent.Column(l.parentCols[i])) {
			return false
		}
	}
	return true
}

// present are the conditions that a row stands behind a node whose parent
// stands for it.
func (n *node) present() []string {
	var conds []string
	for _, name := range n.link.parentCols {
		if !notNull(n.stands.table.Column(name)) {
			conds = append(conds, n.stands.col(name)+" IS NOT NULL")
		}
	}
	return conds
}

// value is a column or computed field of the node's row.
func (g *generator) value(n *node, f *model.Field) value {
	if f.Kind != model.Computed {
		c := n.table.Column(f.Column)
		return value{sql: n.col(f.Column), typ: c.Type, deterministic: c.Deterministic}
	}
	info := g.expr(computed(n.object.typ, f))
	return value{sql: n.compute(f), typ: info.Type, deterministic: kind(info.Type) != "text"}
}

// compute refers to a computed field, or to the when of a relation.
func (n *node) compute(f *model.Field) string {
	if !slices.Contains(n.computed, f) {
		n.computed = append(n.computed, f)
	}
	return n.alias + "." + ident(n.computedColumn(f))
}

// applies are the conditions under which the node's relation is there, as far
// as its parent's own row says so. What they read is noted at once, like any
// other link to the parent.
func (g *generator) applies(n *node) []string {
	when := n.field.Relation.When
	if when == "" {
		return nil
	}
	n.parent.readAll(g.expr(predicate(n.parent.object.typ, when)).Columns)
	return []string{n.parent.compute(n.field)}
}

// from is the node's rows as an item of a FROM clause. The user's own SQL is
// put where its names can mean nothing but the columns of this one table.
// It must come after all else that refers to the node's computed fields.
func (g *generator) from(n *node) string {
	table := qualified(n.table.Name)
	columns, conds := []string{"*"}, g.filters(n)
	for _, f := range n.computed {
		e := computed(n.object.typ, f)
		if f.Kind == model.Relates {
			e = predicate(n.object.typ, f.Relation.When)
		}
		n.readAll(g.expr(e).Columns)
		columns = append(columns, userSQL(e.SQL)+" AS "+ident(n.computedColumn(f)))
	}
	if len(columns) == 1 && len(conds) == 0 {
		return table + " " + n.alias
	}
	return paren("SELECT "+strings.Join(columns, ", ")+"\nFROM "+table+where(conds...)) + " " + n.alias
}

// filters are the conditions of the node's type and relation.
func (g *generator) filters(n *node) []string {
	if n.object == nil {
		return nil
	}
	sqls := []string{n.object.typ.Where}
	if n.field != nil {
		sqls = append(sqls, n.field.Relation.Where)
	}
	var conds []string
	for _, sql := range sqls {
		if sql != "" {
			n.readAll(g.expr(predicate(n.object.typ, sql)).Columns)
			conds = append(conds, userSQL(sql))
		}
	}
	return conds
}

func (n *node) readAll(columns []string) {
	for _, c := range columns {
		n.reads[c] = true
	}
}
