package soak

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
)

// mark puts a marker into the WAL, so that an idle projector moves too, and
// returns the LSN behind it.
func emitMarker(ctx context.Context, conn *pgx.Conn) (pglogrepl.LSN, error) {
	if _, err := conn.Exec(ctx, `SELECT pg_logical_emit_message(true, 'freshet', 'soak')`); err != nil {
		return 0, fmt.Errorf("emit marker: %w", err)
	}
	return flushed(ctx, conn)
}

// flushed returns the end of the WAL that is durable.
func flushed(ctx context.Context, conn *pgx.Conn) (pglogrepl.LSN, error) {
	var lsn pglogrepl.LSN
	err := conn.QueryRow(ctx, `SELECT pg_current_wal_flush_lsn()`).Scan(&lsn)
	return lsn, err
}

// reached waits until the watermark is at or past lsn.
func (r *run) reached(ctx context.Context, conn *pgx.Conn, lsn pglogrepl.LSN) error {
	began := time.Now()
	wait := time.Millisecond
	for {
		var watermark pglogrepl.LSN
		err := conn.QueryRow(ctx, `SELECT coalesce((SELECT watermark FROM freshet.checkpoint WHERE slot = $1), '0/0')`, r.cfg.Slot).Scan(&watermark)
		if err != nil {
			return fmt.Errorf("read watermark: %w", err)
		}
		if watermark >= lsn {
			return nil
		}
		if err := r.projector.err(); err != nil {
			return err
		}
		if time.Since(began) > r.cfg.Patience {
			return fmt.Errorf("the watermark is still %s after %s, waiting for %s; at work are:\n%s", watermark, r.cfg.Patience, lsn, activity(ctx, conn))
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
		wait = min(wait*3/2, 50*time.Millisecond)
	}
}

// activity describes who does what, and who waits for whom.
func activity(ctx context.Context, conn *pgx.Conn) string {
	var text string
	err := conn.QueryRow(ctx, `SELECT coalesce(string_agg(format('    %s %s: %s, %s %s for %s, blocked by %s: %s', pid, application_name, state,
		wait_event_type, wait_event, now() - state_change, pg_blocking_pids(pid), left(regexp_replace(query, '\s+', ' ', 'g'), 150)), E'\n'), '')
		FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`).Scan(&text)
	if err != nil {
		return err.Error()
	}
	return text
}
