// Package projector keeps read models exact: it follows the logical slot of
// the source tables and, batch by batch, rebuilds the documents that their
// transactions touched.
//
// Guarantees, after every commit of an Engine: each tv_* row equals its
// definition evaluated on one snapshot of the source; those snapshots only
// move forward; source transactions appear whole or not at all; and documents,
// sync_log and checkpoint are of one commit, so that whatever is killed at
// whatever moment, the next start goes on from there. The slot is never
// confirmed beyond what is durable. At most one Engine a slot writes.
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
	"freshet/projector/compile"
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
	// Retention is how long rows stay in sync_log; the default is seven days.
	Retention time.Duration
	// Patience is how long Run keeps trying to reach a database that it has
	// reached before; the default is for ever. A first connection that fails
	// is an error at once.
	Patience time.Duration
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
	lifetime            atomic.Bool // Run has been called

	// Run's alone:
	recreate   bool              // RecreateSlot is still to be done
	partitions map[string]string // the state of partitioned sources that the documents reflect
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
	return &Engine{cfg: cfg, recreate: cfg.RecreateSlot, status: Status{State: Starting, Since: time.Now(), Slot: cfg.Slot}}
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
