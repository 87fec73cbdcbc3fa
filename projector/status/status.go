// Package status reads, from the database alone, how Freshet stands: the slot,
// the place of the projector, the read models and what waits. It works with
// the projector down, which is when it is needed most.
//
// Guarantees: one statement for each part, none of which reads a source table,
// the WAL, or more of sync_log than one row of each model and the newest 1,000
// failures.
package status

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Database is the state that the database knows.
type Database struct {
	Now        time.Time   `json:"now"`
	WriteLSN   string      `json:"writeLsn"` // where the server writes now
	Slot       Slot        `json:"slot"`
	Checkpoint *Checkpoint `json:"checkpoint"` // nil before the first start
	Leader     *Leader     `json:"leader"`     // nil: no projector leads
	Models     []Model     `json:"models"`
	FanOuts    []FanOut    `json:"fanOuts"`  // in the order in which they are done; only the first is under way
	Diverged   Diverged    `json:"diverged"` // what the self-check has found
	Pending    []Pending   `json:"pending"`  // the 20 longest waiting, those in quarantine first
}

// Slot is the replication slot. Bytes are counted up to WriteLSN.
type Slot struct {
	Name          string  `json:"name"`
	Exists        bool    `json:"exists"`
	Active        bool    `json:"active"`
	PID           *int32  `json:"pid"`       // of the walsender
	WALStatus     *string `json:"walStatus"` // reserved, extended, unreserved or lost
	ConfirmedLSN  *string `json:"confirmedLsn"`
	RetainedBytes *int64  `json:"retainedBytes"` // WAL kept on disk for the slot
	LagBytes      *int64  `json:"lagBytes"`      // WAL not yet confirmed
	SafeWALBytes  *int64  `json:"safeWalBytes"`  // that may still be written before the slot is lost; nil: no limit
}

// Checkpoint is how far the projector has come.
type Checkpoint struct {
	State      string     `json:"state"`
	Epoch      int64      `json:"epoch"`
	Batch      int64      `json:"batch"`
	AppliedLSN string     `json:"appliedLsn"`
	Watermark  string     `json:"watermark"`
	Complete   string     `json:"complete"` // the watermark without what fan-outs have put off
	LagBytes   int64      `json:"lagBytes"` // from the watermark to WriteLSN
	CommitTime *time.Time `json:"commitTime"`
	UpdatedAt  time.Time  `json:"updatedAt"`
}

// Model is one read model.
type Model struct {
	Name        string     `json:"name"`
	Table       string     `json:"table"`
	State       string     `json:"state"`
	Documents   int64      `json:"documents"` // estimated
	Bytes       int64      `json:"bytes"`     // table and indexes
	LastBatch   *time.Time `json:"lastBatch"`
	Pending     int64      `json:"pending"`
	Quarantined int64      `json:"quarantined"`
	Definition  string     `json:"definition"` // the first 12 digits of its hash: it changes with the model file
	Paused      *Paused    `json:"paused"`     // nil: it is kept up to date, or yet to be filled
}

// Paused says why a read model is not kept.
type Paused struct {
	Since    time.Time `json:"since"`
	SinceLSN string    `json:"sinceLsn"` // the first commit that its documents may lack
	Error    string    `json:"error"`    // what happened, where, and what to do
	Waits    string    `json:"waits"`    // what its being filled again waits for, where nothing is wrong any more
}

// Pending is a key that waits.
type Pending struct {
	Model    string    `json:"model"`
	Key      string    `json:"key"`
	Reason   string    `json:"reason"`
	Error    *string   `json:"error"` // its first 1,000 characters
	Attempts int       `json:"attempts"`
	Since    time.Time `json:"since"`
	NextTry  time.Time `json:"nextTry"`
}

// Read reads the state of a slot's projector.
func Read(ctx context.Context, conn *pgx.Conn, slot string) (Database, error) {
	d := Database{Slot: Slot{Name: slot}}
	for _, part := range []struct {
		what string
		read func(context.Context, *pgx.Conn, *Database) error
	}{{"slot", readSlot}, {"checkpoint", readCheckpoint}, {"leader", readLeader}, {"read models", readModels},
		{"fan-outs", readFanOuts}, {"pending keys", readPending}, {"self-check", readDiverged}} {
		if err := part.read(ctx, conn, &d); err != nil {
			return d, fmt.Errorf("read the state of the %s: %w", part.what, err)
		}
	}
	return d, nil
}

func readSlot(ctx context.Context, conn *pgx.Conn, d *Database) error {
	err := conn.QueryRow(ctx, `SELECT now(), pg_current_wal_insert_lsn()::text`).Scan(&d.Now, &d.WriteLSN)
	if err != nil {
		return err
	}
	s := &d.Slot
	err = conn.QueryRow(ctx, `
SELECT active, active_pid, wal_status, confirmed_flush_lsn::text,
       ($2::pg_lsn - restart_lsn)::bigint, ($2::pg_lsn - confirmed_flush_lsn)::bigint, safe_wal_size
FROM pg_replication_slots WHERE slot_name = $1`, s.Name, d.WriteLSN).Scan(
		&s.Active, &s.PID, &s.WALStatus, &s.ConfirmedLSN, &s.RetainedBytes, &s.LagBytes, &s.SafeWALBytes)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	s.Exists = err == nil
	return err
}

func readCheckpoint(ctx context.Context, conn *pgx.Conn, d *Database) error {
	var c Checkpoint
	err := conn.QueryRow(ctx, `
SELECT state, epoch, batch, applied_lsn::text, watermark::text, complete::text, greatest($2::pg_lsn - watermark, 0)::bigint, commit_time, updated_at
FROM freshet.checkpoint WHERE slot = $1`, d.Slot.Name, d.WriteLSN).Scan(
		&c.State, &c.Epoch, &c.Batch, &c.AppliedLSN, &c.Watermark, &c.Complete, &c.LagBytes, &c.CommitTime, &c.UpdatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err == nil {
		d.Checkpoint = &c
	}
	return err
}

func readModels(ctx context.Context, conn *pgx.Conn, d *Database) error {
	rows, err := conn.Query(ctx, `
SELECT m.name, (m.layout->>'schema') || '.' || (m.layout->>'table'), m.state,
       coalesce(greatest(c.reltuples, 0)::bigint, 0), coalesce(pg_total_relation_size(c.oid), 0),
       (SELECT l.logged_at FROM freshet.sync_log AS l WHERE l.model = m.name ORDER BY l.id DESC LIMIT 1),
       count(p.key) FILTER (WHERE p.reason <> 'quarantine'), count(p.key) FILTER (WHERE p.reason = 'quarantine'),
       left(m.hash, 12),
       CASE WHEN m.state = 'paused' THEN jsonb_build_object('since', coalesce(m.paused_at, now()),
            'sinceLsn', coalesce(m.paused_lsn, '0/1')::text, 'error', coalesce(m.error, ''), 'waits', coalesce(m.waits, '')) END
FROM freshet.models AS m
LEFT JOIN pg_namespace AS n ON n.nspname = m.layout->>'schema'
LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = m.layout->>'table'
LEFT JOIN freshet.pending AS p ON p.model = m.name
GROUP BY m.name, c.oid, c.reltuples
ORDER BY m.name`)
	if err != nil {
		return err
	}
	d.Models, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Model])
	return err
}

func readPending(ctx context.Context, conn *pgx.Conn, d *Database) error {
	rows, err := conn.Query(ctx, `
SELECT model, key, reason, left(error, 1000), attempts, created_at, next_try_at
FROM freshet.pending ORDER BY reason = 'quarantine' DESC, created_at LIMIT 20`)
	if err != nil {
		return err
	}
	d.Pending, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Pending])
	return err
}
