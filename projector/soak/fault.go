package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

// harm does faults at random moments.
func (r *run) harm(ctx context.Context) error {
	random := r.generator(1 << 32)
	faults := r.faults()
	s := &session{run: r, name: "faults"}
	defer s.close()
	for len(faults) > 0 {
		if pause(ctx, around(random, r.cfg.FaultEvery)) != nil {
			return nil
		}
		fault := faults[random.IntN(len(faults))]
		if err := fault(ctx, s, random); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

type fault func(context.Context, *session, *rand.Rand) error

func (r *run) faults() []fault {
	var fs []fault
	if r.cfg.Faults.Kill {
		fs = append(fs, r.killProjector, r.killProjector, r.killProjector)
	}
	if r.cfg.Faults.Terminate {
		fs = append(fs, r.terminate)
	}
	if r.cfg.Faults.Restart {
		fs = append(fs, r.restartServer)
	}
	return fs
}

// around draws a time between a tenth of the mean and nearly twice of it.
func around(random *rand.Rand, mean time.Duration) time.Duration {
	return mean/10 + time.Duration(random.Float64()*1.8*float64(mean))
}

// killProjector kills the process, lets changes pile up for a moment, and
// starts another.
func (r *run) killProjector(ctx context.Context, _ *session, random *rand.Rand) error {
	if err := r.projector.kill(); err != nil {
		return err
	}
	r.kills.Add(1)
	down := time.Duration(random.IntN(400)) * time.Millisecond
	_ = pause(ctx, down) // at the end of the run: start it all the same, for the last check
	return r.projector.start()
}

// terminate ends one of the projector's connections, walsender included.
func (r *run) terminate(ctx context.Context, s *session, random *rand.Rand) error {
	return s.do(ctx, func(c *pgx.Conn) error {
		tag, err := c.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name NOT LIKE 'soak %' AND backend_type IN ('client backend', 'walsender')
			ORDER BY md5(pid::text || $1::int) LIMIT 1`, random.IntN(1000))
		r.terminations.Add(tag.RowsAffected())
		return err
	})
}

func (r *run) restartServer(ctx context.Context, _ *session, random *rand.Rand) error {
	immediate := random.IntN(2) == 0
	// A half-done restart would leave the run without a server.
	if err := r.cfg.Restarter(context.WithoutCancel(ctx), immediate); err != nil {
		return fmt.Errorf("restart the server: %w", err)
	}
	r.boots.Add(1)
	_ = pause(ctx, 500*time.Millisecond) // what was refused has ended by then
	return r.projector.revive()
}
