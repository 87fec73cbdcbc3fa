package trials

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"freshet/projector"
)

// seen is what an engine has told.
type seen struct {
	states      []projector.State
	retries     []string
	quarantined int // reports, not keys
	batches     int
	rebuilt     int // documents, found unchanged or not
	changes     int
	number      int64 // of the last batch
	last        projector.BatchEvent
}

// run is an engine under way.
type run struct {
	w      *world
	engine *projector.Engine
	cancel context.CancelFunc
	ended  chan struct{} // closed when Run has returned
	err    error         // what it returned

	mu    sync.Mutex
	seen  seen
	moved chan struct{} // closed, and made anew, when something was told
}

// start starts an engine, which ends with the test.
func (w *world) start(changes ...func(*projector.Config)) *run {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &run{w: w, cancel: cancel, ended: make(chan struct{}), moved: make(chan struct{})}
	cfg := projector.Config{ConnConfig: w.cfg, Plan: w.plan, Slot: w.slot, Workers: 2, Events: r.events()}
	for _, change := range changes {
		change(&cfg)
	}
	r.engine = projector.New(cfg)
	go func() { // waited for by stop, fails and the cleanup
		r.err = r.engine.Run(ctx)
		close(r.ended)
	}()
	w.t.Cleanup(func() { r.cancel(); <-r.ended })
	return r
}

// afresh is for start: --recreate-slot.
func afresh(c *projector.Config) { c.RecreateSlot = true }

func (r *run) events() projector.Events {
	return projector.Events{
		State: func(s projector.State, _ string) { r.note(func(v *seen) { v.states = append(v.states, s) }) },
		Retry: func(_ string, err error, _ time.Duration) {
			r.note(func(v *seen) { v.retries = append(v.retries, err.Error()) })
		},
		Quarantined: func(string, string, error) { r.note(func(v *seen) { v.quarantined++ }) },
		Batch: func(b projector.BatchEvent) {
			r.note(func(v *seen) {
				v.batches++
				v.rebuilt += b.Upserted + b.Deleted + b.Unchanged
				v.changes += b.Changes
				v.number, v.last = b.Number, b
			})
		},
	}
}

func (r *run) note(change func(*seen)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.seen)
	close(r.moved)
	r.moved = make(chan struct{})
}

// told is what the engine has told so far.
func (r *run) told() seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.seen
	v.states, v.retries = slices.Clone(v.states), slices.Clone(v.retries)
	return v
}

// await waits until what the engine has told passes.
func (r *run) await(what string, passes func(*seen) bool) {
	r.w.t.Helper()
	late := time.After(deadline())
	for {
		r.mu.Lock()
		ok, moved := passes(&r.seen), r.moved
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-moved:
		case <-r.ended:
			r.w.t.Fatalf("the engine ended before %s: %v", what, r.err)
		case <-late:
			r.w.t.Fatalf("not within %s: %s. Status: %+v\n%s", deadline(), what, r.engine.Status(), r.w.sessions())
		}
	}
}

// streams waits until the engine is streaming, n times since its start.
func (r *run) streams(n int) {
	r.w.t.Helper()
	r.await("it streams", func(v *seen) bool {
		times := 0
		for _, s := range v.states {
			if s == projector.Streaming {
				times++
			}
		}
		return times >= n && v.states[len(v.states)-1] == projector.Streaming
	})
}

// sessions is what the server says of slot and sessions.
func (w *world) sessions() string {
	return ask[string](w, `SELECT format('at %s, slot %s', pg_current_wal_flush_lsn(), (SELECT s FROM pg_replication_slots AS s WHERE slot_name = $1)) ||
		coalesce(string_agg(format(E'\n%s %s %s/%s %s: %s', pid, application_name, wait_event_type, wait_event, state, query), ''), '')
		FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type IN ('client backend', 'walsender')`, w.slot)
}

// retried waits until the engine has told of a failure with this text.
func (r *run) retried(text string) {
	r.w.t.Helper()
	r.await("it tells "+text, func(v *seen) bool {
		return slices.ContainsFunc(v.retries, func(s string) bool { return strings.Contains(s, text) })
	})
}

// stop ends the engine in good order.
func (r *run) stop() {
	r.w.t.Helper()
	r.cancel()
	if err := r.over(); err != nil {
		r.w.t.Fatalf("the engine was stopped: %v", err)
	}
}

// fails waits for the engine to end by itself, with an error.
func (r *run) fails() error {
	r.w.t.Helper()
	err := r.over()
	if err == nil {
		r.w.t.Fatal("the engine ended without an error")
	}
	if r.engine.Status().State != projector.Stopped {
		r.w.t.Errorf("it ended, and is %s", r.engine.Status().State)
	}
	return err
}

// refuses starts an engine that must end with an error that says all of these.
func (w *world) refuses(wants ...string) {
	w.t.Helper()
	says(w.t, w.start().fails(), wants...)
}

func (r *run) over() error {
	r.w.t.Helper()
	select {
	case <-r.ended:
		return r.err
	case <-time.After(deadline()):
		r.w.t.Fatalf("the engine did not end: %+v", r.engine.Status())
		return nil
	}
}

// background runs f until the returned function is called, which waits for it.
func background(t *testing.T, f func(ctx context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }() // ended below
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}
