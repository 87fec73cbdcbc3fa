package draft

import (
	"fmt"
	"slices"
	"strings"

	"freshet/model"
	"freshet/projector/catalog"
)

// file is a model file in the making.
type file struct {
	database string
	types    []*typ
	enums    []*enum
	notes    []string    // of tables that are left out
	lines    map[int]any // *typ or *field by line, of the last render
}

// typ is one type.
type typ struct {
	table   *table
	name    string
	words   []string // of its name, in the singular
	key     string   // the key's column; "" for one that is not stored
	primary bool     // key is the primary key
	fields  []*field
	names   taken
	dropped string // why it is left out
}

func (t *typ) stored() bool { return t.key != "" }

// stage is how much of a field is left.
type stage int

const (
	whole  stage = iota
	bare         // without what is for comfort: @unique, @index, @embed
	remark       // a comment
)

// field is one field.
type field struct {
	name, ref string // ref is its type, with !
	column    string // of a column field
	comment   string
	needed    []string // directives that it cannot be without
	comfort   []string
	stage     stage
	why       string // it is a remark
	target    *typ
}

// enum is a Postgres enum as a GraphQL one.
type enum struct {
	name   string
	labels []string
}

// newFile drafts types, fields and relations.
func newFile(in *found) *file {
	f := &file{database: in.database}
	names, byTable := typeNames(), map[catalog.Name]*typ{}
	var joins []*table
	for _, t := range in.tables {
		if t.joins() {
			joins = append(joins, t)
			continue
		}
		one := &typ{table: t, words: tableWords(t.Name.Name), names: taken{}}
		one.key, one.primary = t.key()
		one.name = names.typeName(one.words, t.Name.Schema)
		f.types = append(f.types, one)
		byTable[t.Name] = one
	}
	joins = slices.DeleteFunc(joins, func(t *table) bool { return f.unjoin(t, names, byTable) })
	d := drafter{file: f, byTable: byTable, typeNames: names, enums: map[string]string{}}
	for _, t := range f.types {
		d.columns(t)
	}
	for _, t := range f.types {
		d.up(t)
	}
	for _, t := range f.types {
		d.down(t)
	}
	for _, t := range joins {
		d.join(t)
	}
	f.leaveOut()
	return f
}

// unjoin makes a join table a type of its own where one of its ends is none
// that could be stored.
func (f *file) unjoin(t *table, names taken, byTable map[catalog.Name]*typ) bool {
	for _, fk := range t.ForeignKeys {
		if end := byTable[fk.Target]; end == nil || !end.stored() {
			f.notes = append(f.notes, fmt.Sprintf("%s joins tables of which one has no key of one column: it is left out.", t.Name))
			return true
		}
	}
	return false
}

// leaveOut drops types that no document would hold.
func (f *file) leaveOut() {
	for _, t := range f.types {
		if !t.stored() && !f.referred(t) {
			t.dropped = fmt.Sprintf("%s has no key of one column, and no foreign key to a table that has: it is left out. A unique not-null column would do: @table(key: …).", t.table.Name)
		}
	}
}

// referred says whether a stored type has a field of the type.
func (f *file) referred(t *typ) bool {
	for _, other := range f.types {
		for _, field := range other.fields {
			if field.target == t && field.stage != remark && other.dropped == "" && other.stored() {
				return true
			}
		}
	}
	return false
}

func (f *file) count() int {
	n := 0
	for _, t := range f.types {
		if t.dropped == "" {
			n++
		}
	}
	return n
}

// mend takes out what is at fault, a little more each time. It returns false
// when nothing of the file is.
func (f *file) mend(faults model.Diagnostics) bool {
	mended := false
	for _, d := range faults {
		if d.Severity != model.Error {
			continue
		}
		switch at := f.lines[d.Pos.Line].(type) {
		case *field:
			if at.stage == whole && len(at.comfort) > 0 {
				at.stage = bare
			} else {
				at.stage, at.why = remark, d.Message
			}
			mended = true
		case *typ:
			f.drop(at, d.Message)
			mended = true
		}
	}
	f.leaveOut()
	return mended
}

// drop leaves a type out, with all fields of it.
func (f *file) drop(t *typ, why string) {
	t.dropped = fmt.Sprintf("%s is left out: %s.", t.table.Name, strings.TrimSuffix(why, "."))
	for _, other := range f.types {
		for _, field := range other.fields {
			if field.target == t {
				field.stage, field.why = remark, t.name+" is left out"
			}
		}
	}
}
