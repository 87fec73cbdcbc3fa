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
	return r.until(ctx, conn, lsn, `SELECT coalesce((SELECT watermark FROM freshet.checkpoint WHERE slot = $1), '0/0'), true`)
}

// settled waits until everything up to lsn is in every document: fan-outs are
// through, and no read model is paused.
func (r *run) settled(ctx context.Context, conn *pgx.Conn, lsn pglogrepl.LSN) error {
	return r.until(ctx, conn, lsn, `SELECT coalesce((SELECT complete FROM freshet.checkpoint WHERE slot = $1), '0/0'),
		NOT EXISTS (SELECT FROM freshet.lag) AND NOT EXISTS (SELECT FROM freshet.models WHERE state <> 'ready')`)
}

// until asks for an LSN, and whether all else is well, until it is at or past
// lsn and all is.
func (r *run) until(ctx context.Context, conn *pgx.Conn, lsn pglogrepl.LSN, sql string) error {
	for began, wait := time.Now(), time.Millisecond; ; wait = min(wait*3/2, 50*time.Millisecond) {
		var now pglogrepl.LSN
		var well bool
		if err := conn.QueryRow(ctx, sql, r.cfg.Slot).Scan(&now, &well); err != nil {
			return fmt.Errorf("read watermark: %w", err)
		}
		if now >= lsn && well {
			return nil
		}
		if err := r.impatient(ctx, conn, began, now, lsn); err != nil {
			return err
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// impatient fails when the projector has ended, or when it takes too long.
func (r *run) impatient(ctx context.Context, conn *pgx.Conn, began time.Time, now, lsn pglogrepl.LSN) error {
	if err := r.crew.err(); err != nil {
		return err
	}
	if time.Since(began) <= r.cfg.Patience {
		return nil
	}
	return fmt.Errorf("the watermark is still %s after %s, waiting for %s; late are: %s; at work are:\n%s\nthe projector said:\n%s",
		now, r.cfg.Patience, lsn, late(ctx, conn), activity(ctx, conn), r.crew.said())
}

// late describes what is not complete.
func late(ctx context.Context, conn *pgx.Conn) string {
	var text string
	err := conn.QueryRow(ctx, `SELECT concat_ws('; ',
		(SELECT string_agg(format('%s since %s, %s', model, since_lsn, reason), ', ') FROM freshet.lag),
		(SELECT string_agg(format('%s is %s: %s', name, state, error), ', ') FROM freshet.models WHERE state <> 'ready'),
		(SELECT format('watermark %s, complete %s', watermark, complete) FROM freshet.checkpoint LIMIT 1))`).Scan(&text)
	if err != nil {
		return err.Error()
	}
	return text
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
