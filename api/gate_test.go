package api

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// queued puts a request into the gate's queue, and returns where its outcome
// will be told.
func queued(t *testing.T, g *gate, ctx context.Context, client string) chan error {
	t.Helper()
	g.mu.Lock()
	before := g.waiting
	g.mu.Unlock()
	out := make(chan error, 1)
	go func() { out <- g.enter(ctx, func() string { return client }) }()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		g.mu.Lock()
		now := g.waiting
		g.mu.Unlock()
		if now > before || len(out) > 0 || time.Now().After(deadline) {
			return out
		}
	}
}

// TestGateTurns: clients take turns, whatever each has sent.
func TestGateTurns(t *testing.T) {
	g := newGate(1, 10, time.Minute)
	if err := g.enter(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	var outs []chan error
	for _, client := range []string{"a", "a", "a", "b", "c", "b"} {
		outs = append(outs, queued(t, g, t.Context(), client))
	}
	for _, next := range []int{0, 3, 4, 1, 5, 2} {
		g.leave()
		if err := <-outs[next]; err != nil {
			t.Fatalf("request %d: %v", next, err)
		}
		for i, out := range outs {
			if len(out) > 0 {
				t.Fatalf("request %d went on together with %d", i, next)
			}
		}
	}
	g.leave()
	if g.running != 0 || g.waiting != 0 || len(g.queues) != 0 || len(g.turns) != 0 {
		t.Errorf("left over: %+v", g)
	}
}

// TestGateFull: beyond the queue there is a refusal, for who has most in it.
func TestGateFull(t *testing.T) {
	g := newGate(1, 3, time.Minute)
	if err := g.enter(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	first, second, third := queued(t, g, ctx, "a"), queued(t, g, ctx, "a"), queued(t, g, ctx, "a")
	if err := <-queued(t, g, ctx, "a"); !errors.Is(err, errBusy) {
		t.Errorf("a fourth of the same client: %v", err)
	}
	other := queued(t, g, ctx, "b")
	if err := <-third; !errors.Is(err, errBusy) {
		t.Errorf("the newest of who has most: %v", err)
	}
	if err := <-queued(t, g, ctx, "b"); !errors.Is(err, errBusy) {
		t.Errorf("a client that would have as many: %v", err)
	}
	cancel()
	for _, out := range []chan error{first, second, other} {
		if err := <-out; !errors.Is(err, errBusy) {
			t.Errorf("cancelled: %v", err)
		}
	}
	g.leave()
	if g.running != 0 || g.waiting != 0 || len(g.queues) != 0 || len(g.turns) != 0 {
		t.Errorf("left over: %+v", g)
	}
}

// TestGateBounds: however requests come and give up, no more than the limit
// run at once, and no place is lost.
func TestGateBounds(t *testing.T) {
	g := newGate(3, 8, 5*time.Millisecond)
	var running, most, done atomic.Int64
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(uint64(worker), 1))
			for range 100 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(2000))*time.Microsecond)
				if g.enter(ctx, func() string { return fmt.Sprint(worker % 5) }) == nil {
					most.Store(max(most.Load(), running.Add(1)))
					time.Sleep(time.Duration(r.IntN(200)) * time.Microsecond)
					running.Add(-1)
					done.Add(1)
					g.leave()
				}
				cancel()
			}
		}()
	}
	wg.Wait()
	if most.Load() > 3 || done.Load() == 0 || g.running != 0 || g.waiting != 0 || len(g.queues) != 0 || len(g.turns) != 0 {
		t.Errorf("at most %d at once, %d done; left over: %+v", most.Load(), done.Load(), g)
	}
}

// TestBusy: what does not fit is told so, and that it may come again.
func TestBusy(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	store := newMemStore(t, m, shop)
	s := newServer(t, m, store, func(c *Config) {
		c.MaxConcurrent, c.MaxQueued, c.QueueTimeout, c.CacheBytes = 1, 1, time.Millisecond, 0
	})
	if err := s.gate.enter(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	w := ask(t, s, `{ order(id: "o1") { id } }`, "")
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || w.Body.String() != `{"errors":[{"message":"There are too many requests just now.","extensions":{"code":"BUSY"}}]}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	s.gate.leave()
	store.fail = errors.New("x")
	ask(t, s, `{ order(id: "o1") { id } }`, "")
	ask(t, s, `{ nope }`, "")
	ask(t, s, `{ order(id: "o1") { id } }`, "", "Freshet-Min-LSN", "0/1")
	if s.gate.running != 0 {
		t.Errorf("%d places are lost", s.gate.running)
	}
}
