package soak

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// progressEvery is how often a line tells how far the run is.
const progressEvery = 10 * time.Second

// progress samples the projector's memory, and tells how far the run is.
func (r *run) progress(ctx context.Context) error {
	s := &session{run: r, name: "progress"}
	defer s.close()
	told := time.Now()
	for pause(ctx, time.Second) == nil {
		r.memory.add(r.crew.memory())
		if time.Since(told) < progressEvery {
			continue
		}
		told = time.Now()
		r.say("%s", r.line(ctx, s))
	}
	return nil
}

// line is one line of progress.
func (r *run) line(ctx context.Context, s *session) string {
	elapsed := time.Since(r.memory.began)
	n := r.drawn.committed.get()
	return fmt.Sprintf("%5s: %d transactions (%.0f/s), %d faults (%s)%s, %d documents in %d comparisons, %s, projector %.0f MB",
		elapsed.Round(time.Second), n, float64(n)/elapsed.Seconds(), r.faults.get(), &r.faults, during(&r.now),
		r.documents.Load(), r.checks.Load(), r.behind(ctx, s), float64(r.crew.memory())/1e6)
}

func during(p *present) string {
	if s := p.String(); s != "" {
		return ", now " + s
	}
	return ""
}

// behind tells how far the projector is behind, without waiting for a server
// that is down.
func (r *run) behind(ctx context.Context, s *session) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	text := "the server does not answer"
	err := s.do(ctx, func(c *pgx.Conn) error {
		return c.QueryRow(ctx, `SELECT format('%s behind, %s to complete', pg_size_pretty(greatest(0, pg_wal_lsn_diff(pg_current_wal_insert_lsn(), watermark))),
			pg_size_pretty(greatest(0, pg_wal_lsn_diff(watermark, complete)))) FROM freshet.checkpoint WHERE slot = $1`, r.cfg.Slot).Scan(&text)
	})
	if err != nil && s.conn != nil && s.conn.IsClosed() {
		s.conn = nil
	}
	return text
}

// say logs, where somebody listens.
func (r *run) say(format string, args ...any) {
	if r.cfg.Log != nil {
		r.cfg.Log(format, args...)
	}
}
