package apply

import (
	"context"
	"fmt"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"freshet/projector/batch"
	"freshet/projector/compile"
)

// Work is what one Apply is to do.
type Work struct {
	Number  int64
	Batch   batch.Batch
	Pending []PendingKey // keys of freshet.pending whose time has come
}

// PendingKey is a key that waits in freshet.pending.
type PendingKey struct {
	Model string
	Key   string
}

type pendingKey = PendingKey

// operation names the work in sync_log: keys that were asked for by hand, or
// tried again, come without transactions.
func (w *Work) operation() string {
	if w.Batch.Transactions == 0 && len(w.Pending) > 0 {
		return "resync"
	}
	return "rebuild"
}

func (w *Work) xids() []int64 {
	ids := make([]int64, len(w.Batch.XIDs))
	for i, x := range w.Batch.XIDs {
		ids[i] = int64(x)
	}
	return ids
}

func orNull(lsn pglogrepl.LSN) *pglogrepl.LSN {
	if lsn == 0 {
		return nil
	}
	return &lsn
}

// Load reads which keys are held, after a start.
func (a *Applier) Load(ctx context.Context) error {
	rows, err := a.conn.Query(ctx, "SELECT model, key FROM freshet.pending")
	if err != nil {
		return fmt.Errorf("read freshet.pending: %w", err)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[PendingKey])
	if err != nil {
		return fmt.Errorf("read freshet.pending: %w", err)
	}
	clear(a.held)
	for _, k := range keys {
		a.held[k] = struct{}{}
	}
	return nil
}

// MaxDue is how many keys Due returns at most.
const MaxDue = chunk

// Due returns keys whose next try has come, read over any connection: at most
// MaxDue, the longest waiting first.
// Keys of models that the plan does not have are left alone.
func Due(ctx context.Context, conn *pgx.Conn, plan *compile.Plan) ([]PendingKey, error) {
	names := make([]string, len(plan.ReadModels))
	for i, m := range plan.ReadModels {
		names[i] = m.Name
	}
	rows, err := conn.Query(ctx, `
SELECT model, key FROM freshet.pending WHERE next_try_at <= now() AND model = ANY ($1) ORDER BY next_try_at LIMIT $2`, names, MaxDue)
	if err != nil {
		return nil, fmt.Errorf("read freshet.pending: %w", err)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[PendingKey])
	if err != nil {
		return nil, fmt.Errorf("read freshet.pending: %w", err)
	}
	return keys, nil
}

// addPending adds keys whose time has come to what is to be rebuilt. Keys of a
// model that is gone from the file are left for `migrate` to clear.
func (a *Applier) addPending(found *affected, keys []PendingKey) {
	for _, k := range keys {
		for _, model := range a.plan.ReadModels {
			if model.Name == k.Model {
				found.add(model.ID, k.Key)
				a.held[k] = struct{}{}
			}
		}
	}
}

// The wait before the next try doubles from a second to an hour.
const hold = `
INSERT INTO freshet.pending AS p (model, key, reason, error, attempts, since_lsn, created_at, next_try_at)
VALUES ($1, $2, 'quarantine', $3, 1, $4, $5, $5::timestamptz + interval '1 second')
ON CONFLICT (model, key) DO UPDATE
SET reason = 'quarantine', error = excluded.error, attempts = p.attempts + 1,
    next_try_at = $5::timestamptz + least(interval '1 hour', interval '1 second' * (2 ^ least(p.attempts, 12)))`

func (w *writer) queuePending(b *pgx.Batch) {
	for _, q := range w.result.Quarantined {
		b.Queue(hold, q.Model, q.Key, describe(q.Err), w.work.Batch.Watermark, w.applier.now())
	}
	for _, k := range w.built {
		b.Queue("DELETE FROM freshet.pending WHERE model = $1 AND key = $2", k.Model, k.Key)
	}
}

// settleHeld brings the memory of held keys up to what was committed.
func (a *Applier) settleHeld(w *writer) {
	for _, k := range w.built {
		delete(a.held, k)
	}
	for _, q := range w.result.Quarantined {
		a.held[PendingKey{q.Model, q.Key}] = struct{}{}
	}
}
