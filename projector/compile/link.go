package compile

import (
	"fmt"
	"slices"
	"strings"

	"freshet/model"
	"freshet/projector/catalog"
)

// link ties the rows of one table, the child, to those of another, the parent:
// they belong together where the columns are pairwise equal. The parent is the
// table nearer to the document's root, whichever side holds the foreign key.
type link struct {
	parent, child         *catalog.Table
	parentCols, childCols []string
	// parentHolds says that the foreign key is the parent's: a belongs-to step.
	parentHolds bool
	// fk is the constraint behind the link, or nil.
	fk *catalog.ForeignKey
}

// enforced says whether Postgres makes sure that what the foreign key points
// to exists, for all rows.
func (l *link) enforced() bool { return l.fk != nil && l.fk.Validated }

// reference is a foreign key with its two sides in step.
type reference struct {
	columns, target []string
	fk              *catalog.ForeignKey
}

// asked is how the model file names a foreign key.
type asked struct {
	holder  *catalog.Table
	columns []string // empty: find the only one
	target  *object
	except  []string // where columns is empty: the foreign key that it is not
	// shared: the columns point to other tables, too, so that no constraint can
	// be behind them.
	shared bool
	pos    model.Pos
	// directive and argument are where the file names it, for remedies.
	directive, argument string
}

// refer finds the foreign key that is asked for, or returns nil after
// reporting why there is none.
func (k *compiler) refer(a asked) *reference {
	if len(a.columns) == 0 {
		return k.onlyReference(a)
	}
	ok := true
	for _, name := range a.columns {
		ok = k.linkColumn(a, name) && ok
	}
	if !ok {
		return nil
	}
	for _, fk := range preferred(a) {
		if sameSet(fk.Columns, a.columns) {
			return inStep(fk, a.columns)
		}
	}
	return k.unconstrained(a)
}

// linkColumn says whether the column can be part of a foreign key.
func (k *compiler) linkColumn(a asked, name string) bool {
	if a.holder.Column(name) != nil {
		return true
	}
	var remedy string
	if near := nearest(name, columnNames(a.holder)); near != "" {
		remedy = fmt.Sprintf("Did you mean %s?", near)
	} else if fks := preferred(a); len(fks) > 0 {
		remedy = fmt.Sprintf("Write @%s(%s: %s).", a.directive, a.argument, alternatives(fks))
	} else {
		remedy = "Its columns are " + strings.Join(columnNames(a.holder), ", ") + "."
	}
	k.ds.Errorf(a.pos, remedy, "%s has no column %s", a.holder.Name, name)
	return false
}

// preferred returns the constraints from the holder to the target, those that
// are validated and refer to the target's key first.
func preferred(a asked) []*catalog.ForeignKey {
	var fks []*catalog.ForeignKey
	for _, fk := range a.holder.ForeignKeys {
		if fk.Target == a.target.table.Name {
			fks = append(fks, fk)
		}
	}
	rank := func(fk *catalog.ForeignKey) int {
		r := 0
		if !fk.Validated {
			r += 2
		}
		if a.target.key == nil || !slices.Equal(fk.TargetCols, []string{a.target.key.Name}) {
			r++
		}
		return r
	}
	slices.SortStableFunc(fks, func(x, y *catalog.ForeignKey) int { return rank(x) - rank(y) })
	return fks
}

// inStep is the constraint with its columns in the order given.
func inStep(fk *catalog.ForeignKey, columns []string) *reference {
	r := &reference{columns: columns, fk: fk}
	for _, c := range columns {
		r.target = append(r.target, fk.TargetCols[slices.Index(fk.Columns, c)])
	}
	return r
}

// onlyReference is the one constraint between two tables.
func (k *compiler) onlyReference(a asked) *reference {
	var fks []*catalog.ForeignKey
	for _, fk := range preferred(a) {
		known := slices.ContainsFunc(fks, func(o *catalog.ForeignKey) bool { return sameSet(o.Columns, fk.Columns) })
		if !known && !sameSet(fk.Columns, a.except) {
			fks = append(fks, fk)
		}
	}
	switch len(fks) {
	case 1:
		return inStep(fks[0], fks[0].Columns)
	case 0:
		k.ds.Errorf(a.pos, fmt.Sprintf("Name its column: @%s(%s: …).", a.directive, a.argument),
			"%s has no foreign key to %s", a.holder.Name, a.target.table.Name)
	default:
		k.ds.Errorf(a.pos, fmt.Sprintf("Write @%s(%s: %s).", a.directive, a.argument, alternatives(fks)),
			"%s has %d foreign keys to %s, and nothing says which is meant", a.holder.Name, len(fks), a.target.table.Name)
	}
	return nil
}

// alternatives writes the foreign keys' columns as the argument of a directive.
func alternatives(fks []*catalog.ForeignKey) string {
	ways := make([]string, len(fks))
	for i, fk := range fks {
		ways[i] = columnsArgument(fk.Columns)
	}
	return strings.Join(ways, " or ")
}

func columnsArgument(columns []string) string {
	if len(columns) == 1 {
		return fmt.Sprintf("%q", columns[0])
	}
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = fmt.Sprintf("%q", c)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// unconstrained takes columns for a foreign key that no constraint says they
// are: to the target's primary key, or its document key. It warns once.
func (k *compiler) unconstrained(a asked) *reference {
	r := &reference{columns: a.columns, target: assumed(a)}
	if r.target == nil {
		k.ds.Errorf(a.pos, fmt.Sprintf("Add the constraint: ALTER TABLE %s ADD FOREIGN KEY (%s) REFERENCES %s (…);", qualified(a.holder.Name), idents(a.columns), qualified(a.target.table.Name)),
			"%s has no foreign key (%s) to %s, and nothing says which columns it means there", a.holder.Name, strings.Join(a.columns, ", "), a.target.table.Name)
		return nil
	}
	for i, name := range r.columns {
		from, to := a.holder.Column(name), a.target.table.Column(r.target[i])
		if !matchable(from, to) {
			k.ds.Errorf(a.pos, "Name another column, or another key of the target.", "%s.%s is of type %s and cannot point to %s.%s of type %s",
				a.holder.Name, name, from.Type.SQL, a.target.table.Name, to.Name, to.Type.SQL)
			return nil
		}
	}
	if !a.shared {
		k.warnUnconstrained(a, r)
	}
	return r
}

func (k *compiler) warnUnconstrained(a asked, r *reference) {
	statement := fmt.Sprintf("ALTER TABLE %s ADD FOREIGN KEY (%s) REFERENCES %s (%s);",
		qualified(a.holder.Name), idents(r.columns), qualified(a.target.table.Name), idents(r.target))
	if k.unlinked[statement] {
		return
	}
	k.unlinked[statement] = true
	k.ds.Warnf(a.pos, statement, "%s (%s) has no foreign key constraint to %s (%s), and is taken for one",
		a.holder.Name, strings.Join(r.columns, ", "), a.target.table.Name, strings.Join(r.target, ", "))
}

// assumed returns the columns that a foreign key without a constraint must
// mean, or nil.
func assumed(a asked) []string {
	pk := a.target.table.PrimaryKey()
	if len(a.columns) > 1 || a.target.key == nil {
		if len(pk) == len(a.columns) {
			return pk
		}
		return nil
	}
	from := a.holder.Column(a.columns[0])
	if len(pk) == 1 && kind(a.target.table.Column(pk[0]).Type) == kind(from.Type) {
		return pk
	}
	return []string{a.target.key.Name}
}
