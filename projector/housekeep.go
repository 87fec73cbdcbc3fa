package projector

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"

	"freshet/projector/apply"
	"freshet/projector/checkpoint"
)

// housekeep is what a loop does now and then.
func (l *loop) housekeep(ctx, work context.Context) error {
	if time.Since(l.checked) >= checkReady || len(l.engine.paused) > 0 {
		l.checked = time.Now()
		if err := l.check(ctx, work); err != nil {
			return err
		}
		if err := l.followPartitions(ctx, work); err != nil {
			return err
		}
	}
	if err := l.openFills(work); err != nil {
		return err
	}
	if err := l.due(ctx, work); err != nil {
		return err
	}
	if err := l.persist(work, l.idleStep()); err != nil {
		return err
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
		pending, err := apply.Due(work, l.control, l.plan)
		if err != nil || len(pending) == 0 {
			return err
		}
		more := len(pending) == apply.MaxDue
		for len(pending) > 0 && ctx.Err() == nil {
			n := min(len(pending), l.portion())
			if err := l.batch(ctx, work, pending[:n]); err != nil {
				return err
			}
			pending = pending[n:]
		}
		if !more {
			return nil
		}
	}
	return nil
}

// fewDue is how many pending keys go along with a batch after some that could
// not be built: each of these costs several statements, and
// what is committed meanwhile waits for them.
const fewDue = 20

func (l *loop) portion() int {
	if l.faulty {
		return fewDue
	}
	return apply.MaxDue
}

func (l *loop) confirm(lsn pglogrepl.LSN) {
	l.confirmed = max(l.confirmed, lsn)
	l.stream.Confirm(lsn)
	l.engine.confirmed.Store(uint64(lsn))
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
	ok, err := checkpoint.Advance(work, l.control, l.engine.cfg.Slot, l.epoch, l.applied, l.complete(l.applied))
	if err == nil && ok {
		l.confirm(l.applied)
	}
	return err
}

const (
	// idleFar is by how much WAL an idle place may move before it is written
	// down at the next tick: the server keeps what lies behind it.
	idleFar = 16 << 20
	// chases is how often a place that has moved far is written down again for
	// any progress at all. The server lets go of WAL one step later than it is
	// told, and would otherwise keep it until something else is written.
	chases = 4
)

// idleStep is by how much an idle place must have moved to be written down
// now.
func (l *loop) idleStep() pglogrepl.LSN {
	switch {
	case time.Since(l.persisted) < persistIdle:
		return idleFar
	case l.chase > 0:
		return 1
	}
	return idleBytes
}

// persist writes an idle place down and confirms it, in this order: the slot
// never runs ahead of the checkpoint, which is how a slot that somebody moved
// is noticed. It does nothing where the place moved by less than atLeast bytes.
func (l *loop) persist(work context.Context, atLeast pglogrepl.LSN) error {
	received := l.queue.Received()
	if !l.queue.Empty() || received < l.applied+atLeast {
		return nil
	}
	l.persisted = time.Now()
	l.chase = max(l.chase-1, 0)
	if received >= l.applied+idleFar {
		l.chase = chases
	}
	ok, err := checkpoint.Advance(work, l.control, l.engine.cfg.Slot, l.epoch, received, l.complete(received))
	if err != nil {
		return err
	}
	if !ok {
		return apply.ErrFenced
	}
	l.applied = received
	l.confirm(received)
	l.engine.advanced(received)
	l.engine.putOff(l.fanOuts.count(), l.complete(received))
	return nil
}

// complete is the watermark below which nothing is put off.
func (l *loop) complete(watermark pglogrepl.LSN) pglogrepl.LSN {
	if since := l.fanOuts.since(); since > 0 {
		return min(watermark, since-1)
	}
	return watermark
}

// trimAtOnce is how many rows one trim removes at most: a writing of a moment.
const trimAtOnce = 10_000

// trim removes sync_log rows past their age, once a minute, and again at the
// next tick where there are more: a busy projector writes more than that in a
// minute.
func (l *loop) trim(work context.Context) error {
	if time.Since(l.trimmed) < time.Minute {
		return nil
	}
	l.trimmed = time.Now()
	if err := l.untangle(work); err != nil {
		return err
	}
	tag, err := l.control.Exec(work, `
DELETE FROM freshet.sync_log WHERE id IN (
    SELECT id FROM freshet.sync_log WHERE logged_at < now() - $1::bigint * interval '1 second' ORDER BY logged_at LIMIT $2)`,
		int64(l.engine.cfg.Retention/time.Second), trimAtOnce)
	if err != nil {
		return fmt.Errorf("trim sync_log: %w", err)
	}
	if tag.RowsAffected() == trimAtOnce {
		l.trimmed = time.Time{}
	}
	return nil
}
