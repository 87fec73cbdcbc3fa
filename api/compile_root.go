package api

import (
	"freshet/api/page"
	"freshet/api/served"
)

// root compiles a field of Query.
func (c *compiler) root(g group) rootField {
	node := g.nodes[0]
	f := rootField{place: c.place(g, c.rootName), args: node.Arguments, typename: []byte(`"` + c.rootName + `"`)}
	if node.Definition != nil {
		f.argDefs = node.Definition.Arguments
		f.required = requiredVariables(f.args, f.argDefs)
	}
	switch node.Name {
	case "__typename":
		return f
	case "__schema":
		f.kind, f.meta = rootSchema, c.meta("__Schema", g)
		return f
	case "__type":
		f.kind, f.meta = rootType, c.meta("__Type", g)
		return f
	}
	f.root, f.asked = c.schema.Roots[node.Name], constant(f.args)
	switch f.root.Kind {
	case served.ByKeys:
		f.kind, f.sel = rootByKeys, c.object(f.root.Type, f.root.Type.Shape, g)
	case served.Plain:
		f.kind, f.sel = rootPlain, c.object(f.root.Type, f.root.Type.Shape, g)
	case served.ByNode:
		f.kind, f.node = rootNode, c.anyObject(g)
	case served.ByKey:
		f.kind, f.sel = rootByKey, c.object(f.root.Type, f.root.Type.Shape, g)
	case served.ByUnique:
		f.kind, f.sel = rootByUnique, c.object(f.root.Type, f.root.Type.Shape, g)
	case served.List:
		f.kind, f.list = rootList, c.connection(f.root.Type, g)
	}
	return f
}

// anyObject compiles a selection for each of the stored types. Only one of them
// is answered: the largest counts.
func (c *compiler) anyObject(g group) map[*served.Type]*selection {
	sels, start, most := map[*served.Type]*selection{}, c.fields, c.fields
	for _, t := range c.schema.Types {
		if t.Stored() {
			c.fields = start
			sels[t] = c.object(t, t.Shape, g)
			most = max(most, c.fields)
		}
	}
	c.fields = most
	return sels
}

// connection compiles the selection of a connection.
func (c *compiler) connection(t *served.Type, g group) *connection {
	def := g.nodes[0].Definition.Type.Name()
	conn := &connection{name: def}
	for _, sub := range c.collect(def, g.sets()...) {
		f := connField{place: c.place(sub, def)}
		switch sub.nodes[0].Name {
		case "__typename":
			f.text = []byte(`"` + def + `"`)
		case "edges":
			f.kind, f.edges = connEdges, c.edges(t, conn, sub)
		case "nodes":
			f.kind, f.sel = connNodes, c.object(t, t.Shape, sub)
			conn.takes(f.sel)
		case "pageInfo":
			f.kind, f.info = connPageInfo, c.pageInfo(conn, sub)
		case "totalCount":
			f.kind, conn.count = connTotal, true
		case "aggregate":
			f.kind, f.aggregate = connAggregate, c.aggregate(t, conn, sub)
		}
		conn.add(&f)
		conn.fields = append(conn.fields, f)
	}
	return conn
}

// takes notes that the list's documents are needed.
func (conn *connection) takes(sel *selection) {
	conn.documents = true
	conn.stitches = conn.stitches || sel.stitches
}

func (c *compiler) edges(t *served.Type, conn *connection, g group) []edgeField {
	var fields []edgeField
	name := g.nodes[0].Definition.Type.Name()
	for _, sub := range c.collect(name, g.sets()...) {
		f := edgeField{place: c.place(sub, name)}
		switch sub.nodes[0].Name {
		case "__typename":
			f.text = []byte(`"` + name + `"`)
		case "cursor":
			f.kind, conn.cursors = edgeCursor, true
		case "node":
			f.kind, f.sel = edgeNode, c.object(t, t.Shape, sub)
			conn.takes(f.sel)
		}
		fields = append(fields, f)
	}
	return fields
}

func (c *compiler) pageInfo(conn *connection, g group) []infoField {
	var fields []infoField
	kinds := map[string]infoKind{
		"hasNextPage": infoNext, "hasPreviousPage": infoPrevious, "startCursor": infoStart, "endCursor": infoEnd,
	}
	for _, sub := range c.collect("PageInfo", g.sets()...) {
		f := infoField{place: c.place(sub, "PageInfo"), text: []byte(`"PageInfo"`)}
		f.kind = kinds[sub.nodes[0].Name] // of __typename the zero value
		conn.pageInfo = conn.pageInfo || f.kind == infoNext || f.kind == infoPrevious
		conn.cursors = conn.cursors || f.kind == infoStart || f.kind == infoEnd
		fields = append(fields, f)
	}
	return fields
}

// aggregate compiles the selection of a list's aggregates.
func (c *compiler) aggregate(t *served.Type, conn *connection, g group) *aggregate {
	a, name := &aggregate{}, g.nodes[0].Definition.Type.Name()
	for _, sub := range c.collect(name, g.sets()...) {
		f := aggregateField{place: c.place(sub, name)}
		switch field := sub.nodes[0].Name; field {
		case "__typename":
			f.text = []byte(`"` + name + `"`)
		case "count":
			f.kind, conn.count = aggregateCount, true
		default:
			f.kind, f.sub = aggregateObject, c.aggregateObject(conn, page.Fn(field), t.Aggregates[page.Fn(field)], sub)
		}
		a.fields = append(a.fields, f)
	}
	return a
}

// aggregateObject compiles the selection of what one function yields.
func (c *compiler) aggregateObject(conn *connection, fn page.Fn, in *served.Input, g group) *aggregate {
	a := &aggregate{}
	for _, sub := range c.collect(in.Name, g.sets()...) {
		f := aggregateField{place: c.place(sub, in.Name), text: []byte(`"` + in.Name + `"`)}
		if name := sub.nodes[0].Name; name != "__typename" {
			c.aggregateField(conn, fn, in.Field(name), sub, &f)
		}
		a.fields = append(a.fields, f)
	}
	return a
}

func (c *compiler) aggregateField(conn *connection, fn page.Fn, in *served.InputField, g group, f *aggregateField) {
	if in.Sub != nil {
		f.kind, f.sub = aggregateObject, c.aggregateObject(conn, fn, in.Sub, g)
		return
	}
	conn.count = true // the same scan
	f.kind, f.index = aggregateValue, len(conn.aggregates)
	conn.aggregates = append(conn.aggregates, page.Aggregate{Fn: fn, Column: in.Column, Type: served.AggregateType(fn, in)})
}
