package soak

import (
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"sync"
)

// crew is the projector processes of a run: one that leads, and now and then a
// second one that stands by.
type crew struct {
	command func() *exec.Cmd

	mu      sync.Mutex
	members []*process
	failure error // of a member that was sent away
}

// join starts one more process.
func (c *crew) join() (*process, error) {
	p := newProcess(c.command)
	if err := p.start(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = append(c.members, p)
	return p, nil
}

// any picks one of the processes.
func (c *crew) any(random *rand.Rand) *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.members[random.IntN(len(c.members))]
}

// dismiss kills a process for good.
func (c *crew) dismiss(p *process) error {
	c.mu.Lock()
	c.members = slices.DeleteFunc(c.members, func(m *process) bool { return m == p })
	c.mu.Unlock()
	err := p.retire()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure == nil {
		c.failure = p.err()
	}
	return err
}

// err returns why a process ended by itself, or nil.
func (c *crew) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.members {
		if err := p.err(); err != nil {
			return err
		}
	}
	return c.failure
}

// all returns the processes of now.
func (c *crew) all() []*process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.members)
}

// stop kills all of them.
func (c *crew) stop() {
	for _, p := range c.all() {
		_ = p.retire() // a failure of its own was, or is, the run's error
	}
}

// said returns the last output of every process.
func (c *crew) said() string {
	var b strings.Builder
	for _, p := range c.all() {
		b.WriteString(p.said() + "\n")
	}
	return b.String()
}

// memory returns how much the largest process has in memory, in bytes; 0 where
// the system does not tell.
func (c *crew) memory() (most int64) {
	for _, p := range c.all() {
		most = max(most, resident(p.pid()))
	}
	return most
}
