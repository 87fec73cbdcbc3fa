package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// grace is how long an orderly end may take.
const grace = 10 * time.Second

// part is something that runs until its context ends, and then drains.
type part struct {
	name string
	run  func(ctx context.Context) error
}

// running is a started part.
type running struct {
	part
	cancel context.CancelFunc
	done   chan struct{}
	err    error // once done is closed
}

// supervise runs parts until ctx ends or one of them fails or ends by itself.
// Then it ends them one after the other in the given order, each drained
// before the next: consumers stand before what they consume from. The whole
// end takes grace at most. The first failure is returned.
func supervise(ctx context.Context, grace time.Duration, parts ...part) error {
	ended := make(chan *running, len(parts))
	all := make([]*running, len(parts))
	for i, p := range parts {
		all[i] = start(ctx, p, ended)
	}
	var first error
	select {
	case <-ctx.Done():
	case r := <-ended:
		first = r.err
	}
	deadline := time.NewTimer(grace)
	defer deadline.Stop()
	for _, r := range all {
		r.cancel()
		select {
		case <-r.done:
			if first == nil {
				first = r.err
			}
		case <-deadline.C:
			return errors.Join(first, fmt.Errorf("the %s did not end within %s", r.name, grace))
		}
	}
	return first
}

func start(ctx context.Context, p part, ended chan<- *running) *running {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &running{part: p, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		if err := p.run(own); err != nil && !errors.Is(err, context.Canceled) {
			r.err = err
		}
		ended <- r
	}()
	return r
}
