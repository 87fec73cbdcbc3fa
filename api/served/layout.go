package served

import (
	"fmt"
	"strings"

	"freshet/api/page"
	"freshet/model"
)

// Layout is the physical form of a read model: where its documents are, and
// which columns of the table can be filtered and sorted. It has the JSON form
// that freshet.models keeps.
type Layout struct {
	Type    string         `json:"type"`
	Schema  string         `json:"schema"`
	Table   string         `json:"table"`
	Key     LayoutColumn   `json:"key"`
	Columns []LayoutColumn `json:"columns"`
}

// LayoutColumn is a typed column of a tv_* table.
type LayoutColumn struct {
	Path   string `json:"path"` // the field, or the path into an embed
	Column string `json:"column"`
	SQL    string `json:"sql"`
	Base   string `json:"base"`
}

// table joins a type of the model with its layout.
func table(t *model.Type, l Layout) (*page.Table, error) {
	key := t.KeyField()
	if key == nil {
		return nil, fmt.Errorf("type %s is stored but has no key field", t.Name)
	}
	tb := &page.Table{Type: t.Name, Schema: l.Schema, Name: l.Table}
	tb.Key = &page.Column{Path: key.Name, Name: l.Key.Column, Type: l.Key.SQL, Base: l.Key.Base, NotNull: true}
	for _, c := range l.Columns {
		fields := resolve(t, c.Path)
		if fields == nil {
			return nil, fmt.Errorf("the table of %s has a column for %q, which the model file does not have: run freshet migrate", t.Name, c.Path)
		}
		notNull := true
		for _, f := range fields {
			notNull = notNull && f.Type.NonNull
		}
		tb.Columns = append(tb.Columns, &page.Column{Path: c.Path, Name: c.Column, Type: c.SQL, Base: c.Base, NotNull: notNull})
	}
	tb.Indexes = indexes(t, tb)
	return tb, nil
}

// resolve returns the fields along a path of a type, or nil.
func resolve(t *model.Type, path string) []*model.Field {
	var fields []*model.Field
	for _, name := range strings.Split(path, ".") {
		if t == nil {
			return nil
		}
		f := t.Field(name)
		if f == nil {
			return nil
		}
		fields = append(fields, f)
		t = nil
		if f.Relation != nil {
			t = f.Relation.Target
		}
	}
	return fields
}

// indexes returns the columns of the B-trees that the model asks for, as far
// as the table has them.
func indexes(t *model.Type, tb *page.Table) [][]*page.Column {
	var out [][]*page.Column
	for _, index := range t.Indexes {
		var columns []*page.Column
		for _, p := range index.Fields {
			c := column(tb, p.String())
			if c == nil {
				break
			}
			columns = append(columns, c)
		}
		if len(columns) > 0 {
			out = append(out, columns)
		}
	}
	return out
}

// column returns the table's column for a path, the key included, or nil.
func column(tb *page.Table, path string) *page.Column {
	if tb.Key.Path == path {
		return tb.Key
	}
	for _, c := range tb.Columns {
		if c.Path == path {
			return c
		}
	}
	return nil
}
