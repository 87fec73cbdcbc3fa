package soak

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// calm is a mutex that a waiting caller may give up on: either a lasting fault
// holds it or a comparison.
type calm chan struct{}

func newCalm() calm { return make(calm, 1) }

func (c calm) lock(ctx context.Context) error {
	select {
	case c <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c calm) unlock() { <-c }

// present lists what is being done at this moment.
type present struct {
	mu    sync.Mutex
	names []string
}

func (p *present) begin(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.names = append(p.names, name)
}

func (p *present) end(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.names, name); i >= 0 {
		p.names = slices.Delete(p.names, i, i+1)
	}
}

// String lists the names.
func (p *present) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.names, "+")
}
