package oracle

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"freshet/model"
)

// compareCells orders two values that are not NULL as Postgres orders them
// under the C collation.
func compareCells(t sqlType, a, b string) int {
	switch {
	case t.labels != nil:
		return cmp.Compare(t.labels[a], t.labels[b])
	case t.base == "int2", t.base == "int4", t.base == "int8", t.base == "numeric":
		return compareNumeric(a, b)
	case t.base == "float4", t.base == "float8":
		return compareFloat(a, b)
	default: // texts; dates, times, uuid and bytea, whose texts are in order
		return strings.Compare(a, b)
	}
}

// compareNumeric orders decimals; NaN comes last.
func compareNumeric(a, b string) int {
	x, okx := new(big.Rat).SetString(a)
	y, oky := new(big.Rat).SetString(b)
	switch {
	case okx && oky:
		return x.Cmp(y)
	case okx:
		return -1
	case oky:
		return 1
	}
	return 0
}

func compareFloat(a, b string) int {
	x, _ := strconv.ParseFloat(a, 64)
	y, _ := strconv.ParseFloat(b, 64)
	switch {
	case x != x && y != y:
		return 0
	case x != x:
		return 1
	case y != y:
		return -1
	}
	return cmp.Compare(x, y)
}

// compareNullable puts NULLs last in ascending and first in descending order.
func compareNullable(t sqlType, a, b cell, desc bool) int {
	c := 0
	switch {
	case a.null() && b.null():
		return 0
	case a.null():
		c = 1
	case b.null():
		c = -1
	default:
		c = compareCells(t, *a.text, *b.text)
	}
	if desc {
		return -c
	}
	return c
}

// field returns the value and type of a column or computed field.
func (r *row) field(f *model.Field) (cell, sqlType) {
	if f.Kind == model.Computed {
		return r.expr(f.SQL), r.src.exprTypes[r.src.exprs[f.SQL]]
	}
	return r.col(f.Column), r.src.table.columns[r.src.table.index[f.Column]].typ
}

// keyColumns are the columns that identify the rows of a type.
func (w *world) keyColumns(t *model.Type) []string {
	if t.Key != "" {
		return []string{t.Key}
	}
	return w.types[t].table.primary
}

// sorted returns the rows of a relation in the document's order: by its
// orderBy, then by the target's key.
func (w *world) sorted(rows []*row, rel *model.Relation) []*row {
	rows = slices.Clone(rows)
	key := w.keyColumns(rel.Target)
	slices.SortStableFunc(rows, func(a, b *row) int {
		for _, o := range rel.OrderBy {
			x, t := a.field(o.Field)
			y, _ := b.field(o.Field)
			if c := compareNullable(t, x, y, o.Descending); c != 0 {
				return c
			}
		}
		return compareKeys(a, b, key)
	})
	return rows
}

func compareKeys(a, b *row, key []string) int {
	for _, k := range key {
		t := a.src.table.columns[a.src.table.index[k]].typ
		if c := compareNullable(t, a.col(k), b.col(k), false); c != 0 {
			return c
		}
	}
	return 0
}

// must stops on what the model's parser should have refused.
func must(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf("oracle: "+format, args...)
}
