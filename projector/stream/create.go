package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// SlotSnapshot is a slot just created, with the snapshot of the database as
// it was at the slot's beginning: what the snapshot sees, the stream does not
// send, and the other way round.
type SlotSnapshot struct {
	Slot            string
	ConsistentPoint pglogrepl.LSN // where the slot begins
	Snapshot        string        // for SET TRANSACTION SNAPSHOT; it can be taken until Close
	System          System

	conn *pgconn.PgConn
}

type watchBuilder = func(*pgconn.PgConn) ctxwatch.Handler

// cancelPatience is how long a cancelled creation may take to end.
const cancelPatience = 5 * time.Second

// CreateSlot creates the slot and exports its snapshot. It waits until every
// transaction that is running now has ended; a done ctx ends the wait, and
// leaves no slot behind. Config.Publication may be empty.
//
// The snapshot lasts until Close, or until the connection breaks.
func CreateSlot(ctx context.Context, cfg Config) (*SlotSnapshot, error) {
	if err := CheckSlotName(cfg.Slot); err != nil {
		return nil, err
	}
	// The server does not look at its client while it waits for a transaction:
	// closing the connection would leave it there to finish the slot later. So
	// it is told.
	conn, err := connect(ctx, cfg.Conn, func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: cancelPatience}
	})
	if err != nil {
		return nil, err
	}
	s, err := createSlot(ctx, conn, cfg)
	if err != nil {
		hangUp(conn)
		return nil, fmt.Errorf("create slot %s: %w", cfg.Slot, err)
	}
	return s, nil
}

func createSlot(ctx context.Context, conn *pgconn.PgConn, cfg Config) (*SlotSnapshot, error) {
	system, err := identify(ctx, conn)
	if err != nil {
		return nil, err
	}
	i, err := inspect(ctx, conn, cfg)
	if err != nil {
		return nil, err
	}
	system.Version = i.version
	if err := i.checkServer(); err != nil {
		return nil, err
	}
	if i.slot {
		return nil, ErrSlotExists
	}
	r, err := pglogrepl.ParseCreateReplicationSlot(conn.Exec(ctx, createCommand(cfg.Slot, i.version)))
	if err != nil {
		return nil, createError(ctx, err)
	}
	point, err := pglogrepl.ParseLSN(r.ConsistentPoint)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, undo(conn, cfg.Slot, err)
	}
	return &SlotSnapshot{Slot: cfg.Slot, ConsistentPoint: point, Snapshot: r.SnapshotName, System: system, conn: conn}, nil
}

// createCommand asks for a slot that standbys keep in step, where the server
// has such: after a failover the projector goes on with it. Where no standby
// does, it is like any other.
func createCommand(slot string, version int) string {
	if version < failoverSlots {
		return fmt.Sprintf("CREATE_REPLICATION_SLOT %s LOGICAL %s EXPORT_SNAPSHOT", pgx.Identifier{slot}.Sanitize(), plugin)
	}
	return fmt.Sprintf("CREATE_REPLICATION_SLOT %s LOGICAL %s (SNAPSHOT 'export', FAILOVER true)", pgx.Identifier{slot}.Sanitize(), plugin)
}

// createError prefers the caller's own reason to the server's "cancelled".
func createError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("waiting for running transactions to end: %w", ctx.Err())
	}
	return classify(err)
}

// undo drops the slot that was created although nobody wants it any more.
func undo(conn *pgconn.PgConn, slot string, cause error) error {
	ctx, cancel := context.WithTimeout(context.Background(), cancelPatience)
	defer cancel()
	err := pglogrepl.DropReplicationSlot(ctx, conn, pgx.Identifier{slot}.Sanitize(), pglogrepl.DropReplicationSlotOptions{})
	if err != nil {
		return fmt.Errorf("%w; dropping it again failed: %w", cause, err)
	}
	return cause
}

// Close ends the snapshot. The slot stays.
func (s *SlotSnapshot) Close(ctx context.Context) error {
	if err := s.conn.Close(ctx); err != nil {
		return fmt.Errorf("close the connection of slot %s: %w", s.Slot, err)
	}
	return nil
}
