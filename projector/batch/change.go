package batch

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"freshet/projector/compile"
	"freshet/projector/wal"
)

func (a *Assembler) insert(m *wal.Insert) error {
	rel, err := a.changed(m.Relation, m.New)
	if rel == nil || err != nil {
		return err
	}
	for i := range rel.paths {
		if err := a.add(rel, &rel.paths[i], m.New); err != nil {
			return err
		}
	}
	a.trim()
	return nil
}

func (a *Assembler) update(m *wal.Update) error {
	rel, err := a.changed(m.Relation, m.New)
	if rel == nil || err != nil {
		return err
	}
	if m.OldRow != wal.OldNone && len(m.Old) != rel.columns {
		return rel.columnCount(len(m.Old))
	}
	for i := range rel.paths {
		if err := a.updatePath(rel, &rel.paths[i], m); err != nil {
			return err
		}
	}
	a.trim()
	return nil
}

// updatePath adds the new value of a path and, where the row moved, the old.
func (a *Assembler) updatePath(rel *relation, p *boundPath, m *wal.Update) error {
	if rel.same(p.reads, m) {
		return nil
	}
	hasOld := m.OldRow != wal.OldNone && p.hasOld(m.OldRow)
	if p.kept != nil && rel.same(p.kept, m) {
		if hasOld {
			restore(p.start, m)
		}
		return a.addTo(p.path.PatchID, rel, p, m.New)
	}
	if hasOld {
		if err := a.add(rel, p, m.Old); err != nil {
			return err
		}
		restore(p.start, m)
	}
	return a.add(rel, p, m.New)
}

func (a *Assembler) delete(m *wal.Delete) error {
	rel, err := a.changed(m.Relation, m.Old)
	if rel == nil || err != nil {
		return err
	}
	for i := range rel.paths {
		p := &rel.paths[i]
		if !p.hasOld(m.OldRow) {
			continue
		}
		if err := a.add(rel, p, m.Old); err != nil {
			return err
		}
	}
	a.trim()
	return nil
}

// changed finds the table of a changed row, counts the change and checks the
// row's shape. It returns nil for a table outside the plan.
func (a *Assembler) changed(id uint32, row wal.Tuple) (*relation, error) {
	rel, err := a.relation(id)
	if rel == nil || err != nil {
		return nil, err
	}
	if len(row) != rel.columns {
		return nil, rel.columnCount(len(row))
	}
	a.open.Changes++
	return rel, nil
}

func (rel *relation) columnCount(n int) error {
	return fmt.Errorf("%w: a row of %d columns of table %s, which has %d", ErrProtocol, n, rel.source.Table.Name, rel.columns)
}

func (a *Assembler) trim() {
	if a.open.Dirty.size > a.spill.limit {
		a.spill.Trim(&a.open.Dirty)
	}
}

// hasOld says whether an old row of that kind holds the path's start. Where
// the replica identity does not cover it the plan does not need it: whatever
// pointed at the old value has changed too, and says so itself.
func (p *boundPath) hasOld(kind wal.OldRow) bool {
	return kind == wal.OldFull || p.startKnown
}

// same says whether an update is known to have left the columns as they were:
// by the whole old row, or by the replica identity, which is in the log only
// where it changed.
func (rel *relation) same(columns []int, m *wal.Update) bool {
	if m.OldRow != wal.OldFull && !rel.partial {
		return false
	}
	for _, i := range columns {
		if m.OldRow != wal.OldFull && !rel.key[i] || m.OldRow != wal.OldNone && differ(m.Old[i], m.New[i]) {
			return false
		}
	}
	return true
}

// differ compares a cell before and after. A TOASTed value that was not
// written again has not changed.
func differ(before, after wal.Cell) bool {
	if after.Kind == wal.Unchanged {
		return false
	}
	return before != after
}

// restore puts the old values where the new row leaves out a TOASTed value
// that did not change. The old row must hold them.
func restore(columns []int, m *wal.Update) {
	for _, i := range columns {
		if m.New[i].Kind == wal.Unchanged {
			m.New[i] = m.Old[i]
		}
	}
}

// add adds the value of a path's start in a row.
func (a *Assembler) add(rel *relation, p *boundPath, row wal.Tuple) error {
	return a.addTo(p.path.ID, rel, p, row)
}

// addTo adds it under one of the path's IDs. A NULL leads nowhere.
func (a *Assembler) addTo(id int, rel *relation, p *boundPath, row wal.Tuple) error {
	if a.open.Dirty.IsWhole(p.path.Model.ID) {
		return nil
	}
	a.texts = a.texts[:0]
	for _, i := range p.start {
		switch row[i].Kind {
		case wal.Text:
			a.texts = append(a.texts, row[i].Text)
		case wal.Null:
			return nil
		default:
			return rel.noValue(p.path, row[i].Kind)
		}
	}
	a.open.Dirty.Add(id, Join(a.texts...))
	return nil
}

// noValue reports a start whose value is neither in the new row nor in the old
// one, or not as text.
func (rel *relation) noValue(path *compile.Path, kind wal.CellKind) error {
	if kind != wal.Unchanged {
		return fmt.Errorf("%w: a value of kind %q in table %s", ErrProtocol, byte(kind), rel.source.Table.Name)
	}
	return &SchemaError{
		Table:   rel.source.Table.Name.String(),
		Problem: fmt.Sprintf("the WAL does not hold the value of %s, which leads from a changed row to %s", columnList(path.Start), path.Via),
		Remedy:  "ALTER TABLE " + sanitize(rel.source) + " REPLICA IDENTITY FULL",
		Models:  []string{path.Model.Name},
	}
}

func sanitize(source *compile.Source) string {
	return pgx.Identifier{source.Table.Name.Schema, source.Table.Name.Name}.Sanitize()
}
