package served

import (
	"fmt"
	"strings"

	"freshet/api/page"
)

// filter adds the where input of a type.
func (w *writer) filter(t *Type) *Input {
	in := w.inputs(t, "Filter", everyColumn)
	taken := names{}
	for _, f := range in.Fields {
		taken[f.Name] = true
	}
	in.And, in.Or, in.Not = taken.take("and", "_and"), taken.take("or", "_or"), taken.take("not", "_not")
	var extra strings.Builder
	fmt.Fprintf(&extra, "  %s: [%s!]\n  %s: [%s!]\n  %s: %s\n", in.And, in.Name, in.Or, in.Name, in.Not, in.Name)
	w.filterInput(in, fmt.Sprintf("Which %s: all that is given must hold. Only what has an index can be asked for.", t.Model.Name), extra.String())
	return in
}

func everyColumn(*page.Column, string) bool { return true }

// filterInput adds the definition of a where input and of those below it.
func (w *writer) filterInput(in *Input, description, extra string) {
	var b strings.Builder
	if description != "" {
		fmt.Fprintf(&b, "\n%s", quote(description))
	}
	fmt.Fprintf(&b, "\ninput %s {\n", in.Name)
	for _, f := range in.Fields {
		name := ""
		if f.Sub != nil {
			name = f.Sub.Name
		} else {
			name = w.operators(f.Type)
		}
		fmt.Fprintf(&b, "  %s: %s\n", f.Name, name)
	}
	b.WriteString(extra + "}\n")
	w.late = append(w.late, b.String())
	for _, f := range in.Fields {
		if f.Sub != nil {
			w.filterInput(f.Sub, "", "")
		}
	}
}

// operators returns the name of the input with the operators of a leaf type,
// and adds it when it is first asked for.
func (w *writer) operators(leaf string) string {
	if name, ok := w.filters[leaf]; ok {
		return name
	}
	w.use(leaf)
	name := w.types.take(leaf + "Filter")
	w.filters[leaf] = name
	var b strings.Builder
	fmt.Fprintf(&b, "\n\"Comparisons with values of type %s. Of null all are false but isNull; ne and nin are the exact opposites of eq and in.\"\ninput %s {\n", leaf, name)
	for _, op := range OperatorsOf(leaf) {
		fmt.Fprintf(&b, "  %s: %s\n", op, operandType(op, leaf))
	}
	b.WriteString("}\n")
	w.late = append(w.late, b.String())
	return name
}

// OperatorsOf returns the operators that the values of a leaf type have, in the
// order of the schema.
func OperatorsOf(leaf string) []string {
	switch leaf {
	case "Boolean":
		return []string{"eq", "ne", "isNull"}
	case "ID", "UUID", "Bytes":
		return []string{"eq", "ne", "in", "nin", "isNull"}
	case "String":
		return []string{"eq", "ne", "in", "nin", "lt", "lte", "gt", "gte", "like", "ilike", "startsWith", "contains", "isNull"}
	case "Int", "Float", "BigInt", "Decimal", "DateTime", "LocalDateTime", "Date", "Time", "Duration":
		return []string{"eq", "ne", "in", "nin", "lt", "lte", "gt", "gte", "isNull"}
	default: // enums
		return []string{"eq", "ne", "in", "nin", "isNull"}
	}
}

func operandType(op, leaf string) string {
	switch op {
	case "in", "nin":
		return "[" + leaf + "!]"
	case "isNull":
		return "Boolean"
	default:
		return leaf
	}
}

// order adds the orderBy input of a type.
func (w *writer) order(t *Type) *Input {
	in := w.inputs(t, "Order", everyColumn)
	w.orderInput(in, fmt.Sprintf("One term of an order of %s: exactly one field. The first term must be one that an index yields.", t.Model.Name))
	return in
}

func (w *writer) orderInput(in *Input, description string) {
	var b strings.Builder
	if description != "" {
		fmt.Fprintf(&b, "\n%s", quote(description))
	}
	fmt.Fprintf(&b, "\ninput %s {\n", in.Name)
	for _, f := range in.Fields {
		name := "OrderDirection"
		if f.Sub != nil {
			name = f.Sub.Name
		}
		fmt.Fprintf(&b, "  %s: %s\n", f.Name, name)
	}
	b.WriteString("}\n")
	w.late = append(w.late, b.String())
	for _, f := range in.Fields {
		if f.Sub != nil {
			w.orderInput(f.Sub, "")
		}
	}
}
