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
	Wanted  []PendingKey // keys that somebody wants to read, of models with a fan-out
	Chunk   *Chunk       // of fan-outs of earlier batches
	// Waiting is the first commit that is put off by fan-outs of earlier
	// batches, without those that the chunk ends; 0 is none.
	Waiting pglogrepl.LSN
	// Check is how many stored documents to compare with their definition, but
	// of those read models that Skip names.
	Check int
	Skip  func(model string) bool
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

// Load reads which keys are held, after a start: those that were set aside.
// Keys that were only asked for may be very many, and take their turn by Due.
func (a *Applier) Load(ctx context.Context) error {
	rows, err := a.conn.Query(ctx, "SELECT model, key FROM freshet.pending WHERE error IS NOT NULL")
	if err != nil {
		return fmt.Errorf("read freshet.pending: %w", err)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[PendingKey])
	if err != nil {
		return fmt.Errorf("read freshet.pending: %w", err)
	}
	clear(a.held)
	for _, k := range keys {
		a.held[k] = true
	}
	return nil
}

// MaxDue is how many keys Due returns at most: what is committed meanwhile
// waits for them.
const MaxDue = 250

// selectDue reads each priority by the index, so that keys whose time has not
// come cost nothing, however many.
const selectDue = `
SELECT d.model, d.key
FROM generate_series(1, 0, -1) AS p (priority), LATERAL (
    SELECT w.model, w.key, w.next_try_at FROM freshet.pending AS w
    WHERE w.priority = p.priority AND w.next_try_at <= now() AND w.model = ANY ($1) ORDER BY w.next_try_at LIMIT $2) AS d
ORDER BY p.priority DESC, d.next_try_at LIMIT $2`

// Due returns keys whose next try has come, read over any connection: at most
// MaxDue, those of the higher priority first, and then the longest waiting.
// Keys of models that the plan does not have are left alone.
func Due(ctx context.Context, conn *pgx.Conn, plan *compile.Plan) ([]PendingKey, error) {
	names := make([]string, len(plan.ReadModels))
	for i, m := range plan.ReadModels {
		names[i] = m.Name
	}
	rows, err := conn.Query(ctx, selectDue, names, MaxDue)
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
				a.hold(k)
			}
		}
	}
}

// hold has a key taken out of the queue when it builds, whether it is known to
// fail or not.
func (a *Applier) hold(k PendingKey) {
	if _, known := a.held[k]; !known {
		a.held[k] = false
	}
}

// addWanted adds keys that somebody wants to read.
func (a *Applier) addWanted(found *affected, keys []PendingKey) {
	for _, k := range keys {
		for _, model := range a.plan.ReadModels {
			if model.Name == k.Model {
				found.add(model.ID, k.Key)
			}
		}
	}
}

// The wait before the next try doubles from a second to an hour, by the server's
// clock, as Due reads it: this process's may be another.
const hold = `
INSERT INTO freshet.pending AS p (model, key, reason, error, attempts, since_lsn, created_at, next_try_at)
VALUES ($1, $2, 'quarantine', $3, 1, $4, clock_timestamp(), clock_timestamp() + interval '1 second')
ON CONFLICT (model, hashtextextended(key, 0), hashtextextended(key, 1)) DO UPDATE
SET reason = 'quarantine', error = excluded.error, attempts = p.attempts + 1,
    next_try_at = clock_timestamp() + least(interval '1 hour', interval '1 second' * (2 ^ least(p.attempts, 12)))`

// SetAside writes down, over a connection of no batch, a document that could
// not be built, as a batch does: in freshet.pending, and in sync_log. What since
// is lacks it.
func SetAside(ctx context.Context, conn *pgx.Conn, slot string, q Quarantined, since pglogrepl.LSN) error {
	var b pgx.Batch
	b.Queue(hold, q.Model, q.Key, describe(q.Err), since)
	b.Queue(`
INSERT INTO freshet.sync_log (slot, batch, model, operation, keys, watermark, started_at, duration_ms, success, error)
VALUES ($1, coalesce((SELECT batch FROM freshet.checkpoint WHERE slot = $1), 0), $2, 'backfill', ARRAY[$3::text], $4, now(), 0, false, $5)`,
		slot, q.Model, q.Key, since, describe(q.Err))
	if err := conn.SendBatch(ctx, &b).Close(); err != nil {
		return fmt.Errorf("set %s %s aside: %w", q.Model, q.Key, err)
	}
	return nil
}

// The index of the keys is by their hash.
const unhold = `
DELETE FROM freshet.pending WHERE model = $1 AND key = $2 AND hashtextextended(key, 0) = hashtextextended($2, 0)`

func (w *writer) queuePending(b *pgx.Batch) {
	for _, q := range w.result.Quarantined {
		b.Queue(hold, q.Model, q.Key, describe(q.Err), w.work.Batch.Watermark)
	}
	for _, k := range w.built {
		b.Queue(unhold, k.Model, k.Key)
	}
}

// settleHeld brings the memory of held keys up to what was committed.
func (a *Applier) settleHeld(w *writer) {
	for _, k := range w.built {
		delete(a.held, k)
	}
	for _, q := range w.result.Quarantined {
		a.held[PendingKey{q.Model, q.Key}] = true
	}
}
