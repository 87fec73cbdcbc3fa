package projector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"freshet/projector/apply"
	"freshet/projector/compile"
	"freshet/projector/migrate"
)

// Of what is known to be right the smaller counts: what the last batch
// reflects, and what had been written when the tables were last seen to be
// published whole.
const pauseModels = `
UPDATE freshet.models AS m
SET state = 'paused', error = p.error, waits = NULL, paused_at = coalesce(m.paused_at, now()),
    paused_lsn = CASE WHEN m.state = 'ready'
                      THEN least(least(c.watermark, coalesce((SELECT t.checked_lsn FROM freshet.traces AS t WHERE t.slot = c.slot), '0/0')) + 1, (SELECT min(f.since_lsn) FROM freshet.fanout AS f WHERE f.model = m.name))
                      ELSE coalesce(m.paused_lsn, '0/1') END
FROM unnest($2::text[], $3::text[]) AS p (model, error), freshet.checkpoint AS c
WHERE m.name = p.model AND c.slot = $1`

const refillModels = `
UPDATE freshet.models SET state = 'backfilling', filled_at = NULL WHERE name = ANY ($1)`

// storePauses writes down, in one transaction, which read models pause, which
// are to be filled anew and which of them beside the others, and what was seen
// of the source tables.
func (e *Engine) storePauses(ctx context.Context, control *pgx.Conn, todo sorted, seen *migrate.Survey) error {
	return pgx.BeginFunc(ctx, control, func(tx pgx.Tx) error {
		var epoch int64
		err := tx.QueryRow(ctx, "SELECT epoch FROM freshet.checkpoint WHERE slot = $1 FOR UPDATE", e.cfg.Slot).Scan(&epoch)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("read freshet.checkpoint: %w", err)
		}
		if err != nil || epoch != e.epoch {
			return apply.ErrFenced
		}
		if err := e.writePauses(ctx, tx, todo); err != nil {
			return fmt.Errorf("write freshet.models: %w", err)
		}
		if seen == nil {
			return nil
		}
		return e.writeTraces(ctx, tx, seen)
	})
}

func (e *Engine) writePauses(ctx context.Context, tx pgx.Tx, todo sorted) error {
	if len(todo.pauses)+len(todo.anew)+len(todo.beside) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(todo.pauses))
	reasons := make([]string, len(names))
	for i, name := range names {
		reasons[i] = todo.pauses[name]
	}
	var b pgx.Batch
	b.Queue(pauseModels, e.cfg.Slot, names, reasons)
	b.Queue(refillModels, todo.anew)
	anew := slices.Concat(names, todo.anew)
	b.Queue("DELETE FROM freshet.fanout WHERE model = ANY ($1)", anew) // all of it will be filled
	b.Queue("DELETE FROM freshet.backfill WHERE model = ANY ($1)", slices.Concat(anew, todo.beside))
	b.Queue(besideModels, e.cfg.Slot, todo.beside, apply.WholeModel)
	b.Queue("UPDATE freshet.pending SET next_try_at = now() WHERE model = ANY ($1) AND next_try_at > now()", todo.beside) // what ailed them may be mended
	b.Queue("SELECT pg_notify('freshet', 'paused')")
	return tx.SendBatch(ctx, &b).Close()
}

// executor is a connection or a transaction.
type executor interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

func (e *Engine) writeTraces(ctx context.Context, db executor, seen *migrate.Survey) error {
	text, err := json.Marshal(seen.Traces)
	if err != nil {
		return fmt.Errorf("write down the state of the source tables: %w", err)
	}
	tag, err := db.Exec(ctx, `
INSERT INTO freshet.traces (slot, traces, checked_lsn)
SELECT slot, $3, $4 FROM freshet.checkpoint WHERE slot = $1 AND epoch = $2
ON CONFLICT (slot) DO UPDATE SET traces = excluded.traces, checked_lsn = excluded.checked_lsn`,
		e.cfg.Slot, e.epoch, string(text), seen.Position)
	if err != nil {
		return fmt.Errorf("write freshet.traces: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return apply.ErrFenced
	}
	e.seen, e.checked = seen.Traces, seen.Position
	return nil
}

// traces reads how the source tables stood when they were last looked at.
func (e *Engine) traces(ctx context.Context, control *pgx.Conn) (migrate.Traces, error) {
	var text []byte
	err := control.QueryRow(ctx, "SELECT traces FROM freshet.traces WHERE slot = $1", e.cfg.Slot).Scan(&text)
	if errors.Is(err, pgx.ErrNoRows) {
		return migrate.Traces{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read freshet.traces: %w", err)
	}
	known := migrate.Traces{}
	if json.Unmarshal(text, &known) != nil {
		return migrate.Traces{}, nil // another version wrote it
	}
	return known, nil
}

// states reads the states of the read models.
func states(ctx context.Context, control *pgx.Conn) (map[string]modelState, error) {
	rows, err := control.Query(ctx, "SELECT name, state, filled_at IS NOT NULL FROM freshet.models")
	if err != nil {
		return nil, fmt.Errorf("read freshet.models: %w", err)
	}
	all := map[string]modelState{}
	var name string
	var s modelState
	if _, err = pgx.ForEachRow(rows, []any{&name, &s.state, &s.filled}, func() error { all[name] = s; return nil }); err != nil {
		return nil, fmt.Errorf("read freshet.models: %w", err)
	}
	return all, nil
}

// readPaused reads which of the plan's read models are paused.
func readPaused(ctx context.Context, control *pgx.Conn, plan *compile.Plan) ([]PausedModel, error) {
	names := make([]string, len(plan.ReadModels))
	for i, rm := range plan.ReadModels {
		names[i] = rm.Name
	}
	rows, err := control.Query(ctx, `
SELECT name, coalesce(paused_at, now()), coalesce(paused_lsn, '0/1'), coalesce(error, '') FROM freshet.models
WHERE state = 'paused' AND name = ANY ($1) ORDER BY name`, names)
	if err != nil {
		return nil, fmt.Errorf("read freshet.models: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p PausedModel, err error) {
		return p, row.Scan(&p.Model, &p.Since, &p.LSN, &p.Error)
	})
	if err != nil {
		return nil, fmt.Errorf("read freshet.models: %w", err)
	}
	return list, nil
}
