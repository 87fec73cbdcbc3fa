package apply

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// logRow is one row of sync_log to be: one chunk of one read model.
type logRow struct {
	model     string
	outcome   outcome
	unchanged int
	fault     error
	operation string // "": the batch's
	moved     []string
}

const insertLog = `
INSERT INTO freshet.sync_log
    (slot, batch, model, operation, keys, deleted_keys, moved, upserted, deleted, unchanged,
     transactions, xids, first_lsn, last_lsn, watermark, committed_at, started_at, duration_ms, success, error)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`

// queueLogs adds the log rows gathered so far to a batch, and forgets them.
func (w *writer) queueLogs(b *pgx.Batch) {
	a, work := w.applier, &w.work
	for _, row := range w.logs {
		operation := row.operation
		if operation == "" {
			operation = work.operation()
		}
		upserted, moved := len(row.outcome.upserted), row.moved
		var fault *string
		if row.fault != nil {
			upserted, moved = 0, []string{anyMoved}
			text := describe(row.fault)
			fault = &text
		}
		b.Queue(insertLog, a.slot, work.Number, row.model, operation,
			emptyNotNull(row.outcome.upserted), emptyNotNull(row.outcome.deleted), moved,
			upserted, len(row.outcome.deleted), row.unchanged,
			work.Batch.Transactions, work.xids(), orNull(work.Batch.FirstLSN), orNull(work.Batch.LastLSN), w.work.Batch.Watermark,
			timeOrNull(work.Batch.LastCommit), a.started, float64(a.now().Sub(a.started))/float64(time.Millisecond),
			row.fault == nil, fault)
	}
	w.logs = w.logs[:0]
}

// saveCheckpoint has the parameters of filesSQL first. It fails where files have
// moved; the process id in the text keeps the planner from failing beforehand.
const saveCheckpoint = `
UPDATE freshet.checkpoint
SET state = 'streaming', batch = $5, applied_lsn = greatest(applied_lsn, $6), watermark = greatest(watermark, $7),
    complete = CASE WHEN $11 = ` + filesSQL + ` THEN greatest(complete, $10) ELSE ('` + movedPrefix + `' || pg_backend_pid())::pg_lsn END,
    commit_time = coalesce($8, commit_time), updated_at = $9
WHERE slot = $3 AND epoch = $4`

// commit writes log, pending and checkpoint, wakes the readers of the feed and
// commits, all in one round trip. Were another projector to take over just
// now, its update of the checkpoint would conflict with this one's: under
// REPEATABLE READ that is a serialization failure, and nothing is written.
//
// The commit does not wait for a flush, where the connection says so: see
// Result.End.
func (w *writer) commit(ctx context.Context) error {
	a := w.applier
	var b pgx.Batch
	w.logWrong(w.result.Wrong)
	w.queueLogs(&b)
	w.queuePending(&b)
	w.queueWrong(&b, w.result.Wrong)
	w.queueChunk(&b)
	if err := w.queueFanOuts(&b); err != nil {
		return err
	}
	var saved pgconn.CommandTag
	b.Queue(saveCheckpoint, a.files.tables, a.files.roots, a.slot, a.epoch, w.work.Number, w.work.Batch.Resume, w.work.Batch.Watermark,
		timeOrNull(w.work.Batch.LastCommit), a.now(), w.complete(), a.files.known).Exec(func(tag pgconn.CommandTag) error {
		saved = tag
		return nil
	})
	b.Queue("SELECT pg_notify('freshet', $1)", w.work.Batch.Watermark.String())
	b.Queue("COMMIT")
	b.Queue("SELECT pg_current_wal_insert_lsn()").QueryRow(func(row pgx.Row) error { return row.Scan(&w.result.End) })
	err := a.conn.SendBatch(ctx, &b).Close()
	if moved(err) { // here alone: elsewhere the text of an error may be a user's
		return ErrMoved
	}
	if err != nil {
		return err
	}
	if saved.RowsAffected() != 1 {
		return ErrFenced // cannot be: Begin saw the row with this epoch on the same snapshot
	}
	return nil
}

// describe renders an error for the log: the server's message with its
// SQLSTATE, which is what an operator can look up.
func describe(err error) string {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		text := pgErr.Message + " (SQLSTATE " + pgErr.Code + ")"
		if pgErr.Detail != "" {
			text += ": " + pgErr.Detail
		}
		return text
	}
	return err.Error()
}

func emptyNotNull(keys []string) []string {
	if keys == nil {
		return []string{}
	}
	return keys
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
