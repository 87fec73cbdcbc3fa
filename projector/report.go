package projector

import (
	"time"

	"github.com/jackc/pglogrepl"

	"freshet/projector/apply"
	"freshet/projector/batch"
)

// report books a committed batch and tells whoever listens.
func (l *loop) report(b batch.Batch, r apply.Result, drained time.Duration) {
	now := time.Now()
	e := l.engine
	e.book(b, r, now)
	e.putOff(l.fanOuts.count(), l.complete(b.Watermark))
	if e.cfg.Events.Quarantined != nil {
		for _, q := range r.Quarantined {
			e.cfg.Events.Quarantined(q.Model, q.Key, q.Err)
		}
	}
	if e.cfg.Events.Diverged != nil {
		for _, x := range r.Wrong {
			e.cfg.Events.Diverged(Divergence{Model: x.Model, Key: x.Key, Kind: x.Kind, Path: x.Path, Stored: x.Stored, Defined: x.Defined})
		}
	}
	if e.cfg.Events.Batch != nil {
		e.cfg.Events.Batch(BatchEvent{
			Number: l.number, Transactions: b.Transactions, Changes: b.Changes,
			Upserted: r.Upserted, Deleted: r.Deleted, Unchanged: r.Unchanged, FanOuts: len(r.FanOuts), Watermark: b.Watermark,
			Phases:  Phases{Drain: drained, Resolve: r.Resolve, Rebuild: r.Rebuild, Spread: r.Spread, Commit: r.Commit},
			Commits: b.Commits, At: now,
		})
	}
}

func (e *Engine) book(b batch.Batch, r apply.Result, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := &e.status
	s.Batches++
	s.Transactions += int64(b.Transactions)
	s.Changes += int64(b.Changes)
	s.Upserted += int64(r.Upserted)
	s.Deleted += int64(r.Deleted)
	s.Unchanged += int64(r.Unchanged)
	s.Checked += int64(r.Checked)
	s.Diverged += int64(len(r.Wrong))
	s.Watermark, s.Applied = b.Watermark, b.Resume
	s.LastBatch = &now
	if !b.LastCommit.IsZero() {
		last := b.LastCommit
		s.LastCommit = &last
	}
}

// putOff books how much fan-outs have put off.
func (e *Engine) putOff(fanOuts int, complete pglogrepl.LSN) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status.FanOuts, e.status.Complete = fanOuts, complete
}

// advanced books the place of an idle projector.
func (e *Engine) advanced(lsn pglogrepl.LSN) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status.Watermark = max(e.status.Watermark, lsn)
	e.status.Applied = max(e.status.Applied, lsn)
}
