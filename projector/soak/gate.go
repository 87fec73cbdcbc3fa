package soak

import (
	"context"
	"sync"
)

// gate lets writers through one transaction at a time each, and can be shut:
// shut returns when all of them are outside.
type gate struct {
	mu     sync.Mutex
	inside int
	open   chan struct{} // closed while the gate is open
	empty  chan struct{} // closed when shut and nobody is inside
}

func newGate() *gate {
	g := &gate{open: make(chan struct{})}
	close(g.open)
	return g
}

// pass waits until the gate is open, and goes in.
func (g *gate) pass(ctx context.Context) error {
	for {
		g.mu.Lock()
		open := g.open
		select {
		case <-open:
			g.inside++
			g.mu.Unlock()
			return ctx.Err()
		default:
			g.mu.Unlock()
		}
		select {
		case <-open:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// leave goes out.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.inside == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// shut closes the gate and waits until nobody is inside. Only one caller at a
// time may shut it.
func (g *gate) shut(ctx context.Context) error {
	g.mu.Lock()
	g.open = make(chan struct{})
	var empty chan struct{}
	if g.inside > 0 {
		empty = make(chan struct{})
		g.empty = empty
	}
	g.mu.Unlock()
	if empty == nil {
		return nil
	}
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unshut opens the gate again.
func (g *gate) unshut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.empty = nil
	close(g.open)
}
