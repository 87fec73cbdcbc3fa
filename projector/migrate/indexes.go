package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"freshet/projector/catalog"
	"freshet/projector/compile"
)

// sourceIndexes plans the foreign-key indexes that source tables lack, where
// they are wanted.
func (p *planner) sourceIndexes() {
	for _, m := range p.plan.MissingIndexes {
		if !p.opts.CreateIndexes {
			p.note(fmt.Sprintf("%s has no index over (%s), by which rows are looked up; --create-indexes creates it: %s", m.Table, strings.Join(m.Columns, ", "), m.SQL))
			continue
		}
		if src := p.state.sources[m.Table]; src != nil && src.Kind == 'p' {
			p.note(fmt.Sprintf("%s has no index over (%s), by which rows are looked up. It is partitioned, and Postgres can not create that index without blocking writers: %s", m.Table, strings.Join(m.Columns, ", "), m.SQL))
			continue
		}
		p.add(Step{
			Kind: KindSourceIndex,
			What: fmt.Sprintf("create the index %s over (%s) of %s, by which rows are looked up", m.Name, strings.Join(m.Columns, ", "), m.Table),
			SQL:  m.SQL, Locks: "no reader or writer; it waits for transactions that are running",
			do: func(ctx context.Context, w *worker) error {
				return w.createIndex(ctx, catalog.Name{Schema: m.Table.Schema, Name: m.Name}, m.Table, m.SQL)
			},
		})
	}
}

// indexes plans the secondary indexes of the tv_* tables. Those of a table
// that is yet to be filled are left to the end of the fill, which they would
// slow down.
func (p *planner) indexes() {
	for _, rm := range p.plan.ReadModels {
		why, _ := p.state.mustBuild(rm)
		row, rel := p.state.models[rm.Name], p.state.relations[rm.Table]
		phase, what := Before, "create the index %s on %s"
		if why != "" || row == nil || row.State != "ready" || p.refilled(rm) {
			phase, what = After, what+": the projector does it when the table is filled"
		}
		for _, index := range rm.Indexes {
			if why == "" && rel.has(index.Name) {
				continue
			}
			p.add(Step{
				Kind: KindIndex, Phase: phase, SQL: index.SQL,
				What:  fmt.Sprintf(what, index.Name, rm.Table),
				Locks: "no reader or writer; it waits for transactions that are running",
				do: func(ctx context.Context, w *worker) error {
					return w.createIndex(ctx, catalog.Name{Schema: rm.Table.Schema, Name: index.Name}, rm.Table, index.SQL)
				},
			})
		}
	}
}

// refilled says whether a step has the read model filled again.
func (p *planner) refilled(rm *compile.ReadModel) bool {
	row := p.state.models[rm.Name]
	return row != nil && len(p.missed(rm, row)) > 0
}

// has says whether the relation has the index, and it is valid.
func (r *relation) has(index string) bool {
	if r == nil {
		return false
	}
	for _, name := range r.Indexes {
		if name == index {
			return true
		}
	}
	return false
}

// ApplyIndexes creates the secondary indexes of all tv_* tables that lack
// them, concurrently. It is for the end of a backfill. The connection must have
// no transaction open, nor the caller any other in this database: a concurrent
// build waits for them all.
func ApplyIndexes(ctx context.Context, conn *pgx.Conn, cp *compile.Plan) error {
	w := &worker{conn: conn, opts: Options{}.withDefaults(), watcher: &watcher{}}
	defer func() { _, _ = conn.Exec(ctx, `RESET lock_timeout; RESET statement_timeout`) }()
	for _, rm := range cp.ReadModels {
		for _, index := range rm.Indexes {
			if err := w.createIndex(ctx, catalog.Name{Schema: rm.Table.Schema, Name: index.Name}, rm.Table, index.SQL); err != nil {
				return fmt.Errorf("create index %s on %s: %w", index.Name, rm.Table, err)
			}
		}
	}
	return nil
}

// createIndex runs a CREATE INDEX CONCURRENTLY. What an earlier one left
// behind, not valid, is dropped first; a valid one on that table is kept.
func (w *worker) createIndex(ctx context.Context, index, table catalog.Name, sql string) error {
	valid, err := w.indexState(ctx, index, table)
	if err != nil {
		return err
	}
	switch valid {
	case indexValid:
		return nil
	case indexInvalid:
		if err := w.alone(ctx, "DROP INDEX CONCURRENTLY IF EXISTS "+quote(index)); err != nil {
			return fmt.Errorf("drop what an earlier attempt left: %w", err)
		}
	case indexElsewhere:
		return fmt.Errorf("%s exists already, and is no index of %s: rename it", index, table)
	}
	if err := w.alone(ctx, sql); err != nil {
		return err
	}
	if valid, err = w.indexState(ctx, index, table); err == nil && valid != indexValid {
		err = errors.New("it was built, but is not valid")
	}
	return err
}

// indexState says what is there under an index's name.
type indexState int

const (
	indexMissing indexState = iota
	indexValid
	indexInvalid
	indexElsewhere // something else has the name
)

// indexState looks an index up.
func (w *worker) indexState(ctx context.Context, index, table catalog.Name) (indexState, error) {
	var state indexState
	err := w.conn.QueryRow(ctx, `
SELECT CASE WHEN i.indrelid IS NULL OR t.relname <> $4 OR n.nspname <> $3 THEN 3 WHEN i.indisvalid THEN 1 ELSE 2 END
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
  LEFT JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
 WHERE n.nspname = $1 AND c.relname = $2`, index.Schema, index.Name, table.Schema, table.Name).Scan(&state)
	if errors.Is(err, pgx.ErrNoRows) {
		return indexMissing, nil
	}
	return state, err
}
