package projector

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"

	"freshet/projector/apply"
	"freshet/projector/checkpoint"
	"freshet/projector/migrate"
)

// housekeep is what a loop does now and then.
func (l *loop) housekeep(ctx, work context.Context) error {
	if time.Since(l.checked) >= checkReady {
		l.checked = time.Now()
		cfg := l.engine.cfg
		if err := migrate.Ready(work, l.control, cfg.Plan, cfg.Slot, cfg.Publication); err != nil {
			return err
		}
		if err := l.followPartitions(ctx, work); err != nil {
			return err
		}
	}
	if err := l.due(ctx, work); err != nil {
		return err
	}
	if time.Since(l.persisted) >= persistIdle {
		if err := l.persist(work, idleBytes); err != nil {
			return err
		}
	}
	if err := l.confirmFlushed(work); err != nil {
		return err
	}
	return l.trim(work)
}

// due rebuilds the pending keys whose time has come, a chunk in each batch, so
// that what is written meanwhile goes along.
func (l *loop) due(ctx, work context.Context) error {
	for ctx.Err() == nil {
		pending, err := apply.Due(work, l.control, l.engine.cfg.Plan)
		if err != nil || len(pending) == 0 {
			return err
		}
		if err := l.batch(ctx, work, pending); err != nil {
			return err
		}
		if len(pending) < apply.MaxDue {
			return nil
		}
	}
	return nil
}

// confirmFlushed confirms the last batch of a loop that has become idle, once
// the server has flushed it.
func (l *loop) confirmFlushed(work context.Context) error {
	if l.confirmed >= l.applied {
		return nil
	}
	var flushed pglogrepl.LSN
	if err := l.control.QueryRow(work, "SELECT pg_current_wal_flush_lsn()").Scan(&flushed); err != nil {
		return fmt.Errorf("ask how far the WAL is flushed: %w", err)
	}
	if flushed >= l.flush {
		l.confirm(l.applied)
	}
	return nil
}

// settle ends a loop in good order: its place is written down with a flush,
// and confirmed.
func (l *loop) settle(work context.Context) error {
	if err := l.persist(work, 1); err != nil || l.confirmed >= l.applied {
		return err
	}
	ok, err := checkpoint.Advance(work, l.control, l.engine.cfg.Slot, l.epoch, l.applied)
	if err == nil && ok {
		l.confirm(l.applied)
	}
	return err
}

// persist writes an idle place down and confirms it, in this order: the slot
// never runs ahead of the checkpoint, which is how a slot that somebody moved
// is noticed. It does nothing where the place moved by less than atLeast bytes.
func (l *loop) persist(work context.Context, atLeast pglogrepl.LSN) error {
	l.persisted = time.Now()
	received := l.queue.Received()
	if !l.queue.Empty() || received < l.applied+atLeast {
		return nil
	}
	ok, err := checkpoint.Advance(work, l.control, l.engine.cfg.Slot, l.epoch, received)
	if err != nil {
		return err
	}
	if !ok {
		return apply.ErrFenced
	}
	l.applied = received
	l.confirm(received)
	l.engine.advanced(received)
	return nil
}

// trim removes sync_log rows past their age, a bounded number at a time.
func (l *loop) trim(work context.Context) error {
	if time.Since(l.trimmed) < time.Minute {
		return nil
	}
	l.trimmed = time.Now()
	_, err := l.control.Exec(work, `
DELETE FROM freshet.sync_log WHERE id IN (
    SELECT id FROM freshet.sync_log WHERE logged_at < now() - $1::bigint * interval '1 second' ORDER BY logged_at LIMIT 10000)`,
		int64(l.engine.cfg.Retention/time.Second))
	if err != nil {
		return fmt.Errorf("trim sync_log: %w", err)
	}
	return nil
}
