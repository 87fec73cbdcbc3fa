// Package checkpoint keeps the projector's place: which slot of which cluster
// it follows, how far it has come, and which projector is in charge.
//
// Guarantees: progress is never carried over to another cluster, timeline,
// database or slot (Mismatch says which); only one projector at a time holds
// TryLock's lock; once Evict has returned, no session of an earlier holder is
// left; and taking over raises the epoch, by which every earlier one is fenced.
package checkpoint

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
)

// Identity says whose progress a checkpoint is.
type Identity struct {
	SystemID string
	Timeline int32
	Database string
	Slot     string
}

// Checkpoint is one row of freshet.checkpoint.
type Checkpoint struct {
	Identity  Identity
	State     string // "backfilling" or "streaming"
	Epoch     int64
	Batch     int64
	Applied   pglogrepl.LSN
	Watermark pglogrepl.LSN
}

// Mismatch says that the stored progress belongs to something else.
type Mismatch struct {
	Stored, Found Identity
}

// Error says what differs, and what to do about it.
func (m *Mismatch) Error() string {
	what := "cluster (system identifier " + m.Stored.SystemID + ", this one is " + m.Found.SystemID + ")"
	switch {
	case m.Stored.SystemID != m.Found.SystemID:
	case m.Stored.Database != m.Found.Database:
		what = fmt.Sprintf("database (%q, this one is %q)", m.Stored.Database, m.Found.Database)
	default:
		what = fmt.Sprintf("timeline (%d, this one is %d)", m.Stored.Timeline, m.Found.Timeline)
	}
	return "the progress in freshet.checkpoint belongs to another " + what +
		": this database was restored from a backup or promoted from a standby, and changes may be missing between the two. " +
		"Start once with --recreate-slot: it makes a new slot and compares and repairs every document, while the old ones are served"
}

// ErrNone says that there is no checkpoint for the slot yet.
var ErrNone = errors.New("no checkpoint")

// ErrStandby says that the server is a standby, for now at least.
var ErrStandby = errors.New("this server is a standby, which nothing can be written to: connect to the primary, or promote this one")

// Find returns the identity of the database behind conn.
func Find(ctx context.Context, conn *pgx.Conn, slot string) (Identity, error) {
	id := Identity{Slot: slot}
	// The timeline is read off the name of the WAL file being written: the
	// control file knows a new one only after the checkpoint that follows a
	// promotion.
	var standby bool
	err := conn.QueryRow(ctx, `
SELECT pg_is_in_recovery(), system_identifier::text, current_database(), CASE WHEN pg_is_in_recovery() THEN 0
       ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer END
FROM pg_control_system()`).Scan(&standby, &id.SystemID, &id.Database, &id.Timeline)
	if err == nil && standby {
		err = ErrStandby
	}
	if err != nil {
		return Identity{}, fmt.Errorf("identify the cluster: %w", err)
	}
	return id, nil
}

// Load returns the slot's checkpoint, or ErrNone.
func Load(ctx context.Context, conn *pgx.Conn, slot string) (Checkpoint, error) {
	c := Checkpoint{Identity: Identity{Slot: slot}}
	err := conn.QueryRow(ctx, `
SELECT system_id, timeline, database, state, epoch, batch, applied_lsn, watermark
FROM freshet.checkpoint WHERE slot = $1`, slot).Scan(
		&c.Identity.SystemID, &c.Identity.Timeline, &c.Identity.Database, &c.State, &c.Epoch, &c.Batch, &c.Applied, &c.Watermark)
	if errors.Is(err, pgx.ErrNoRows) {
		return Checkpoint{}, ErrNone
	}
	if err != nil {
		return Checkpoint{}, fmt.Errorf("read freshet.checkpoint: %w", err)
	}
	return c, nil
}

// Create writes the first checkpoint of a slot whose changes begin at start.
// One that is there is replaced: its epoch is raised, and so is its batch
// number, so that the log stays in order. Its fan-outs end: every document is
// to be filled.
func Create(ctx context.Context, conn *pgx.Conn, id Identity, start pglogrepl.LSN) error {
	_, err := conn.Exec(ctx, `
WITH ended AS (DELETE FROM freshet.fanout WHERE slot = $1)
INSERT INTO freshet.checkpoint AS c (slot, system_id, timeline, database, state, epoch, batch, applied_lsn, watermark, updated_at)
VALUES ($1, $2, $3, $4, 'backfilling', 1, 0, $5, '0/0', now())
ON CONFLICT (slot) DO UPDATE
SET system_id = excluded.system_id, timeline = excluded.timeline, database = excluded.database, state = 'backfilling',
    epoch = c.epoch + 1, partitions = '{}', applied_lsn = excluded.applied_lsn, watermark = '0/0', complete = '0/0', updated_at = now()`,
		id.Slot, id.SystemID, id.Timeline, id.Database, start)
	if err != nil {
		return fmt.Errorf("write freshet.checkpoint: %w", err)
	}
	return nil
}

// TakeOver raises the epoch and returns the checkpoint under it, or a
// *Mismatch when it belongs to another database.
func TakeOver(ctx context.Context, conn *pgx.Conn, found Identity) (Checkpoint, error) {
	c, err := Load(ctx, conn, found.Slot)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Identity != found {
		return Checkpoint{}, &Mismatch{Stored: c.Identity, Found: found}
	}
	err = conn.QueryRow(ctx, "UPDATE freshet.checkpoint SET epoch = epoch + 1, updated_at = now() WHERE slot = $1 RETURNING epoch, applied_lsn, batch",
		found.Slot).Scan(&c.Epoch, &c.Applied, &c.Batch)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("take over freshet.checkpoint: %w", err)
	}
	return c, nil
}

// Advance moves the place of an idle projector on, and tells the readers of the
// feed: nothing of the sources lies between it and lsn. Complete is the
// watermark without what fan-outs have put off. It returns false when another
// projector has taken over.
func Advance(ctx context.Context, conn *pgx.Conn, slot string, epoch int64, lsn, complete pglogrepl.LSN) (bool, error) {
	tag, err := conn.Exec(ctx, `
WITH moved AS (
    UPDATE freshet.checkpoint SET applied_lsn = greatest(applied_lsn, $3), watermark = greatest(watermark, $3),
        complete = greatest(complete, $4), updated_at = now()
    WHERE slot = $1 AND epoch = $2 RETURNING watermark)
SELECT pg_notify('freshet', watermark::text) FROM moved`, slot, epoch, lsn, complete)
	if err != nil {
		return false, fmt.Errorf("advance freshet.checkpoint: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// Partitions returns the state of partitioned tables, by name, that was saved
// last.
func Partitions(ctx context.Context, conn *pgx.Conn, slot string) (map[string]string, error) {
	var states map[string]string
	err := conn.QueryRow(ctx, "SELECT partitions FROM freshet.checkpoint WHERE slot = $1", slot).Scan(&states)
	if err != nil {
		return nil, fmt.Errorf("read freshet.checkpoint: %w", err)
	}
	return states, nil
}

// SavePartitions notes the state of partitioned tables that the documents
// reflect. It returns false when another projector has taken over.
func SavePartitions(ctx context.Context, conn *pgx.Conn, slot string, epoch int64, states map[string]string) (bool, error) {
	tag, err := conn.Exec(ctx, "UPDATE freshet.checkpoint SET partitions = $3 WHERE slot = $1 AND epoch = $2", slot, epoch, states)
	if err != nil {
		return false, fmt.Errorf("write freshet.checkpoint: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// lockClass is the first key of Freshet's advisory locks, "frsh" in ASCII.
const lockClass = 0x66727368

// TryLock takes the slot's lock for the life of conn. Where another session
// holds it, it returns false and who that is.
func TryLock(ctx context.Context, conn *pgx.Conn, slot string) (ok bool, holder string, err error) {
	err = conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1, hashtext($2))", int32(lockClass), slot).Scan(&ok)
	if err != nil {
		return false, "", fmt.Errorf("take the projector's lock: %w", err)
	}
	if ok {
		return true, "", nil
	}
	leader, err := Holder(ctx, conn, slot)
	return false, leader.String(), err
}
