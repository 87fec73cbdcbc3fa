package faults_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"freshet/projector"
)

// running is an engine under way in this process, and what it tells.
type running struct {
	w      *world
	engine *projector.Engine
	cancel context.CancelFunc
	ended  chan struct{} // closed when Run has returned
	err    error         // once ended is closed

	mu    sync.Mutex
	told  []string
	moved chan struct{} // closed and made anew when something is told
}

func (w *world) start(change func(*projector.Config)) *running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{w: w, cancel: cancel, ended: make(chan struct{}), moved: make(chan struct{})}
	cfg := projector.Config{ConnConfig: w.cfg, Plan: w.plan, Slot: w.slot, Workers: 2}
	cfg.Events.State = func(s projector.State, detail string) { r.tell("[%s] %s", s, detail) }
	cfg.Events.Retry = func(what string, err error, wait time.Duration) { r.tell("%s again in %s: %v", what, wait, err) }
	cfg.Events.Batch = func(b projector.BatchEvent) { r.tell("batch %d", b.Number) }
	if change != nil {
		change(&cfg)
	}
	r.engine = projector.New(cfg)
	go func() { // ended tells
		defer close(r.ended)
		r.err = r.engine.Run(ctx)
	}()
	w.t.Cleanup(func() {
		cancel()
		<-r.ended
	})
	return r
}

func (r *running) tell(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, fmt.Sprintf(format, args...))
	close(r.moved)
	r.moved = make(chan struct{})
}

// mark is a place in what was told.
func (r *running) mark() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.told)
}

func (r *running) since(mark int) ([]string, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.told[mark:]...), r.moved
}

// hears waits for a line, told after the mark, that speaks of all of them.
func (r *running) hears(mark int, all ...string) string {
	r.w.t.Helper()
	deadline := time.After(patience)
	for {
		told, moved := r.since(mark)
		for _, line := range told {
			if mentions(line, all...) {
				return line
			}
		}
		select {
		case <-moved:
		case <-r.ended:
			r.w.t.Fatalf("the engine ended before it told %q: %v", all, r.err)
		case <-deadline:
			r.w.t.Fatalf("not told within %s: %q; but\n%s", patience, all, strings.Join(told, "\n"))
		}
	}
}

func (r *running) streams() { r.w.t.Helper(); r.hears(0, "[streaming]") }

// never holds that no line told after the mark speaks of all of them.
func (r *running) never(mark int, all ...string) {
	r.w.t.Helper()
	told, _ := r.since(mark)
	for _, line := range told {
		if mentions(line, all...) {
			r.w.t.Errorf("told: %s", line)
		}
	}
}

// deadline is what Run promises for its end.
const deadline = 10 * time.Second

// stop asks the engine to end, and holds that it does so in order and in time.
func (r *running) stop() {
	r.w.t.Helper()
	began := time.Now()
	r.cancel()
	select {
	case <-r.ended:
		must(r.w.t, r.err)
	case <-time.After(patience):
		r.w.t.Fatal("the engine does not stop")
	}
	if took := time.Since(began); took > deadline {
		r.w.t.Errorf("the engine took %s to stop", took)
	}
}
