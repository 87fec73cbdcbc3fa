package served

import (
	"encoding/json"
	"fmt"
	"strings"

	"freshet/model"
)

// writer writes the served schema as SDL, and on the way names and binds what
// it writes.
type writer struct {
	strings.Builder
	schema  *Schema
	model   *model.Model
	types   names // of types
	roots   names // of the fields of Query
	scalars map[string]bool
	filters map[string]string // the filter input of each leaf type
	late    []string          // definitions that go behind the types
}

func newWriter(s *Schema, m *model.Model) *writer {
	w := &writer{schema: s, model: m, types: names{}, roots: names{}, scalars: map[string]bool{}, filters: map[string]string{}}
	for _, n := range []string{"Query", "Mutation", "Subscription", "PageInfo", "OrderDirection", "ID", "String", "Int", "Float", "Boolean"} {
		w.types[n] = true
	}
	for _, n := range model.CustomScalars() {
		w.types[n] = true
	}
	for _, t := range m.Types {
		w.types[t.Name] = true
	}
	for _, e := range m.Enums {
		w.types[e.Name] = true
	}
	for _, i := range m.Interfaces {
		w.types[i.Name] = true
	}
	for _, u := range m.Unions {
		w.types[u.Name] = true
	}
	return w
}

// write writes the whole schema.
func (w *writer) write(stored []*Type) {
	w.query(stored)
	w.abstract()
	for _, t := range w.model.Types {
		w.object(t)
	}
	for _, e := range w.model.Enums {
		w.enum(e)
	}
	for _, def := range w.late {
		w.WriteString(def)
	}
	w.WriteString(pageInfo)
	w.WriteString(orderDirection)
	w.customScalars()
}

const pageInfo = `
"Where a page stands in its list."
type PageInfo {
  hasNextPage: Boolean!
  hasPreviousPage: Boolean!
  startCursor: String
  endCursor: String
}
`

const orderDirection = `
"A direction to sort in. Nulls come last in ASC and first in DESC, if not said otherwise."
enum OrderDirection {
  ASC
  DESC
  ASC_NULLS_FIRST
  ASC_NULLS_LAST
  DESC_NULLS_FIRST
  DESC_NULLS_LAST
}
`

// object writes an object type of the model.
func (w *writer) object(t *model.Type) {
	w.WriteString("\n")
	w.description("", t.Description)
	w.heading("type", t.Name, t.Interfaces, t.Stored)
	for _, f := range t.Fields {
		w.use(f.Type.Name)
		w.description("  ", f.Description)
		fmt.Fprintf(w, "  %s: %s%s\n", f.Name, f.Type, deprecated(f.Deprecated))
	}
	w.WriteString("}\n")
}

func (w *writer) enum(e *model.Enum) {
	w.WriteString("\n")
	w.description("", e.Description)
	fmt.Fprintf(w, "enum %s {\n", e.Name)
	for _, v := range e.Values {
		w.description("  ", v.Description)
		fmt.Fprintf(w, "  %s%s\n", v.Name, deprecated(v.Deprecated))
	}
	w.WriteString("}\n")
}

// use notes that a type is referred to, if it is a custom scalar.
func (w *writer) use(name string) { w.scalars[name] = true }

// specified says where the format of a scalar is laid down.
var specified = map[string]string{
	"DateTime": "https://datatracker.ietf.org/doc/html/rfc3339",
	"Date":     "https://datatracker.ietf.org/doc/html/rfc3339",
	"Duration": "https://www.iso.org/iso-8601-date-and-time-format.html",
	"JSON":     "https://datatracker.ietf.org/doc/html/rfc8259",
	"Bytes":    "https://datatracker.ietf.org/doc/html/rfc4648#section-4",
	"UUID":     "https://datatracker.ietf.org/doc/html/rfc9562",
}

var scalarDescriptions = map[string]string{
	"BigInt":        "A 64-bit integer, as a string.",
	"Decimal":       "An exact decimal number, as a string.",
	"DateTime":      "An instant in UTC, such as 2024-01-02T03:04:05.123456+00:00.",
	"LocalDateTime": "A date and time without an offset, such as 2024-01-02T03:04:05.",
	"Date":          "A date, such as 2024-01-02.",
	"Time":          "A time of day, such as 03:04:05.",
	"Duration":      "A duration in ISO 8601, such as P1DT2H.",
	"JSON":          "Any JSON value.",
	"Bytes":         "Bytes in base64.",
	"UUID":          "A UUID.",
}

func (w *writer) customScalars() {
	for _, name := range model.CustomScalars() {
		if !w.scalars[name] {
			continue
		}
		w.WriteString("\n")
		w.description("", scalarDescriptions[name])
		w.WriteString("scalar " + name)
		if url := specified[name]; url != "" {
			fmt.Fprintf(w, " @specifiedBy(url: %s)", quote(url))
		}
		w.WriteString("\n")
	}
}

// description writes a description, if there is one.
func (w *writer) description(indent, text string) {
	if text == "" {
		return
	}
	if !strings.ContainsAny(text, "\n\"\\") {
		w.WriteString(indent + `"` + text + "\"\n")
		return
	}
	w.WriteString(indent + `"""` + "\n")
	for _, line := range strings.Split(strings.ReplaceAll(text, `"""`, `\"""`), "\n") {
		w.WriteString(strings.TrimRight(indent+line, " \t") + "\n")
	}
	w.WriteString(indent + `"""` + "\n")
}

func deprecated(reason *string) string {
	if reason == nil {
		return ""
	}
	return " @deprecated(reason: " + quote(*reason) + ")"
}

// quote writes a GraphQL string: what JSON escapes, GraphQL understands.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic("a string always has a JSON form: " + err.Error())
	}
	return string(b)
}
