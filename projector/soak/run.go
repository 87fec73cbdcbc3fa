package soak

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"freshet/model"
)

// Faults says what a run does to the projector and its server.
type Faults struct {
	Kill      bool // SIGKILL to the projector's process, then a new one
	Terminate bool // pg_terminate_backend of one of its connections
	Restart   bool // the server itself, in the mode Restarter chooses
}

// Config is a run.
type Config struct {
	URL      string // of a database that Prepare has set up
	Slot     string
	Model    *model.Model
	Seed     uint64
	Duration time.Duration // of the load; checks at the end come on top
	Writers  int
	Rate     float64 // transactions a second that each writer aims at
	// CheckEvery is the mean time between two full comparisons under load.
	CheckEvery time.Duration
	// FaultEvery is the mean time between two faults.
	FaultEvery time.Duration
	Faults     Faults
	// Patience is how long the watermark may take to pass a marker. It must
	// cover a start of the projector.
	Patience time.Duration
	// Command makes a projector process over the database. Its output is kept
	// for the error when it ends by itself.
	Command func() *exec.Cmd
	// Restarter restarts the server, for Faults.Restart.
	Restarter func(ctx context.Context, immediate bool) error
	Log       func(format string, args ...any)
}

// Result counts what a run did.
type Result struct {
	Committed, RolledBack       int64
	Checks, Documents           int64 // full comparisons, and documents in them
	Reads, Probes               int64 // of the invariants under load
	Kills, Terminations, Boots  int64 // faults
	Announced                   int64 // changed documents found in sync_log
	SlowestProbe, SlowestSettle time.Duration
}

// String returns the counts on one line.
func (r Result) String() string {
	return fmt.Sprintf("%d transactions committed, %d rolled back; %d full checks of %d documents (slowest settling %s), %d changes found announced; "+
		"%d reads and %d probes under load (slowest %s); %d kills, %d connections terminated, %d server restarts",
		r.Committed, r.RolledBack, r.Checks, r.Documents, r.SlowestSettle.Round(time.Millisecond), r.Announced,
		r.Reads, r.Probes, r.SlowestProbe.Round(time.Millisecond), r.Kills, r.Terminations, r.Boots)
}

// run is the state of one Run.
type run struct {
	cfg       Config
	gate      *gate
	projector *process
	twoPhase  bool
	feed      feed

	committed, rolledBack      atomic.Int64
	reads, probes              atomic.Int64
	slowestProbe               atomic.Int64
	kills, terminations, boots atomic.Int64
	checks, documents          int64
	slowestSettle              time.Duration
}

func (r *run) count(committed bool) {
	if committed {
		r.committed.Add(1)
	} else {
		r.rolledBack.Add(1)
	}
}

// Run puts the load on the database until the duration is over or something
// is wrong, and compares everything once more at the end: as it was left, and
// after a last restart of the projector. The error names the first fault found.
func Run(ctx context.Context, cfg Config) (Result, error) {
	r := &run{cfg: cfg, gate: newGate(), projector: newProcess(cfg.Command)}
	if err := r.detect(ctx); err != nil {
		return Result{}, err
	}
	if err := r.projector.start(); err != nil {
		return Result{}, err
	}
	defer r.projector.stop()
	err := r.first(ctx)
	if err == nil {
		err = r.load(ctx)
	}
	if err == nil {
		err = r.last(ctx)
	}
	return r.result(), err
}

func (r *run) result() Result {
	return Result{
		Committed: r.committed.Load(), RolledBack: r.rolledBack.Load(),
		Checks: r.checks, Documents: r.documents, Reads: r.reads.Load(), Probes: r.probes.Load(),
		Kills: r.kills.Load(), Terminations: r.terminations.Load(), Boots: r.boots.Load(), Announced: r.feed.announced,
		SlowestProbe: time.Duration(r.slowestProbe.Load()), SlowestSettle: r.slowestSettle,
	}
}

// detect asks what the server offers.
func (r *run) detect(ctx context.Context) error {
	conn, err := connect(ctx, r.cfg.URL, "setup")
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return conn.QueryRow(ctx, `SELECT current_setting('max_prepared_transactions')::int > 0`).Scan(&r.twoPhase)
}

// first compares after the backfill, before any load.
func (r *run) first(ctx context.Context) error {
	c := &checker{run: r}
	defer c.close()
	if err := c.compare(ctx); err != nil {
		return fmt.Errorf("after the backfill: %w", err)
	}
	return nil
}

// load runs all actors until the time is over.
func (r *run) load(ctx context.Context) error {
	timed, cancel := context.WithTimeout(ctx, r.cfg.Duration)
	defer cancel()
	group, timed := errgroup.WithContext(timed)
	for i := range r.cfg.Writers {
		group.Go(func() error { return r.write(timed, i) })
	}
	for i := range 2 {
		group.Go(func() error { return r.probe(timed, i) })
	}
	group.Go(func() error { return r.watch(timed) })
	group.Go(func() error { return r.check(timed) })
	group.Go(func() error { return r.harm(timed) })
	err := group.Wait()
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) && ctx.Err() == nil {
		err = nil // the time is over
	}
	return errors.Join(err, ctx.Err())
}

// last compares at rest, and again after a restart without any load.
func (r *run) last(ctx context.Context) error {
	c := &checker{run: r}
	defer c.close()
	if err := c.compare(ctx); err != nil {
		return fmt.Errorf("at the end: %w", err)
	}
	if err := r.projector.kill(); err != nil {
		return err
	}
	if err := r.projector.start(); err != nil {
		return err
	}
	if err := c.compare(ctx); err != nil {
		return fmt.Errorf("after the last restart: %w", err)
	}
	return nil
}
