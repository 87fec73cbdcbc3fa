package migrate

import (
	"cmp"
	"reflect"
	"slices"

	"freshet/projector/catalog"
	"freshet/projector/compile"
)

// sourceShape is what freshet.models keeps of a source table: the columns that
// a read model was compiled from. A column whose type changed was rewritten
// without a word in the WAL.
type sourceShape struct {
	Schema  string        `json:"schema"`
	Table   string        `json:"table"`
	Columns []columnShape `json:"columns"`
}

// columnShape is a column and its type.
type columnShape struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// sourcesOf returns the shapes of all tables that a read model reads, sorted.
func sourcesOf(cp *compile.Plan, rm *compile.ReadModel) []sourceShape {
	shapes := []sourceShape{}
	for _, src := range cp.Sources {
		if columns, ok := readsFor(src, rm); ok {
			shapes = append(shapes, shapeOf(src.Table, columns))
		}
	}
	slices.SortFunc(shapes, func(a, b sourceShape) int {
		return cmp.Or(cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Table, b.Table))
	})
	return shapes
}

// readsFor returns the columns of the source that the read model depends on,
// and whether it depends on it at all.
func readsFor(src *compile.Source, rm *compile.ReadModel) ([]string, bool) {
	var columns []string
	found := src == rm.Root
	for _, p := range src.Paths {
		if p.Model == rm {
			found = true
			columns = append(columns, p.Reads...)
			columns = append(columns, p.Start...)
		}
	}
	slices.Sort(columns)
	return slices.Compact(columns), found
}

// shapeOf describes some columns of a table as the catalog has them; a column
// that is gone has no type.
func shapeOf(t *catalog.Table, columns []string) sourceShape {
	shape := sourceShape{Schema: t.Name.Schema, Table: t.Name.Name, Columns: []columnShape{}}
	for _, name := range columns {
		c := columnShape{Name: name}
		if col := t.Column(name); col != nil {
			c.Type = col.Type.SQL
		}
		shape.Columns = append(shape.Columns, c)
	}
	return shape
}

// sameSources says whether two models read the same columns of the same types.
func sameSources(a, b []sourceShape) bool { return reflect.DeepEqual(a, b) }
