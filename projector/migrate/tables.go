package migrate

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"freshet/projector/compile"
)

// drops plans what to do with read models that the model file no longer has.
func (p *planner) drops() {
	for _, name := range slices.Sorted(maps.Keys(p.state.models)) {
		row := p.state.models[name]
		if p.readModel(name) != nil {
			continue
		}
		if rm := p.tableOf(row); rm != nil {
			p.forget(row, rm)
			continue
		}
		if !p.opts.Prune {
			p.note(fmt.Sprintf("%s of read model %s is no longer in the model file: it is left as it is, and kept up to date no more; --prune drops it", row.table(), name))
			continue
		}
		p.drop(row)
	}
}

// drop plans the end of a recorded read model.
func (p *planner) drop(row *modelRow) {
	sql := "DELETE FROM freshet.models WHERE name = " + literal(row.Name)
	var drop string
	if r := p.state.relations[row.table()]; r != nil && r.ours() {
		drop = "DROP TABLE " + quote(row.table())
		sql = drop + ";\n" + sql
	}
	p.add(Step{
		Kind: KindDrop,
		What: fmt.Sprintf("drop %s: read model %s is no longer in the model file", row.table(), row.Name),
		SQL:  sql, Locks: "readers of that table, for an instant",
		do: func(ctx context.Context, w *worker) error {
			return w.transaction(ctx, func(tx pgx.Tx) error { return forget(ctx, tx, row.Name, drop) })
		},
	})
}

// tableOf returns the plan's read model whose table was the row's, or nil.
func (p *planner) tableOf(row *modelRow) *compile.ReadModel {
	for _, rm := range p.plan.ReadModels {
		if rm.Table == row.table() {
			return rm
		}
	}
	return nil
}

// forget plans the end of a row whose table has passed to another read model.
func (p *planner) forget(row *modelRow, heir *compile.ReadModel) {
	p.add(Step{
		Kind: KindDrop,
		What: fmt.Sprintf("forget read model %s: %s is now the table of %s", row.Name, heir.Table, heir.Name),
		SQL:  "DELETE FROM freshet.models WHERE name = " + literal(row.Name),
		do: func(ctx context.Context, w *worker) error {
			return w.transaction(ctx, func(tx pgx.Tx) error { return forget(ctx, tx, row.Name, "") })
		},
	})
}

// forget removes a read model and all that is kept of it.
func forget(ctx context.Context, tx pgx.Tx, name, drop string) error {
	if drop != "" {
		if _, err := tx.Exec(ctx, drop); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, `DELETE FROM freshet.pending WHERE model = $1`, name); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `DELETE FROM freshet.models WHERE name = $1`, name)
	return err
}

// readModel returns the plan's read model of that name, or nil.
func (p *planner) readModel(name string) *compile.ReadModel {
	for _, rm := range p.plan.ReadModels {
		if rm.Name == name {
			return rm
		}
	}
	return nil
}

// tables plans the tv_* tables.
func (p *planner) tables() {
	for _, rm := range p.plan.ReadModels {
		why, rebuild := p.state.mustBuild(rm)
		if why == "" {
			continue
		}
		old := p.state.relations[rm.Table]
		if old != nil && !rebuild && !old.fits(rm) {
			p.faults = append(p.faults, foreignTable(rm, old))
			continue
		}
		p.table(rm, why)
	}
}

// mustBuild says why a read model's table has to be made, "" when it is as it
// should be. Known is whether freshet.models has it, so that what is there
// under its name may be replaced.
func (s *state) mustBuild(rm *compile.ReadModel) (why string, known bool) {
	row, rel := s.models[rm.Name], s.relations[rm.Table]
	known = s.recorded(rm)
	switch {
	case row == nil && rel == nil:
		return "is new", known
	case row == nil:
		return "is there, but not in freshet.models", known
	case row.table() != rm.Table:
		return "was " + row.table().String() + " before", known
	case rel == nil:
		return "is gone", known
	case row.Hash != rm.Hash:
		return "was built from another definition", known
	case !sameColumns(rel, rm):
		return "has other columns than it was built with", known
	}
	return "", known
}

// recorded says whether some read model was built into the table: it is ours.
func (s *state) recorded(rm *compile.ReadModel) bool {
	for _, row := range s.models {
		if row.table() == rm.Table {
			r := s.relations[rm.Table]
			return r == nil || r.ours()
		}
	}
	return false
}

// sameColumns compares the names of the columns only: types are part of the hash.
func sameColumns(r *relation, rm *compile.ReadModel) bool {
	return slices.EqualFunc(r.Columns, wanted(rm), func(a, b columnShape) bool { return a.Name == b.Name })
}

// foreignTable is the fault of a table that is not Freshet's.
func foreignTable(rm *compile.ReadModel, r *relation) Finding {
	return Finding{
		Where:  rm.Table.String(),
		What:   fmt.Sprintf("it exists and was not made for read model %s: it is %s", rm.Name, r.describe()),
		Remedy: fmt.Sprintf("Rename or drop it, or rename the type %s in the model file: Freshet does not touch what it did not make.", rm.Name),
	}
}

// table plans one tv_* table: with its row in freshet.models, in a single
// transaction, so that neither is ever without the other.
func (p *planner) table(rm *compile.ReadModel, why string) {
	row, rel := p.state.models[rm.Name], p.state.relations[rm.Table]
	b := tableBuild{rm: rm, sources: sourcesOf(p.plan, rm)}
	b.stale = row == nil || row.Hash != rm.Hash || !sameSources(row.Sources, b.sources)
	if rel != nil && (row != nil || !rel.fits(rm)) {
		b.drops = append(b.drops, "DROP TABLE IF EXISTS "+quote(rm.Table))
		b.restore(rel)
	}
	if row != nil && row.table() != rm.Table {
		if old := p.state.relations[row.table()]; old != nil && old.ours() {
			b.drops = append(b.drops, "DROP TABLE IF EXISTS "+quote(row.table()))
		}
	}
	p.noteLost(rm, rel, len(b.drops) > 0)
	what, locks := fmt.Sprintf("create %s for read model %s: it %s", rm.Table, rm.Name, why), ""
	if len(b.drops) > 0 {
		what = fmt.Sprintf("drop and create %s for read model %s: it %s; the projector must be restarted, and fills it", rm.Table, rm.Name, why)
		locks = "readers of that table, for an instant; it is empty until the projector has filled it"
	}
	p.add(Step{Kind: KindTable, What: what, Locks: locks, SQL: b.sql(), do: b.do})
}

// noteLost tells of indexes on the old table that are not Freshet's.
func (p *planner) noteLost(rm *compile.ReadModel, r *relation, dropped bool) {
	if r == nil || !dropped {
		return
	}
	var lost []string
	for _, name := range r.Indexes {
		if !strings.HasPrefix(name, rm.Table.Name) {
			lost = append(lost, name)
		}
	}
	if len(lost) > 0 {
		p.note(fmt.Sprintf("%s is dropped with indexes that Freshet may not have made: %s", rm.Table, strings.Join(lost, ", ")))
	}
}

// tableBuild makes a tv_* table.
type tableBuild struct {
	rm      *compile.ReadModel
	sources []sourceShape
	stale   bool // freshet.models had something else when this was planned
	drops   []string
	after   []string // gives owner and privileges again
}

// restore keeps the privileges that others have on the table.
func (b *tableBuild) restore(r *relation) {
	b.after = append(b.after, fmt.Sprintf("ALTER TABLE %s OWNER TO %s", quote(b.rm.Table), quoteName(r.Owner)))
	b.after = append(b.after, r.Grants...)
}

// sql is the whole of it, for people.
func (b *tableBuild) sql() string {
	all := slices.Concat(b.drops, []string{strings.TrimRight(b.rm.CreateTable, "; \n")}, b.after,
		[]string{fmt.Sprintf("INSERT INTO freshet.models (name, hash, layout, sources, state) VALUES (%s, %s, …, …, 'backfilling')", literal(b.rm.Name), literal(b.rm.Hash))})
	return strings.Join(all, ";\n")
}

// do makes the table, unless another migration has done so in the meantime.
func (b *tableBuild) do(ctx context.Context, w *worker) error {
	return w.transaction(ctx, func(tx pgx.Tx) error {
		if done, err := b.done(ctx, tx); err != nil || done {
			return err
		}
		for _, sql := range slices.Concat(b.drops, []string{b.rm.CreateTable}, b.after) {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return b.record(ctx, tx)
	})
}

// done says whether what was stale when this was planned is so no more.
func (b *tableBuild) done(ctx context.Context, tx pgx.Tx) (done bool, err error) {
	sources, err := json.Marshal(b.sources)
	if err != nil || !b.stale {
		return false, err
	}
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM freshet.models WHERE name = $1 AND hash = $2 AND sources = $3)`,
		b.rm.Name, b.rm.Hash, string(sources)).Scan(&done)
	return done, err
}

// record writes the row in freshet.models.
func (b *tableBuild) record(ctx context.Context, tx pgx.Tx) error {
	layout, err := json.Marshal(b.rm.Layout)
	if err != nil {
		return err
	}
	sources, err := json.Marshal(b.sources)
	if err != nil {
		return err
	}
	if err := forget(ctx, tx, b.rm.Name, ""); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO freshet.models (name, hash, layout, sources, state) VALUES ($1, $2, $3, $4, 'backfilling')`,
		b.rm.Name, b.rm.Hash, string(layout), string(sources))
	return err
}

// literal writes a string as SQL, for statements that are shown.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
