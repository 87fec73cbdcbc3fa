package served

import (
	"fmt"
	"strings"

	"freshet/api/page"
	"freshet/model"
)

// query writes type Query with the connections, filters and orders that its
// fields need. The names of single documents come first: they are what
// clients use most, so that on a clash they stay as they are.
func (w *writer) query(stored []*Type) {
	var fields strings.Builder
	for _, t := range stored {
		w.root(&Root{Name: w.roots.take(lowerFirst(t.Model.Name)), Kind: ByKey, Type: t, Arg: t.Key.Name})
	}
	lists := map[*Type]*strings.Builder{}
	for _, t := range stored {
		lists[t] = &strings.Builder{}
		w.byUnique(lists[t], t)
		w.list(lists[t], t)
	}
	if w.schema.Node != "" {
		name := w.roots.take("node")
		w.root(&Root{Name: name, Kind: ByNode, Arg: "id"})
		fmt.Fprintf(&fields, "  \"Any document by its %s.\"\n  %s(id: ID!): %s\n", NodeID, name, w.schema.Node)
	}
	for _, t := range stored {
		w.byKey(&fields, t)
		w.byKeys(&fields, t)
		fields.WriteString(lists[t].String())
		w.plain(&fields, t)
	}
	fmt.Fprintf(w, "type Query {\n%s}\n", fields.String())
	fmt.Fprintf(w, "\n\"The fields of Query as live queries: answered at once, and again whenever the answer changes.\"\ntype Subscription {\n%s}\n", fields.String())
}

func (w *writer) root(r *Root) { w.schema.Roots[r.Name] = r }

// rootOf returns the ByKey root of a type.
func (w *writer) rootOf(t *Type) *Root {
	for _, r := range w.schema.Roots {
		if r.Kind == ByKey && r.Type == t {
			return r
		}
	}
	return nil
}

func (w *writer) byKey(fields *strings.Builder, t *Type) {
	r := w.rootOf(t)
	fmt.Fprintf(fields, "  \"One %s by its key.\"\n", t.Model.Name)
	fmt.Fprintf(fields, "  %s(%s: %s!): %s\n", r.Name, r.Arg, t.Key.Type.Name, t.Model.Name)
}

// byKeys adds the look-up of many: postsById(ids:).
func (w *writer) byKeys(fields *strings.Builder, t *Type) {
	many, key := plural(lowerFirst(t.Model.Name)), t.Key.Name
	arg := plural(key)
	name := w.roots.take(many+"By"+upperFirst(key), many+"By"+upperFirst(arg))
	w.root(&Root{Name: name, Kind: ByKeys, Type: t, Arg: arg})
	fmt.Fprintf(fields, "  \"%s by their keys: in the order of these, and null where there is none.\"\n", upperFirst(many))
	fmt.Fprintf(fields, "  %s(%s: [%s!]!): [%s]!\n", name, arg, t.Key.Type.Name, t.Model.Name)
}

// plain adds the list by limit and offset: postList(limit:, offset:).
func (w *writer) plain(fields *strings.Builder, t *Type) {
	single := lowerFirst(t.Model.Name)
	name := w.roots.take(single+"List", plural(single)+"List", single+"Items")
	w.root(&Root{Name: name, Kind: Plain, Type: t})
	fmt.Fprintf(fields, "  \"%s as a plain list. What lies far behind is reached sooner by the pages of the other one.\"\n", upperFirst(plural(single)))
	fmt.Fprintf(fields, "  %s(limit: Int, offset: Int, where: %s, orderBy: [%s!]): [%s!]!\n", name, t.Filter.Name, t.Order.Name, t.Model.Name)
}

func (w *writer) byUnique(fields *strings.Builder, t *Type) {
	for _, f := range t.Model.Fields {
		c := column(t.Table, f.Name)
		if !f.Unique || c == nil || f == t.Key {
			continue
		}
		name := w.roots.take(lowerFirst(t.Model.Name) + "By" + upperFirst(f.Name))
		w.root(&Root{Name: name, Kind: ByUnique, Type: t, Arg: f.Name, Column: c})
		fmt.Fprintf(fields, "  \"One %s by its %s.\"\n", t.Model.Name, f.Name)
		fmt.Fprintf(fields, "  %s(%s: %s!): %s\n", name, f.Name, f.Type.Name, t.Model.Name)
	}
}

func (w *writer) list(fields *strings.Builder, t *Type) {
	single := lowerFirst(t.Model.Name)
	many := plural(single)
	if many == single {
		many = single + "List"
	}
	name := w.roots.take(many, single+"List")
	w.root(&Root{Name: name, Kind: List, Type: t})
	t.Aggregates = map[page.Fn]*Input{}
	connection := w.connection(t)
	t.Filter, t.Order = w.filter(t), w.order(t)
	fmt.Fprintf(fields, "  \"%s, a page at a time: first and after go forward, last and before backward.\"\n", upperFirst(many))
	fmt.Fprintf(fields, "  %s(first: Int, after: String, last: Int, before: String, where: %s, orderBy: [%s!]): %s!\n",
		name, t.Filter.Name, t.Order.Name, connection)
}

// connection adds the connection and edge types of a type.
func (w *writer) connection(t *Type) string {
	name, edge := w.types.take(t.Model.Name+"Connection"), w.types.take(t.Model.Name+"Edge")
	aggregate := w.types.take(t.Model.Name + "Aggregate")
	w.late = append(w.late, fmt.Sprintf(`
"A page of a list of %[1]s."
type %[2]s {
  edges: [%[3]s!]!
  nodes: [%[1]s!]!
  pageInfo: PageInfo!
  "How many there are in the whole list. It is counted only when asked for."
  totalCount: Int!
  "What the whole list comes to, not this page alone."
  aggregate: %[4]s!
}

"An element of a list of %[1]s, and its place there."
type %[3]s {
  cursor: String!
  node: %[1]s!
}
`, t.Model.Name, name, edge, aggregate))
	w.aggregate(t, aggregate)
	return name
}

// columnsOf returns the columns that lists of the type can use, the key first.
func columnsOf(t *Type) []*page.Column {
	return append([]*page.Column{t.Table.Key}, t.Table.Columns...)
}

// inputs builds the tree of an Input over columns, and names each object in it.
// keep says which columns belong to it, by the GraphQL type of their values.
func (w *writer) inputs(t *Type, suffix string, keep func(c *page.Column, leaf string) bool) *Input {
	root := &Input{Name: w.types.take(t.Model.Name + suffix)}
	for _, c := range columnsOf(t) {
		fields := resolve(t.Model, c.Path)
		if last := fields[len(fields)-1]; last.Kind == model.Relates {
			key := last.Relation.Target.KeyField()
			if key == nil {
				continue
			}
			fields = append(fields, key)
		}
		if keep(c, fields[len(fields)-1].Type.Name) {
			w.place(root, t.Model.Name, suffix, fields, c)
		}
	}
	return root
}

// place puts a column at its path into the tree.
func (w *writer) place(in *Input, prefix, suffix string, fields []*model.Field, c *page.Column) {
	f := fields[0]
	at := in.Field(f.Name)
	if len(fields) == 1 {
		if at == nil {
			in.Fields = append(in.Fields, InputField{Name: f.Name, Column: c, Type: f.Type.Name})
		}
		return
	}
	prefix += upperFirst(f.Name)
	if at == nil {
		in.Fields = append(in.Fields, InputField{Name: f.Name, Sub: &Input{Name: w.types.take(prefix + suffix)}})
		at = &in.Fields[len(in.Fields)-1]
	}
	w.place(at.Sub, prefix, suffix, fields[1:], c)
}
