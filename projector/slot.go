package projector

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"freshet/projector/stream"
)

// SlotError says that the slot can not be followed any more without losing
// changes. What mends it is a fresh slot and a rebuild: Config.RecreateSlot.
type SlotError struct {
	Slot    string
	Problem string
}

// Error says what happened and what to do.
func (e *SlotError) Error() string {
	return fmt.Sprintf("replication slot %q %s. Changes since then cannot be read any more. "+
		"Start once with --recreate-slot: it makes a new slot and compares and repairs every document, while the old ones are served", e.Slot, e.Problem)
}

const (
	slotLost    = "was lost: the server removed what it needed"
	slotMissing = "is gone: somebody dropped it, or this database was restored from a backup, which holds no slots"
)

// slotState is what pg_replication_slots says of the slot.
type slotState struct {
	name      string
	exists    bool
	walStatus string
	reason    string // why it was invalidated, from Postgres 17 on
	confirmed pglogrepl.LSN
}

func findSlot(ctx context.Context, conn *pgx.Conn, name string) (slotState, error) {
	s := slotState{name: name}
	var plugin, database string
	var pid int32
	err := conn.QueryRow(ctx, `
SELECT coalesce(plugin, 'none: it is a physical slot'), coalesce(database, ''), coalesce(wal_status, ''), coalesce(confirmed_flush_lsn, '0/0'), coalesce(active_pid, 0),
       coalesce(to_jsonb(s) ->> 'invalidation_reason', '')
FROM pg_replication_slots AS s WHERE slot_name = $1`, name).Scan(&plugin, &database, &s.walStatus, &s.confirmed, &pid, &s.reason)
	if errors.Is(err, pgx.ErrNoRows) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("look for replication slot %q: %w", name, err)
	}
	if plugin != "pgoutput" {
		return s, fmt.Errorf("%w: the plugin of %q is %s, not pgoutput. Choose another name with --slot", stream.ErrSlotForeign, name, plugin)
	}
	if database != conn.Config().Database {
		return s, fmt.Errorf("%w: %q belongs to database %q. Choose another name with --slot", stream.ErrSlotForeign, name, database)
	}
	if s.confirmed == 0 {
		// It goes away with the session that creates it, or is there when the
		// transactions that were running have ended.
		return s, fmt.Errorf("%w: it is being created by process %d, which waits for running transactions to end", stream.ErrSlotActive, pid)
	}
	s.exists = true
	return s, nil
}

func (s slotState) lost() bool { return s.exists && s.walStatus == "lost" }

// loss is the error for a slot that was lost.
func (s slotState) loss() error {
	because := map[string]string{
		"":                       " (see max_slot_wal_keep_size)",
		"wal_removed":            " (WAL: see max_slot_wal_keep_size)",
		"idle_timeout":           " (nobody had read from it for idle_replication_slot_timeout)",
		"rows_removed":           " (old rows of the catalog)",
		"wal_level_insufficient": " (wal_level was below logical for a time)",
	}
	why, known := because[s.reason]
	if !known {
		why = " (" + s.reason + ")"
	}
	return &SlotError{Slot: s.name, Problem: slotLost + why}
}

// gap returns an error when changes between what is applied and what the slot
// still has to give are missing.
func (s slotState) gap(applied pglogrepl.LSN) error {
	switch {
	case !s.exists:
		return &SlotError{Slot: s.name, Problem: slotMissing}
	case s.lost():
		return s.loss()
	case s.confirmed > applied:
		return &SlotError{Slot: s.name, Problem: fmt.Sprintf("begins at %s, but documents are only applied up to %s: it was dropped and created again, or moved on by somebody else", s.confirmed, applied)}
	}
	return nil
}
