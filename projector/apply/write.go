package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"freshet/projector/compile"
)

// pipelined is how many chunks are sent before their answers are read.
const pipelined = 8

// writer holds the state of one Apply.
type writer struct {
	applier *Applier
	work    Work
	careful bool
	found   *affected     // what is to be rebuilt yet
	last    *affected     // what was rebuilt last
	stamp   pglogrepl.LSN // for the documents' freshet_lsn

	// heavy are parts of paths that lead to too many documents and are to be
	// taken apart, and overflows the single values that do.
	heavy     []part
	overflows []overflow

	logs   []logRow
	result Result
	// built are the held keys that this batch rebuilt without a fault, and aside
	// those that it has set aside.
	built []pendingKey
	aside map[pendingKey]struct{}
}

// rebuild does every affected document of every read model, in the models'
// order and in the order of keys.
func (w *writer) rebuild(ctx context.Context, found *affected) error {
	for _, model := range w.applier.plan.ReadModels {
		if found.whole[model.ID] {
			if err := w.wholeModel(ctx, model); err != nil {
				return compile.OfModel(model.Name, fmt.Errorf("whole: %w", err))
			}
		}
	}
	return w.chunks(ctx, found.pieces(w.applier.plan))
}

// wholeModel rebuilds a read model through a cursor over all its keys, those
// that are defined and those that are stored, so that memory does not grow
// with the table.
func (w *writer) wholeModel(ctx context.Context, model *compile.ReadModel) error {
	conn := w.applier.conn
	if _, err := conn.Exec(ctx, "DECLARE freshet_keys NO SCROLL CURSOR FOR "+model.Keys); err != nil {
		return err
	}
	for {
		rows, err := conn.Query(ctx, fmt.Sprintf("FETCH %d FROM freshet_keys", pipelined*chunk))
		if err != nil {
			return err
		}
		keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			break
		}
		if err = w.chunks(ctx, piecesOf(model, nil, keys)); err != nil {
			return err
		}
	}
	_, err := conn.Exec(ctx, "CLOSE freshet_keys")
	return err
}

// chunks does the pieces, and after them, behind savepoints, what in them is
// known to fail.
func (w *writer) chunks(ctx context.Context, pieces []piece) error {
	ordinary, failed := w.applier.split(pieces)
	if w.careful {
		ordinary, failed = nil, append(ordinary, failed...)
	}
	for group := range slices.Chunk(ordinary, pipelined) {
		if err := w.pipeline(ctx, group); err != nil {
			return err
		}
	}
	for _, p := range failed {
		if p.keys = w.untried(p); len(p.keys) == 0 {
			continue
		}
		if err := w.carefully(ctx, p); err != nil {
			return compile.OfModel(p.model.Name, err)
		}
	}
	return nil
}

// pipeline sends several chunks at once, and with them the log rows that the
// chunks before have left.
func (w *writer) pipeline(ctx context.Context, group []piece) error {
	var b pgx.Batch
	if w.work.Number > 0 { // the batch is complete: what the log says of it is known
		w.queueLogs(&b)
	}
	outcomes := make([]outcome, len(group))
	for i, p := range group {
		b.Queue(p.sql(), p.keys, w.stamp, w.applier.started).Query(func(rows pgx.Rows) error {
			return compile.OfModel(p.model.Name, outcomes[i].read(rows))
		})
	}
	if err := w.applier.conn.SendBatch(ctx, &b).Close(); err != nil {
		return w.applier.attribute(err)
	}
	for i, p := range group {
		w.done(p, &outcomes[i])
	}
	return nil
}

// carefully does one chunk behind a savepoint. Where a document in it cannot
// be built, it halves the chunk until the key at fault stands alone, and sets
// that aside.
func (w *writer) carefully(ctx context.Context, p piece) error {
	conn := w.applier.conn
	if _, err := conn.Exec(ctx, "SAVEPOINT freshet_chunk"); err != nil {
		return err
	}
	rows, err := conn.Query(ctx, p.model.Apply, p.keys, w.stamp, w.applier.started)
	if err != nil {
		return err
	}
	var o outcome
	err = o.read(rows)
	rows.Close()
	if err == nil {
		err = rows.Err()
	}
	if err == nil {
		w.done(p, &o)
		_, err = conn.Exec(ctx, "RELEASE SAVEPOINT freshet_chunk")
		return err
	}
	if !FaultOfData(err) {
		return err
	}
	// Rolled back to, a savepoint still stands: those of a thousand faults would
	// be nested, and each statement slower than the one before.
	if _, rollbackErr := conn.Exec(ctx, "ROLLBACK TO SAVEPOINT freshet_chunk; RELEASE SAVEPOINT freshet_chunk"); rollbackErr != nil {
		return errors.Join(err, rollbackErr)
	}
	return w.halve(ctx, p, err)
}

func (w *writer) halve(ctx context.Context, p piece, fault error) error {
	if len(p.keys) == 1 {
		w.quarantine(p, fault)
		return nil
	}
	middle := len(p.keys) / 2
	if err := w.carefully(ctx, piece{model: p.model, keys: p.keys[:middle]}); err != nil {
		return err
	}
	return w.carefully(ctx, piece{model: p.model, keys: p.keys[middle:]})
}

// done books a chunk that was written.
func (w *writer) done(p piece, o *outcome) {
	unchanged := len(p.keys) - len(o.upserted) - len(o.deleted)
	w.result.Upserted += len(o.upserted)
	w.result.Deleted += len(o.deleted)
	w.result.Unchanged += unchanged
	w.logs = append(w.logs, logRow{model: p.model.Name, outcome: *o, unchanged: unchanged, moved: o.movedOf(p.model)})
	if p.path == nil || w.careful { // a patch says nothing of the rest of the document
		w.release(p)
	}
}

// release notes the held keys of a chunk that built.
func (w *writer) release(p piece) {
	if len(w.applier.held) == 0 {
		return
	}
	for _, key := range p.keys {
		k := pendingKey{p.model.Name, key}
		if _, ok := w.applier.held[k]; ok {
			w.built = append(w.built, k)
		}
	}
}

func (w *writer) quarantine(p piece, fault error) {
	w.aside[pendingKey{p.model.Name, p.keys[0]}] = struct{}{}
	w.result.Quarantined = append(w.result.Quarantined, Quarantined{Model: p.model.Name, Key: p.keys[0], Err: fault})
	w.logs = append(w.logs, logRow{model: p.model.Name, outcome: outcome{upserted: p.keys}, fault: fault})
}
