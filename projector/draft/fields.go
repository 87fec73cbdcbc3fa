package draft

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"freshet/model"
	"freshet/projector/catalog"
)

// drafter makes fields.
type drafter struct {
	*file
	byTable   map[catalog.Name]*typ
	typeNames taken
	enums     map[string]string // the GraphQL name by the Postgres enum
}

// scalars are the GraphQL types of Postgres' own; any other is a String.
var scalars = map[string]string{
	"uuid": "UUID", "int2": "Int", "int4": "Int", "int8": "BigInt", "float4": "Float", "float8": "Float",
	"numeric": "Decimal", "bool": "Boolean", "timestamptz": "DateTime", "timestamp": "LocalDateTime",
	"date": "Date", "time": "Time", "timetz": "Time", "interval": "Duration", "json": "JSON", "jsonb": "JSON", "bytea": "Bytes",
}

// columns drafts the fields of columns: all but those that are nothing but a
// foreign key to a type, which becomes a relation.
func (d *drafter) columns(t *typ) {
	for _, c := range t.table.Columns {
		if c.Name != t.key && d.isReference(t, c) && !t.table.unique([]string{c.Name}) {
			continue
		}
		d.column(t, c)
	}
}

// isReference says whether the column is a foreign key of its own to a type
// that can be linked to.
func (d *drafter) isReference(t *typ, c *catalog.Column) bool {
	return slices.ContainsFunc(t.table.ForeignKeys, func(fk *catalog.ForeignKey) bool {
		return len(fk.Columns) == 1 && fk.Columns[0] == c.Name && d.linkable(fk)
	})
}

func (d *drafter) linkable(fk *catalog.ForeignKey) bool {
	target := d.byTable[fk.Target]
	return target != nil && target.stored()
}

func (d *drafter) column(t *typ, c *catalog.Column) {
	f := &field{column: c.Name, comment: t.table.comments[c.Name]}
	f.name = t.names.free(d.columnName(t, c.Name), camel(words(c.Name)))
	f.ref = d.scalar(t, c)
	if model.SnakeCase(f.name) != c.Name {
		f.needed = append(f.needed, fmt.Sprintf("@column(name: %s)", quote(c.Name)))
	}
	switch {
	case c.Name == t.key || !t.stored() || c.Type.Array:
	case t.table.unique([]string{c.Name}) && d.sortable(f):
		f.comfort = append(f.comfort, "@unique")
	case isTime(f.ref) && t.recent(c.Name):
		f.comfort = append(f.comfort, "@index")
	}
	if c.Name != t.key && secret(c.Name) {
		f.stage, f.why = remark, "it looks like a secret, which should not be served"
	}
	t.fields = append(t.fields, f)
}

// columnName is id for the key.
func (d *drafter) columnName(t *typ, column string) string {
	if column == t.key && (column == "id" || t.table.Column("id") == nil) {
		return "id"
	}
	return camel(words(column))
}

// scalar is the GraphQL type of a column.
func (d *drafter) scalar(t *typ, c *catalog.Column) string {
	name := scalars[c.Type.Base]
	switch {
	case c.Name == t.key:
		return "ID!"
	case name == "" && c.Type.Category == 'E':
		name = d.enum(c.Type)
	}
	if name == "" {
		name = "String"
	}
	if c.Type.Array {
		name = "[" + name + "]"
	}
	if c.NotNull || c.Type.DomainNotNull {
		name += "!"
	}
	return name
}

// label is what an enum's value may be called in GraphQL.
var label = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$|^_[A-Za-z0-9][A-Za-z0-9_]*$`)

// enum is the GraphQL enum of a Postgres one, "" where its labels are no names.
func (d *drafter) enum(t catalog.Type) string {
	if name, ok := d.enums[t.Base]; ok {
		return name
	}
	name := ""
	if !slices.ContainsFunc(t.Labels, func(l string) bool {
		return !label.MatchString(l) || l == "true" || l == "false" || l == "null"
	}) && len(t.Labels) > 0 {
		base := t.Base[strings.LastIndex(t.Base, ".")+1:]
		name = d.typeNames.typeName(words(base), "enum")
		d.file.enums = append(d.file.enums, &enum{name: name, labels: t.Labels})
	}
	d.enums[t.Base] = name
	return name
}

// sortable says whether a field's values have an order.
func (d *drafter) sortable(f *field) bool {
	return !strings.HasPrefix(f.ref, "[") && !slices.Contains([]string{"JSON", "Bytes"}, strings.TrimSuffix(f.ref, "!")) && f.target == nil
}

func isTime(ref string) bool {
	return slices.Contains([]string{"DateTime", "LocalDateTime", "Date"}, strings.TrimSuffix(ref, "!"))
}

// recentWords are of times by which people look for the newest.
var recentWords = []string{"created", "inserted", "published", "added", "placed", "ordered", "posted", "sent", "occurred", "logged"}

// recent says whether a time is one of these, or the date of the row itself:
// order_date of orders.
func (t *typ) recent(column string) bool {
	w := words(column)
	if slices.ContainsFunc(recentWords, func(s string) bool { return slices.Contains(w, s) }) {
		return true
	}
	return slices.Contains(w, "date") && !slices.ContainsFunc(w, func(s string) bool { return s != "date" && !slices.Contains(t.words, s) })
}

// up drafts the relations along the type's own foreign keys.
func (d *drafter) up(t *typ) {
	for _, fk := range t.table.ForeignKeys {
		target := d.byTable[fk.Target]
		if !d.linkable(fk) {
			continue
		}
		f := &field{target: target, ref: target.name}
		f.name = t.names.free(d.upName(fk, target), camel(target.words), camel(target.words)+"Ref")
		if t.table.notNull(fk.Columns) && fk.Validated {
			f.ref += "!"
		}
		f.needed = []string{fmt.Sprintf("@belongsTo(foreignKey: %s)", columnList(fk.Columns))}
		f.comfort = d.embed(target, "")
		t.fields = append(t.fields, f)
	}
}

func (d *drafter) upName(fk *catalog.ForeignKey, target *typ) string {
	if len(fk.Columns) == 1 {
		return camel(referenceWords(fk.Columns[0]))
	}
	return camel(target.words)
}

// down drafts the inverse of all foreign keys to the type.
func (d *drafter) down(t *typ) {
	if !t.stored() {
		return
	}
	for _, child := range d.types {
		for _, fk := range child.table.ForeignKeys {
			if fk.Target == t.table.Name {
				d.inverse(t, child, fk)
			}
		}
	}
}

func (d *drafter) inverse(t, child *typ, fk *catalog.ForeignKey) {
	f := &field{target: child}
	by := "By" + pascal(referenceWords(fk.Columns[0]))
	if child.table.unique(fk.Columns) {
		f.name = t.names.free(camel(child.words), camel(child.words)+by)
		f.ref = child.name
		f.needed = []string{fmt.Sprintf("@hasOne(foreignKey: %s)", columnList(fk.Columns))}
		f.comfort = d.embed(child, "")
		t.fields = append(t.fields, f)
		return
	}
	name := camel(pluralWords(child.words))
	f.name = t.names.free(name, name+by)
	f.ref = "[" + child.name + "!]!"
	order := d.order(child)
	args := fmt.Sprintf("foreignKey: %s", columnList(fk.Columns))
	if order != nil {
		args += fmt.Sprintf(", orderBy: {%s: %s}, limit: 20", order.name, direction(order))
	}
	f.needed = []string{"@hasMany(" + args + ")"}
	if order != nil {
		f.comfort = d.embed(child, order.name)
	}
	t.fields = append(t.fields, f)
	if child.stored() {
		t.fields = append(t.fields, &field{name: t.names.free(camel(child.words)+"Count", f.name+"Count"), ref: "Int!", target: child,
			needed: []string{fmt.Sprintf("@aggregate(fn: COUNT, of: %s)", quote(f.name))}})
	}
}

// order is the field that a list of the type is ordered by, or nil: the newest
// first where there is a time, else by the name, else by the key.
func (d *drafter) order(t *typ) *field {
	var best *field
	rank := func(f *field) int {
		switch {
		case f == nil || f.column == "" || f.stage == remark || !d.sortable(f):
			return 0
		case isTime(f.ref) && t.recent(f.column) && strings.HasSuffix(f.ref, "!"):
			return 5
		case isTime(f.ref) && t.recent(f.column):
			return 4
		case f.name == t.label():
			return 3
		case f.column == t.key:
			return 2
		}
		return 1
	}
	for _, f := range t.fields {
		if rank(f) > rank(best) {
			best = f
		}
	}
	if rank(best) == 0 {
		return nil
	}
	return best
}

func direction(f *field) string {
	if isTime(f.ref) {
		return "DESC"
	}
	return "ASC"
}

// labels are the names of columns that people know a row by.
var labels = []string{"name", "username", "display_name", "full_name", "company_name", "last_name", "title", "label", "subject", "slug"}

// label is the field that people know a row of the type by, or "".
func (t *typ) label() string {
	own := strings.Join(t.words, "_")
	for _, want := range append(slices.Clone(labels), own+"_name", own+"_title", own+"_description") {
		for _, f := range t.fields {
			if f.column == want && f.stage != remark && strings.TrimSuffix(f.ref, "!") == "String" {
				return f.name
			}
		}
	}
	return ""
}

// embed copies key, label and order of a stored target. A type that is not
// stored is there whole.
func (d *drafter) embed(target *typ, order string) []string {
	if !target.stored() {
		return nil
	}
	var names []string
	for _, f := range target.fields {
		if f.column == target.key || f.name == target.label() || f.name == order {
			names = append(names, f.name)
		}
	}
	if len(names) < 2 {
		return nil
	}
	return []string{fmt.Sprintf("@embed(fields: %s)", quote(strings.Join(names, " ")))}
}

// join drafts both directions of a join table.
func (d *drafter) join(t *table) {
	a, b := t.ForeignKeys[0], t.ForeignKeys[1]
	d.joinOne(t, a, b)
	d.joinOne(t, b, a)
}

func (d *drafter) joinOne(t *table, from, to *catalog.ForeignKey) {
	own, target := d.byTable[from.Target], d.byTable[to.Target]
	f := &field{target: target, ref: "[" + target.name + "!]!"}
	name := camel(pluralWords(target.words))
	if own == target && len(to.Columns) == 1 {
		name = camel(pluralWords(referenceWords(to.Columns[0])))
	}
	f.name = own.names.free(name, name+"By"+pascal(tableWords(t.Name.Name)))
	args := fmt.Sprintf("through: %s, foreignKey: %s, targetKey: %s", quote(t.sdlName()), columnList(from.Columns), columnList(to.Columns))
	if order := d.order(target); order != nil {
		args += fmt.Sprintf(", orderBy: {%s: %s}, limit: 50", order.name, direction(order))
		f.comfort = d.embed(target, order.name)
	}
	f.needed = []string{"@manyToMany(" + args + ")"}
	own.fields = append(own.fields, f)
}
