package soak

import (
	"context"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// killProjector kills a process, lets changes pile up for a moment, and starts
// another.
func (r *run) killProjector(ctx context.Context, _ *session, random *rand.Rand) (bool, error) {
	p := r.crew.any(random)
	if err := p.kill(); err != nil {
		return true, err
	}
	_ = pause(ctx, time.Duration(random.IntN(400))*time.Millisecond) // at the end of the run: start it all the same, for the last check
	return true, p.start()
}

// cutConnection ends one of the projector's connections, walsender included.
func (r *run) cutConnection(ctx context.Context, s *session, random *rand.Rand) (done bool, err error) {
	err = s.do(ctx, func(c *pgx.Conn) error {
		tag, err := c.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name NOT LIKE 'soak %' AND backend_type IN ('client backend', 'walsender')
			ORDER BY md5(pid::text || $1::int) LIMIT 1`, random.IntN(1000))
		done = tag.RowsAffected() > 0
		return err
	})
	return done, err
}

// freeze stops a process and lets it go on later, as if nothing had been.
func (r *run) freeze(ctx context.Context, _ *session, random *rand.Rand) (bool, error) {
	p := r.crew.any(random)
	p.signal(syscall.SIGSTOP)
	_ = pause(ctx, r.lasting(random, 1))
	p.signal(syscall.SIGCONT)
	return true, nil
}

// standBy starts a second projector and kills one of the two.
func (r *run) standBy(ctx context.Context, _ *session, random *rand.Rand) (bool, error) {
	first := r.crew.any(random)
	second, err := r.crew.join()
	if err != nil {
		return false, err
	}
	_ = pause(ctx, r.lasting(random, 0.1))
	leaves := first
	if random.IntN(4) == 0 {
		leaves = second
	}
	return true, r.crew.dismiss(leaves)
}

// takeOver starts a second projector and freezes the first. Once the second
// leads, or too long after, the first wakes up: it must find that it no longer
// leads. Then one of the two is killed.
func (r *run) takeOver(ctx context.Context, s *session, random *rand.Rand) (bool, error) {
	first := r.crew.any(random)
	second, err := r.crew.join()
	if err != nil {
		return false, err
	}
	_ = pause(ctx, r.lasting(random, 0.1))
	before, err := r.epoch(ctx, s)
	if err == nil {
		first.signal(syscall.SIGSTOP)
		r.awaitEpoch(ctx, s, before)
		_ = pause(ctx, r.lasting(random, 0.05))
		first.signal(syscall.SIGCONT)
		_ = pause(ctx, r.lasting(random, 0.05))
	}
	leaves := first
	if random.IntN(2) == 0 {
		leaves = second
	}
	if derr := r.crew.dismiss(leaves); err == nil {
		err = derr
	}
	return true, err
}

// epoch returns how often the lead has been taken.
func (r *run) epoch(ctx context.Context, s *session) (epoch int64, err error) {
	err = s.do(ctx, func(c *pgx.Conn) error {
		return c.QueryRow(ctx, `SELECT coalesce((SELECT epoch FROM freshet.checkpoint WHERE slot = $1), 0)`, r.cfg.Slot).Scan(&epoch)
	})
	return epoch, err
}

// awaitEpoch waits until somebody else leads, as long as a freeze may last.
func (r *run) awaitEpoch(ctx context.Context, s *session, before int64) {
	for began := time.Now(); time.Since(began) < r.cfg.Hold; {
		if now, err := r.epoch(ctx, s); err != nil {
			return // the run is over
		} else if now > before {
			r.takeovers.Add(1)
			return
		}
		if pause(ctx, 100*time.Millisecond) != nil {
			return
		}
	}
}
