package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// errBusy says that there is no room for a request, nor in the queue.
var errBusy = errors.New("too many requests at once")

// gate bounds how many requests are being answered at once. The rest wait, and
// their clients take turns: who sends much waits for itself and not for
// others. When the queue is full, the newest request of whoever has most in it
// is sent away. It starts no goroutine.
type gate struct {
	limit, room int
	patience    time.Duration

	mu      sync.Mutex
	running int
	waiting int
	queues  map[string][]*waiter // by client; none is empty
	turns   []string             // the clients in queues, in order of their turns
}

// waiter is a request in the queue: it is told nil once it may go on.
type waiter struct{ told chan error }

func newGate(limit, room int, patience time.Duration) *gate {
	return &gate{limit: limit, room: room, patience: patience, queues: map[string][]*waiter{}}
}

// enter waits for the request's turn. Without an error, leave must follow.
func (g *gate) enter(ctx context.Context, client func() string) error {
	g.mu.Lock()
	if g.running < g.limit {
		g.running++
		g.mu.Unlock()
		return nil
	}
	name := client()
	w, err := g.queue(name)
	g.mu.Unlock()
	if err != nil {
		return err
	}
	return g.wait(ctx, name, w)
}

// queue adds a waiter. The lock is held.
func (g *gate) queue(name string) (*waiter, error) {
	if g.waiting >= g.room && !g.makeRoom(name) {
		return nil, errBusy
	}
	w := &waiter{told: make(chan error, 1)}
	if len(g.queues[name]) == 0 {
		g.turns = append(g.turns, name)
	}
	g.queues[name] = append(g.queues[name], w)
	g.waiting++
	return w, nil
}

// makeRoom sends away the newest request of the client that has most waiting,
// if that is more than the named one would have.
func (g *gate) makeRoom(name string) bool {
	longest := ""
	for client, q := range g.queues {
		if longest == "" || len(q) > len(g.queues[longest]) {
			longest = client
		}
	}
	q := g.queues[longest]
	if len(q) <= len(g.queues[name])+1 {
		return false
	}
	last := q[len(q)-1]
	g.remove(longest, last)
	last.told <- errBusy
	return true
}

// remove takes a waiter out of the queue; ok is false if it is in it no more.
func (g *gate) remove(name string, w *waiter) (ok bool) {
	q := g.queues[name]
	i := slices.Index(q, w)
	if i < 0 {
		return false
	}
	g.waiting--
	if q = slices.Delete(q, i, i+1); len(q) > 0 {
		g.queues[name] = q
		return true
	}
	delete(g.queues, name)
	if at := slices.Index(g.turns, name); at >= 0 {
		g.turns = slices.Delete(g.turns, at, at+1)
	}
	return true
}

// wait waits for a waiter's turn, or until time is up.
func (g *gate) wait(ctx context.Context, name string, w *waiter) error {
	timer := time.NewTimer(g.patience)
	defer timer.Stop()
	select {
	case err := <-w.told:
		return err
	case <-timer.C:
	case <-ctx.Done():
	}
	g.mu.Lock()
	removed := g.remove(name, w)
	g.mu.Unlock()
	if removed {
		return errBusy
	}
	return <-w.told // its turn came at the same moment
}

// leave hands the place to whose turn it is.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.turns) == 0 {
		g.running--
		return
	}
	name := g.turns[0]
	g.turns = append(slices.Delete(g.turns, 0, 1), name)
	w := g.queues[name][0]
	g.remove(name, w)
	w.told <- nil
}

// remoteHost is the client that a request comes from, as far as the
// connection tells.
func remoteHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
