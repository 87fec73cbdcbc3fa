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
	slotLost    = "was lost: the server removed the WAL that it needed (see max_slot_wal_keep_size)"
	slotMissing = "is gone: somebody dropped it, or this database was restored from a backup, which holds no slots"
)

// slotState is what pg_replication_slots says of the slot.
type slotState struct {
	name      string
	exists    bool
	walStatus string
	confirmed pglogrepl.LSN
}

func findSlot(ctx context.Context, conn *pgx.Conn, name string) (slotState, error) {
	s := slotState{name: name}
	var plugin, database string
	err := conn.QueryRow(ctx, `
SELECT coalesce(plugin, 'none: it is a physical slot'), coalesce(database, ''), coalesce(wal_status, ''), coalesce(confirmed_flush_lsn, '0/0')
FROM pg_replication_slots WHERE slot_name = $1`, name).Scan(&plugin, &database, &s.walStatus, &s.confirmed)
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
	s.exists = true
	return s, nil
}

func (s slotState) lost() bool { return s.exists && s.walStatus == "lost" }

// gap returns an error when changes between what is applied and what the slot
// still has to give are missing.
func (s slotState) gap(applied pglogrepl.LSN) error {
	switch {
	case !s.exists:
		return &SlotError{Slot: s.name, Problem: slotMissing}
	case s.lost():
		return &SlotError{Slot: s.name, Problem: slotLost}
	case s.confirmed > applied:
		return &SlotError{Slot: s.name, Problem: fmt.Sprintf("begins at %s, but documents are only applied up to %s: it was dropped and created again, or moved on by somebody else", s.confirmed, applied)}
	}
	return nil
}
