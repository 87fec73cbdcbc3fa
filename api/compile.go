package api

import (
	"cmp"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"freshet/api/document"
	"freshet/api/served"
	"freshet/model"
)

// compiler compiles an operation under one outcome of its conditions.
type compiler struct {
	schema  *served.Schema
	doc     *ast.QueryDocument
	include func(ast.DirectiveList) bool
	fields  int // compiled so far
	limit   int

	rootName string // the type of the operation's own fields
}

// errTooLarge says that a query selects more fields than the limit.
var errTooLarge = &gqlerror.Error{Message: "The query selects too many fields."}

// compile compiles the operation's selection.
func (c *compiler) compile(op *ast.OperationDefinition) (p *plan, err error) {
	defer func() {
		if r := recover(); r != nil {
			if r != errTooLarge {
				panic(r)
			}
			p, err = nil, errTooLarge
		}
	}()
	p = &plan{}
	c.rootName = "Query"
	if op.Operation == ast.Subscription {
		c.rootName = "Subscription"
	}
	for _, g := range c.collect(c.rootName, op.SelectionSet) {
		p.roots = append(p.roots, c.root(g))
	}
	return p, nil
}

// group is the nodes that answer under one response key.
type group struct {
	name  string
	nodes []*ast.Field
}

// collect groups the fields that apply to objects of a type by response key,
// in the order in which each is met first.
func (c *compiler) collect(typeName string, sets ...ast.SelectionSet) []group {
	var groups []group
	visited := map[string]bool{}
	for _, set := range sets {
		groups = c.collectInto(groups, visited, typeName, set)
	}
	return groups
}

func (c *compiler) collectInto(groups []group, visited map[string]bool, typeName string, set ast.SelectionSet) []group {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			if c.include(sel.Directives) {
				groups = addNode(groups, sel)
			}
		case *ast.InlineFragment:
			if c.include(sel.Directives) && c.applies(sel.TypeCondition, typeName) {
				groups = c.collectInto(groups, visited, typeName, sel.SelectionSet)
			}
		case *ast.FragmentSpread:
			if visited[sel.Name] || !c.include(sel.Directives) {
				continue
			}
			visited[sel.Name] = true
			if f := c.doc.Fragments.ForName(sel.Name); f != nil && c.applies(f.TypeCondition, typeName) {
				groups = c.collectInto(groups, visited, typeName, f.SelectionSet)
			}
		}
	}
	return groups
}

// applies says whether a fragment is one for objects of a type.
func (c *compiler) applies(condition, typeName string) bool {
	return condition == "" || condition == typeName || c.schema.Possible[condition][typeName]
}

func addNode(groups []group, node *ast.Field) []group {
	for i := range groups {
		if groups[i].name == node.Alias {
			groups[i].nodes = append(groups[i].nodes, node)
			return groups
		}
	}
	return append(groups, group{name: node.Alias, nodes: []*ast.Field{node}})
}

// sets returns the selection sets of a group's nodes.
func (g group) sets() []ast.SelectionSet {
	sets := make([]ast.SelectionSet, len(g.nodes))
	for i, n := range g.nodes {
		sets[i] = n.SelectionSet
	}
	return sets
}

// place notes where a group stands, and that there is one more field.
func (c *compiler) place(g group, parent string) place {
	if c.fields++; c.fields > c.limit {
		panic(errTooLarge)
	}
	p := place{name: g.name, key: []byte(`"` + g.name + `":`), parent: parent, field: g.nodes[0].Name}
	for _, n := range g.nodes {
		p.locations = append(p.locations, gqlerror.Location{Line: n.Position.Line, Column: n.Position.Column})
	}
	return p
}

// object compiles the selection of objects of a type that hold what shape says.
func (c *compiler) object(t *served.Type, shape *document.Shape, g group) *selection {
	name := t.Model.Name
	sel := &selection{typ: t, typename: []byte(`"` + name + `"`), keySlot: -1}
	groups := c.collect(name, g.sets()...)
	if t.Stored() && shape.Key >= 0 && !c.holds(shape, groups) {
		sel.load, sel.stitches, sel.keySlot = true, true, shape.Key
		shape = t.Shape
	}
	for _, sub := range groups {
		f := c.field(t, shape, sub)
		sel.stitches = sel.stitches || f.stitches()
		sel.add(&f)
		sel.fields = append(sel.fields, f)
	}
	if sel.load {
		sel.cost += loadCost
	}
	return sel
}

// holds says whether a shape has a slot for each of the fields.
func (c *compiler) holds(shape *document.Shape, groups []group) bool {
	for _, g := range groups {
		if name := g.nodes[0].Name; name != "__typename" && !c.isNodeID(name) && !hasField(shape, name) {
			return false
		}
	}
	return true
}

// isNodeID says whether a field is that of interface Node: no model has one.
func (c *compiler) isNodeID(name string) bool { return c.schema.Node != "" && name == served.NodeID }

// field compiles one field of an object.
func (c *compiler) field(t *served.Type, shape *document.Shape, g group) field {
	f := field{place: c.place(g, t.Model.Name)}
	name := g.nodes[0].Name
	if name == "__typename" {
		f.kind = fieldTypename
		return f
	}
	if c.isNodeID(name) {
		f.kind, f.nonNull, f.slot = fieldNodeID, true, shape.Key
		return f
	}
	def := t.Model.Field(name)
	f.nonNull, f.elemNonNull = def.Type.NonNull, def.Type.ElemNonNull
	f.slot = shape.Slot(name)
	switch {
	case def.Kind == model.FirstOf && hasField(shape, name):
		c.firstOf(&f, def, shape, g)
	case f.slot < 0:
		f.kind = fieldMissing
	case def.Kind == model.Relates:
		f.kind, f.times = fieldOne, 1
		if def.Relation.ToMany() {
			f.kind, f.times = fieldMany, cmp.Or(def.Relation.Limit, assumedMany)
		}
		f.sub = c.object(c.schema.Types[def.Relation.Target.Name], shape.Slots[f.slot].Sub, g)
	default:
		c.leaf(&f, def)
	}
	return f
}

func (c *compiler) leaf(f *field, def *model.Field) {
	if e, ok := c.schema.Enums[def.Type.Name]; ok {
		f.enum, f.enumName = e, def.Type.Name
	}
	switch {
	case def.Type.List && (f.enum != nil || f.elemNonNull):
		f.kind = fieldLeaves
	case f.enum != nil:
		f.kind = fieldEnum
	}
}
