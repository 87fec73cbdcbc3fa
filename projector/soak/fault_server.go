package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"freshet/deploy/pgserver/pgproxy"
)

func (r *run) restartServer(ctx context.Context, _ *session, _ *rand.Rand) (bool, error) {
	// A half-done restart would leave the run without a server.
	if err := r.cfg.Restarter(context.WithoutCancel(ctx), false); err != nil {
		return true, fmt.Errorf("restart the server: %w", err)
	}
	return true, nil
}

// crashServer loses what was committed and not flushed, which only projectors
// do.
func (r *run) crashServer(ctx context.Context, _ *session, _ *rand.Rand) (bool, error) {
	r.crashes.Add(1)
	defer r.crashes.Add(1)
	if err := r.cfg.Restarter(context.WithoutCancel(ctx), true); err != nil {
		return true, fmt.Errorf("restart the server: %w", err)
	}
	return true, nil
}

func (r *run) netCut(ctx context.Context, _ *session, random *rand.Rand) (bool, error) {
	r.sever()
	defer r.cfg.Proxy.Refuse(false)
	_ = pause(ctx, r.lasting(random, 0.25))
	return true, nil
}

// sever ends every connection of the projector and lets none begin.
func (r *run) sever() {
	r.cfg.Proxy.Refuse(true)
	r.cfg.Proxy.Cut(pgproxy.All)
}

func (r *run) netSlow(ctx context.Context, _ *session, random *rand.Rand) (bool, error) {
	r.cfg.Proxy.Slow(time.Duration(2+random.IntN(60))*time.Millisecond, 200_000+random.IntN(2_000_000))
	defer r.cfg.Proxy.Slow(0, 0)
	_ = pause(ctx, r.lasting(random, 0.25))
	return true, nil
}

func (r *run) netFlap(ctx context.Context, _ *session, random *rand.Rand) (bool, error) {
	for range 3 + random.IntN(8) {
		r.sever()
		_ = pause(ctx, time.Duration(20+random.IntN(300))*time.Millisecond)
		r.cfg.Proxy.Refuse(false)
		if pause(ctx, time.Duration(20+random.IntN(800))*time.Millisecond) != nil {
			break
		}
	}
	return true, nil
}

// netSwallow makes open connections swallow all that is sent, for ever, as by
// a firewall that has forgotten them: nobody is told of an end. New ones work.
// One of them may be hit, or all.
func (r *run) netSwallow(_ context.Context, _ *session, random *rand.Rand) (bool, error) {
	only := random.IntN(4)
	n := -1
	hit := r.cfg.Proxy.Swallow(func(pgproxy.Session) bool { n++; return only == 3 || n%3 == only })
	return hit > 0, nil
}
