package soak

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"freshet/deploy/pgserver/pgproxy"
	"freshet/model"
)

// Config is a run.
type Config struct {
	URL      string // of a database that Prepare has set up
	Slot     string
	Model    *model.Model
	Seed     uint64
	Duration time.Duration // of the load; checks at the end come on top
	Writers  int
	Rate     float64 // transactions a second that all writers together aim at
	// CheckEvery is the mean time between two full comparisons under load.
	CheckEvery time.Duration
	// FaultEvery is the mean time between two faults that are over at once, and
	// between the end of a lasting one and the next.
	FaultEvery time.Duration
	Faults     []string // names of kinds, see ParseFaults
	// Hold is the longest time that a process is frozen for; other lasting
	// faults are shorter.
	Hold time.Duration
	// Patience is how long the watermark may take to pass a marker. It must
	// cover a start of the projector, and Hold.
	Patience time.Duration
	// Command makes a projector process over the database. Its output is kept
	// for the error when it ends by itself.
	Command func() *exec.Cmd
	// Proxy stands between the projector and the server, for the faults of the
	// network.
	Proxy *pgproxy.Proxy
	// Restarter restarts the server, for the faults restart and crash.
	Restarter func(ctx context.Context, immediate bool) error
	// TraceDir is where a divergence's trace is written; empty: none is kept.
	TraceDir string
	// Memory fails a run whose projector has more bytes resident; 0: any.
	Memory int64
	Log    func(format string, args ...any)
}

// Result counts what a run did.
type Result struct {
	Committed, RolledBack                   int64
	Special                                 string // committed transactions of special kinds
	Faults, Takeovers                       int64  // takeovers: the lead taken from a frozen projector
	FaultKinds                              string
	Checks, Documents, Divergences          int64 // full comparisons, and documents in them
	Reads, Probes, HubProbes, Wants         int64 // of the invariants under load
	Announced                               int64 // changed documents found in sync_log
	SlowestProbe, SlowestHub, SlowestSettle time.Duration
	Memory                                  string // the most the projector had resident in each quarter of the run
}

// String returns the counts, a line for each kind.
func (r Result) String() string {
	round := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	return fmt.Sprintf(`
%d transactions committed (of them %s), %d rolled back
%d faults injected (%s), %d takeovers from a frozen projector
%d documents compared in %d full comparisons, %d divergences (slowest settling %s), %d changes found announced
%d reads of invariants under load, %d probes of the watermark (slowest %s), %d of fan-outs (slowest to complete %s, %d asked for documents that were late)
memory of the projector, the most in each quarter of the run: %s`,
		r.Committed, r.Special, r.RolledBack, r.Faults, r.FaultKinds, r.Takeovers,
		r.Documents, r.Checks, r.Divergences, round(r.SlowestSettle), r.Announced,
		r.Reads, r.Probes, round(r.SlowestProbe), r.HubProbes, round(r.SlowestHub), r.Wants, r.Memory)
}

// run is the state of one Run.
type run struct {
	cfg      Config
	gate     *gate
	calm     calm
	crew     *crew
	twoPhase bool
	feed     feed
	trace    trace
	memory   quarters
	now      present

	drawn                                   drawn
	faults                                  tally
	takeovers                               atomic.Int64
	crashes                                 atomic.Int64 // twice their number; odd in the middle of one
	reads, probes, hubProbes, wants         atomic.Int64
	slowestProbe, slowestHub, slowestSettle atomic.Int64
	checks, documents, divergences          atomic.Int64
}

// Run puts the load on the database until the duration is over or something
// is wrong, and compares everything once more at the end: as it was left, and
// after a last restart of the projector. The error names the first fault found.
func Run(ctx context.Context, cfg Config) (Result, error) {
	r := &run{cfg: cfg, gate: newGate(), calm: newCalm(), crew: &crew{command: cfg.Command}}
	r.trace.on = cfg.TraceDir != ""
	if err := r.detect(ctx); err != nil {
		return Result{}, err
	}
	defer r.crew.stop()
	if _, err := r.crew.join(); err != nil {
		return Result{}, err
	}
	err := r.first(ctx)
	if err == nil {
		err = r.load(ctx)
	}
	if err == nil {
		err = r.last(ctx)
	}
	if most := slices.Max(r.memory.most[:]); err == nil && cfg.Memory > 0 && most > cfg.Memory {
		err = fmt.Errorf("the projector had %d MB in memory, more than %d", most>>20, cfg.Memory>>20)
	}
	return r.result(), err
}

func (r *run) result() Result {
	return Result{
		Committed: r.drawn.committed.get(), RolledBack: r.drawn.rolledBack.get(), Special: r.drawn.special.String(),
		Faults: r.faults.get(), FaultKinds: r.faults.String(), Takeovers: r.takeovers.Load(),
		Checks: r.checks.Load(), Documents: r.documents.Load(), Divergences: r.divergences.Load(),
		Reads: r.reads.Load(), Probes: r.probes.Load(), HubProbes: r.hubProbes.Load(), Wants: r.wants.Load(), Announced: r.feed.announced.Load(),
		SlowestProbe: time.Duration(r.slowestProbe.Load()), SlowestHub: time.Duration(r.slowestHub.Load()),
		SlowestSettle: time.Duration(r.slowestSettle.Load()), Memory: r.memory.String(),
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
	r.memory = quarters{began: time.Now(), whole: r.cfg.Duration}
	group, timed := errgroup.WithContext(timed)
	for i := range r.cfg.Writers {
		group.Go(func() error { return r.write(timed, i) })
	}
	for i := range 2 {
		group.Go(func() error { return r.probe(timed, i) })
	}
	group.Go(func() error { return r.watch(timed) })
	group.Go(func() error { return r.check(timed) })
	group.Go(func() error { return r.probeHubs(timed) })
	group.Go(func() error { return r.harm(timed, false) })
	group.Go(func() error { return r.harm(timed, true) })
	group.Go(func() error { return r.progress(timed) })
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
	for _, p := range r.crew.all() {
		if err := errors.Join(p.kill(), p.start()); err != nil {
			return err
		}
	}
	if err := c.compare(ctx); err != nil {
		return fmt.Errorf("after the last restart: %w", err)
	}
	return nil
}
