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
	if e.cfg.Events.Quarantined != nil {
		for _, q := range r.Quarantined {
			e.cfg.Events.Quarantined(q.Model, q.Key, q.Err)
		}
	}
	if e.cfg.Events.Batch != nil {
		e.cfg.Events.Batch(BatchEvent{
			Number: l.number, Transactions: b.Transactions, Changes: b.Changes,
			Upserted: r.Upserted, Deleted: r.Deleted, Unchanged: r.Unchanged, Watermark: b.Watermark,
			Phases:  Phases{Drain: drained, Resolve: r.Resolve, Rebuild: r.Rebuild, Commit: r.Commit},
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
	s.Watermark, s.Applied = b.Watermark, b.Resume
	s.LastBatch = &now
	if !b.LastCommit.IsZero() {
		last := b.LastCommit
		s.LastCommit = &last
	}
}

// advanced books the place of an idle projector.
func (e *Engine) advanced(lsn pglogrepl.LSN) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status.Watermark = max(e.status.Watermark, lsn)
	e.status.Applied = max(e.status.Applied, lsn)
}
