// Package projector keeps read models exact: it follows the logical slot of
// the source tables and, batch by batch, rebuilds the documents that their
// transactions touched.
//
// Guarantees, after every commit of an Engine: each tv_* row equals its
// definition evaluated on one snapshot of the source; those snapshots only
// move forward; source transactions appear whole or not at all; and documents,
// sync_log and checkpoint are of one commit, so that whatever is killed at
// whatever moment, the next start goes on from there. The slot is never
// confirmed beyond what is durable. At most one Engine a slot writes. A read
// model that cannot be kept because of what was done to a source table pauses,
// and is told of; the others are kept as ever, and it is filled again when the
// table is as it should be.
//
// The parts, each a package: session (connections), checkpoint (place and
// leadership), backfill (first fill), stream (the replication connection),
// batch (which transactions, which values; pure), apply (one batch, one
// commit).
package projector

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"freshet/projector/batch"
	"freshet/projector/checkpoint"
	"freshet/projector/compile"
	"freshet/projector/migrate"
	"freshet/projector/session"
)

// Config is what an Engine needs.
type Config struct {
	ConnConfig  *pgx.ConnConfig // the source database
	Plan        *compile.Plan
	Slot        string // default "freshet"
	Publication string // default "freshet"
	// Workers is how many connections fill at the same time in a backfill; the
	// default is one for each processor, at least two.
	Workers int
	// RecreateSlot replaces the slot and its progress by a fresh slot, once, and
	// rebuilds every document: for a slot that was lost, for progress that
	// belongs to another database, for a log that cannot be read any more.
	RecreateSlot bool
	// FanOut is how many documents of a read model one changed row may lead to
	// within its batch: where it leads to more, they are done in chunks beside
	// the batches that follow. The default is apply.DefaultFanOut; below zero
	// every batch is whole, and what is committed behind a large one waits.
	FanOut int
	// Retention is how long rows stay in sync_log; the default is seven days.
	Retention time.Duration
	// Patience is how long Run keeps trying to reach a database that it has
	// reached before; the default is for ever. A first connection that fails
	// is an error at once.
	Patience time.Duration
	// Lease is how long a leading projector may give no sign of life before one
	// that stands by takes over, and how long a connection may be dead before it
	// is given up. The default is ten seconds.
	Lease time.Duration
	// SlotWait is how long the creation of the slot waits for transactions that
	// are running, before it is given up and tried again. The default is a
	// minute.
	SlotWait time.Duration
	Events   Events
}

// Engine is a projector. It is made by New and does nothing until Run.
type Engine struct {
	cfg Config

	// mu guards status.
	mu     sync.Mutex
	status Status
	// confirmed and received are kept apart from status: the stream moves them.
	confirmed, received atomic.Uint64
	lifetime            atomic.Bool  // Run has been called
	leader              atomic.Int32 // pid of the session by which this engine leads; 0: it does not
	watch               *session.Watch

	// Run's alone:
	base       *compile.Plan          // of all read models
	plan       *compile.Plan          // of those that are not paused
	paused     map[string]PausedModel // by name
	mending    map[string]bool        // to be filled again at the next beginning, by name
	waited     map[string]bool        // of those: no transaction from before is running any more
	flaps      map[string]*flap       // by read model
	beside     map[string]bool        // filled while the others stream, by name
	horizons   map[string]string      // by read model: transactions from before must end before it is filled
	survey     *migrate.Survey        // at the beginning of this stretch
	seen       migrate.Traces         // of the source tables, as written down
	checked    pglogrepl.LSN          // where the log was at that time
	epoch      int64                  // of this stretch
	tried      string                 // the state of the source columns that a new plan was last tried for
	recreate   bool                   // RecreateSlot is still to be done
	filled     bool                   // read models were filled, and no batch has followed yet
	partitions map[string]string      // the state of partitioned sources that the documents reflect
	ghost      checkpoint.Leader      // by which it led last
}

// New returns an Engine.
func New(cfg Config) *Engine {
	if cfg.Slot == "" {
		cfg.Slot = "freshet"
	}
	if cfg.Publication == "" {
		cfg.Publication = "freshet"
	}
	if cfg.Workers <= 0 {
		cfg.Workers = max(2, runtime.GOMAXPROCS(0))
	}
	if cfg.Retention <= 0 {
		cfg.Retention = 7 * 24 * time.Hour
	}
	if cfg.Lease <= 0 {
		cfg.Lease = 10 * time.Second
	}
	if cfg.SlotWait <= 0 {
		cfg.SlotWait = time.Minute
	}
	e := &Engine{cfg: cfg, recreate: cfg.RecreateSlot, status: Status{State: Starting, Since: time.Now(), Slot: cfg.Slot, Paused: []PausedModel{}},
		base: cfg.Plan, plan: cfg.Plan, paused: map[string]PausedModel{}, mending: map[string]bool{}, waited: map[string]bool{}, flaps: map[string]*flap{}, horizons: map[string]string{}}
	e.watch = session.NewWatch(cfg.Lease, e.admit)
	e.cfg.ConnConfig = e.watch.Over(cfg.ConnConfig)
	return e
}

// Status returns what the engine is doing. It is safe for concurrent use.
func (e *Engine) Status() Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.status
	s.Received = pglogrepl.LSN(e.received.Load())
	s.Confirmed = pglogrepl.LSN(e.confirmed.Load())
	return s
}

// Run keeps the read models exact until ctx ends: then it finishes the batch
// in hand, confirms what is durable, and returns nil. It returns an error for
// what trying again will not mend (see Permanent); what may pass, a lost
// connection or a server that restarts, it waits for. Run may be called once.
func (e *Engine) Run(ctx context.Context) error {
	if e.lifetime.Swap(true) {
		return errors.New("projector: Run was called twice")
	}
	defer e.setState(Stopped, "")
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval = 100*time.Millisecond, 10*time.Second
	var reached bool      // a session has come as far as streaming
	var failing time.Time // since when
	for {
		began := time.Now()
		up, err := e.session(ctx)
		if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		reached = reached || up
		if permanent(err, reached) {
			err = advise(err)
			e.setError(err)
			return err
		}
		if up {
			retry.Reset()
			failing = began
		}
		if e.cfg.Patience > 0 && !failing.IsZero() && time.Since(failing) > e.cfg.Patience {
			return fmt.Errorf("gave up after %s: %w", e.cfg.Patience, err)
		}
		if err = e.pause(ctx, err, retry.NextBackOff()); err != nil {
			return nil
		}
	}
}

// advise adds what to do where the error lies in the log and not in the
// database as it is now: mending the table does not mend what was written.
func advise(err error) error {
	var schema *batch.SchemaError
	if !errors.As(err, &schema) {
		return err
	}
	return fmt.Errorf("%w. Where that has been done already, the log still holds changes from before it: "+
		"start once with --recreate-slot, which makes a new slot and compares and repairs every document", err)
}

// pause reports what went wrong and waits before the next try.
func (e *Engine) pause(ctx context.Context, err error, wait time.Duration) error {
	e.setError(err)
	e.setState(Waiting, err.Error())
	if e.cfg.Events.Retry != nil {
		e.cfg.Events.Retry("projector", err, wait)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *Engine) setState(s State, detail string) {
	e.mu.Lock()
	changed := e.status.State != s || e.status.Detail != detail
	if changed {
		e.status.State, e.status.Detail, e.status.Since = s, detail, time.Now()
	}
	e.mu.Unlock()
	if changed && e.cfg.Events.State != nil {
		e.cfg.Events.State(s, detail)
	}
}

func (e *Engine) setError(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status.LastError = err.Error()
}
