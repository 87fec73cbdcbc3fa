package draft

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
)

// writer counts lines.
type writer struct {
	b    strings.Builder
	line int
}

// put writes a line and returns its number.
func (w *writer) put(format string, args ...any) int {
	text := fmt.Sprintf(format, args...)
	w.b.WriteString(text + "\n")
	w.line += strings.Count(text, "\n") + 1
	return w.line
}

// render writes the file, and notes what is on which line.
func (f *file) render() string {
	w := &writer{}
	f.lines = map[int]any{}
	f.head(w)
	for _, e := range f.enums {
		w.put("\nenum %s {", e.name)
		for _, l := range e.labels {
			w.put("  %s", l)
		}
		w.put("}")
	}
	for _, t := range f.types {
		if t.dropped == "" {
			w.put("")
			f.typ(w, t)
		}
	}
	f.tail(w)
	return w.b.String()
}

func (f *file) head(w *writer) {
	w.put("# A first model of database %s, written by freshet init from its tables and", oneLine(f.database))
	w.put("# foreign keys. It is yours to change:")
	w.put("#")
	w.put("#  - Take out types and fields that nobody asks for, and look for what should not be served.")
	w.put("#  - @embed is what of another row is copied into a document. It is read in one lookup, and")
	w.put("#    costs a rebuild when it changes. The rest is fetched by key when it is asked for.")
	w.put("#  - @index on a field makes it possible to filter and sort by it.")
	w.put("#")
	w.put("# Then: freshet check --model FILE, and freshet run --migrate --model FILE.")
	w.put("# The directives are in docs/model.md; freshet schema --directives prints them for editors.")
}

func (f *file) tail(w *writer) {
	notes := f.notes
	for _, t := range f.types {
		if t.dropped != "" {
			notes = append(notes[:len(notes):len(notes)], t.dropped)
		}
	}
	if len(notes) == 0 {
		return
	}
	w.put("")
	for _, n := range notes {
		w.put("# %s", oneLine(n))
	}
}

func (f *file) typ(w *writer, t *typ) {
	rows := "never analyzed"
	if t.table.Rows >= 0 {
		rows = "about " + humanize.Comma(t.table.Rows) + " rows"
	}
	w.put("# %s, %s.", oneLine(t.table.Name.String()), rows)
	if !t.stored() {
		w.put("# It has no key of one column: it lives in the documents of others only.")
	}
	if t.table.comment != "" {
		w.put("%s", quote(oneLine(t.table.comment)))
	}
	f.lines[w.put("type %s @table(%s) {", t.name, t.arguments())] = t
	for _, one := range t.fields {
		f.field(w, one)
	}
	w.put("}")
}

// sdlName is the table's name as the model file writes it.
func (t *table) sdlName() string {
	if t.onPath && !strings.Contains(t.Name.Name, ".") {
		return t.Name.Name
	}
	return t.Name.Schema + "." + t.Name.Name
}

// arguments are those of @table.
func (t *typ) arguments() string {
	args := "name: " + quote(t.table.Name.Name)
	if !t.table.onPath {
		args += ", schema: " + quote(t.table.Name.Schema)
	}
	switch {
	case !t.stored():
		args += ", stored: false"
	case !t.primary:
		args += ", key: " + quote(t.key)
	}
	return args
}

func (f *file) field(w *writer, one *field) {
	if one.comment != "" && one.stage != remark {
		w.put("  %s", quote(oneLine(one.comment)))
	}
	text := one.name + ": " + one.ref
	for _, d := range one.needed {
		text += " " + d
	}
	if one.stage != bare {
		for _, d := range one.comfort {
			text += " " + d
		}
	}
	if one.stage == remark {
		w.put("  # %s    # left out: %s", text, oneLine(one.why))
		return
	}
	f.lines[w.put("  %s", text)] = one
}

// columnList is a foreign key's columns as an argument.
func columnList(columns []string) string {
	if len(columns) == 1 {
		return quote(columns[0])
	}
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = quote(c)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// quote writes a GraphQL string: JSON's are a part of these.
func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always can be
	return strings.TrimSuffix(b.String(), "\n")
}

// oneLine keeps a comment on its line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
