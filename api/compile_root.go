package api

import "freshet/api/served"

// root compiles a field of Query.
func (c *compiler) root(g group) rootField {
	node := g.nodes[0]
	f := rootField{place: c.place(g, "Query"), args: node.Arguments, typename: []byte(`"Query"`)}
	if node.Definition != nil {
		f.argDefs = node.Definition.Arguments
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
	f.root = c.schema.Roots[node.Name]
	switch f.root.Kind {
	case served.ByKey:
		f.kind, f.sel = rootByKey, c.object(f.root.Type, f.root.Type.Shape, g)
	case served.ByUnique:
		f.kind, f.sel = rootByUnique, c.object(f.root.Type, f.root.Type.Shape, g)
	case served.List:
		f.kind, f.list = rootList, c.connection(f.root.Type, g)
	}
	return f
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
		}
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
