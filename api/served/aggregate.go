package served

import (
	"fmt"
	"slices"
	"strings"

	"freshet/api/page"
)

// Which columns can be aggregated: by the Postgres type and the GraphQL type.
var (
	numbers   = []string{"int2", "int4", "int8", "numeric", "float4", "float8"}
	texts     = []string{"text", "varchar", "bpchar"}
	instants  = []string{"timestamptz", "timestamp", "date", "time", "timetz", "interval"}
	ordered   = slices.Concat(numbers, texts, instants)
	orderedAs = []string{"Int", "Float", "BigInt", "Decimal", "String", "DateTime", "LocalDateTime", "Date", "Time", "Duration"}
	numericAs = []string{"Int", "Float", "BigInt", "Decimal"}
)

func isOrdered(c *page.Column, leaf string) bool {
	return slices.Contains(orderedAs, leaf) && slices.Contains(ordered, c.Base)
}

func isNumber(c *page.Column, leaf string) bool {
	return slices.Contains(numericAs, leaf) && slices.Contains(numbers, c.Base)
}

// AggregateType is the GraphQL type of a function over a field: that which
// @aggregate gives it too.
func AggregateType(fn page.Fn, f *InputField) string {
	float := strings.HasPrefix(f.Column.Base, "float")
	switch {
	case fn == page.Min || fn == page.Max:
		return f.Type
	case f.Column.Base == "numeric":
		return "Decimal"
	case fn == page.Avg || float:
		return "Float"
	default:
		return "BigInt"
	}
}

// aggregate adds the aggregate type of a connection.
func (w *writer) aggregate(t *Type, name string) {
	var b strings.Builder
	fmt.Fprintf(&b, "\n\"What a list of %s comes to. Without any value but nulls, all but count is null.\"\ntype %s {\n  count: Int!\n", t.Model.Name, name)
	bounds := w.inputs(t, "Bounds", isOrdered)
	t.Aggregates[page.Min], t.Aggregates[page.Max] = bounds, bounds
	t.Aggregates[page.Sum], t.Aggregates[page.Avg] = w.inputs(t, "Sum", isNumber), w.inputs(t, "Avg", isNumber)
	for _, fn := range []page.Fn{page.Min, page.Max, page.Sum, page.Avg} {
		in := t.Aggregates[fn]
		if len(in.Fields) == 0 {
			delete(t.Aggregates, fn)
			continue
		}
		fmt.Fprintf(&b, "  %s: %s!\n", fn, in.Name)
	}
	w.late = append(w.late, b.String()+"}\n")
	for _, fn := range []page.Fn{page.Max, page.Sum, page.Avg} {
		if in := t.Aggregates[fn]; in != nil {
			w.aggregateObject(fn, in)
		}
	}
}

// aggregateObject adds the type of what one function yields.
func (w *writer) aggregateObject(fn page.Fn, in *Input) {
	var b strings.Builder
	fmt.Fprintf(&b, "\ntype %s {\n", in.Name)
	for i := range in.Fields {
		f := &in.Fields[i]
		if f.Sub != nil {
			fmt.Fprintf(&b, "  %s: %s!\n", f.Name, f.Sub.Name)
			continue
		}
		w.use(AggregateType(fn, f))
		fmt.Fprintf(&b, "  %s: %s\n", f.Name, AggregateType(fn, f))
	}
	w.late = append(w.late, b.String()+"}\n")
	for i := range in.Fields {
		if in.Fields[i].Sub != nil {
			w.aggregateObject(fn, in.Fields[i].Sub)
		}
	}
}

// globalIDs adds interface Node.
func (w *writer) globalIDs(stored []*Type) error {
	for _, t := range stored {
		if t.Model.Field(NodeID) != nil {
			return fmt.Errorf("type %s has a field %s of its own: global ids cannot be served beside it", t.Model.Name, NodeID)
		}
	}
	for _, i := range w.model.Interfaces {
		if i.Field(NodeID) != nil {
			return fmt.Errorf("interface %s has a field %s of its own: global ids cannot be served beside it", i.Name, NodeID)
		}
	}
	w.schema.Node = w.types.take("Node")
	w.late = append(w.late, fmt.Sprintf(`
"What has an id that is unique among all types."
interface %s {
  "Opaque, and stable as long as the key is."
  %s: ID!
}
`, w.schema.Node, NodeID))
	return nil
}
