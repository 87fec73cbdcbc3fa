package soak

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
)

// nudge returns the end of the WAL and puts a marker behind it: the LSN may lie
// behind the last commit, in what the projector itself has written, and an
// idle projector moves past that only for a marker. It is the end of what was
// inserted, since an asynchronous commit is visible before it is durable.
func nudge(ctx context.Context, conn *pgx.Conn) (pglogrepl.LSN, error) {
	var lsn pglogrepl.LSN
	if err := conn.QueryRow(ctx, `SELECT pg_current_wal_insert_lsn()`).Scan(&lsn); err != nil {
		return 0, fmt.Errorf("read the end of the WAL: %w", err)
	}
	if _, err := conn.Exec(ctx, `SELECT pg_logical_emit_message(true, 'freshet', 'soak')`); err != nil {
		return 0, fmt.Errorf("emit marker: %w", err)
	}
	return lsn, nil
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
