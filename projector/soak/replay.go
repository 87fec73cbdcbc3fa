package soak

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"freshet/projector/soak/oracle"
)

// Replay runs recorded transactions on a database that holds what they began
// with, beside a projector, and compares. One connection runs all of them, in
// the order in which they ended; with together, one for each writer of the
// recording, each in its order. Projectors that were killed are killed at the
// same place; other faults of the recording are left out.
func replay(ctx context.Context, cfg Config, entries []entry, together bool) (oracle.Report, error) {
	r := &run{cfg: cfg, gate: newGate(), calm: newCalm(), crew: &crew{command: cfg.Command}}
	defer r.crew.stop()
	if _, err := r.crew.join(); err != nil {
		return oracle.Report{}, err
	}
	s := &session{run: r, name: "replay"}
	defer s.close()
	if err := s.do(ctx, func(c *pgx.Conn) error { return r.rest(ctx, c) }); err != nil {
		return oracle.Report{}, fmt.Errorf("before the replay: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	for actor, list := range split(entries, together) {
		group.Go(func() error { return r.rerun(ctx, actor, list) })
	}
	if err := group.Wait(); err != nil {
		return oracle.Report{}, err
	}
	var rep oracle.Report
	ctx = context.WithoutCancel(ctx) // the group's ends with it
	err := s.do(ctx, func(c *pgx.Conn) (err error) {
		if err = r.rest(ctx, c); err == nil {
			rep, err = oracle.Check(ctx, c, cfg.Model)
		}
		return err
	})
	return rep, err
}

// rest waits until everything is in the documents.
func (r *run) rest(ctx context.Context, c *pgx.Conn) error {
	lsn, err := nudge(ctx, c)
	if err != nil {
		return err
	}
	return r.settled(ctx, c, lsn)
}

// split returns the entries by actor, or all of them as one.
func split(entries []entry, together bool) map[string][]entry {
	if !together {
		return map[string][]entry{"replay": entries}
	}
	by := map[string][]entry{}
	for _, e := range entries {
		by[e.Actor] = append(by[e.Actor], e)
	}
	return by
}

func (r *run) rerun(ctx context.Context, actor string, list []entry) error {
	s := &session{run: r, name: "replay " + actor}
	defer s.close()
	random := rand.New(rand.NewPCG(1, 1))
	for _, e := range list {
		if err := r.again(ctx, s, e, random); err != nil {
			return err
		}
	}
	return nil
}

// again does one entry.
func (r *run) again(ctx context.Context, s *session, e entry, random *rand.Rand) error {
	switch {
	case e.Fault == "kill":
		_, err := r.killProjector(ctx, s, random)
		return err
	case e.Fault == "cut":
		_, err := r.cutConnection(ctx, s, random)
		return err
	case e.Fault != "":
		return nil
	}
	t := e.transaction()
	if e.Outcome == "rolled back" {
		t.end = rollback
	}
	_, err := s.transact(ctx, t, "")
	return err
}

// shrink looks for a short part of the entries that still fails, by leaving out
// ever smaller pieces of them, until nothing can be left out or ctx ends.
func shrink(ctx context.Context, entries []entry, fails func([]entry) bool) []entry {
	for piece := (len(entries) + 1) / 2; piece > 0; {
		removed := false
		for at := 0; at < len(entries) && len(entries) > 1; {
			if ctx.Err() != nil {
				return entries
			}
			less := append(append([]entry(nil), entries[:at]...), entries[min(at+piece, len(entries)):]...)
			if fails(less) {
				entries, removed = less, true
			} else {
				at += piece
			}
		}
		if piece == 1 && !removed {
			break
		}
		if piece > 1 {
			piece = min(piece/2, max(1, len(entries)/2))
		}
	}
	return entries
}
