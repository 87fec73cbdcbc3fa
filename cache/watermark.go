package cache

import (
	"container/heap"
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/jackc/pglogrepl"
)

// BehindError is the error of a wait that ended before the watermark came: it
// says how far it was, and wraps the error of the context.
type BehindError struct {
	Want  pglogrepl.LSN
	Have  pglogrepl.LSN
	Cause error
}

func (e *BehindError) Error() string {
	return fmt.Sprintf("wait for %s: watermark is at %s, %d bytes behind: %v", e.Want, e.Have, uint64(e.Want-min(e.Have, e.Want)), e.Cause)
}

// Unwrap returns the error of the context.
func (e *BehindError) Unwrap() error { return e.Cause }

// watermark is an LSN that can be waited for. Setting it costs in proportion
// to the waiters it wakes, not to all.
type watermark struct {
	lsn     atomic.Uint64
	mu      sync.Mutex
	waiters waiters
}

func (w *watermark) load() pglogrepl.LSN { return pglogrepl.LSN(w.lsn.Load()) }

// set moves the watermark and wakes those who have waited for it. It goes down
// only when the feed starts over.
func (w *watermark) set(lsn pglogrepl.LSN) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lsn.Store(uint64(lsn))
	for len(w.waiters) > 0 && w.waiters[0].want <= lsn {
		close(heap.Pop(&w.waiters).(*waiter).ready)
	}
}

// wait returns once the watermark is at or past want.
func (w *watermark) wait(ctx context.Context, want pglogrepl.LSN) error {
	if w.load() >= want {
		return nil
	}
	me := &waiter{want: want, ready: make(chan struct{})}
	if !w.enlist(me) {
		return nil
	}
	select {
	case <-me.ready:
		return nil
	case <-ctx.Done():
		w.leave(me)
		return &BehindError{Want: want, Have: w.load(), Cause: ctx.Err()}
	}
}

// enlist adds a waiter, or reports false when there is nothing to wait for.
func (w *watermark) enlist(me *waiter) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.load() >= me.want {
		return false
	}
	heap.Push(&w.waiters, me)
	return true
}

func (w *watermark) leave(me *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if me.index >= 0 {
		heap.Remove(&w.waiters, me.index)
	}
}

// waiting returns how many wait.
func (w *watermark) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.waiters)
}

type waiter struct {
	want  pglogrepl.LSN
	ready chan struct{}
	index int // in the heap; -1 once out of it
}

// waiters is a heap with the lowest LSN first.
type waiters []*waiter

func (h waiters) Len() int           { return len(h) }
func (h waiters) Less(i, j int) bool { return h[i].want < h[j].want }

func (h waiters) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *waiters) Push(x any) {
	me := x.(*waiter)
	me.index = len(*h)
	*h = append(*h, me)
}

// Pop implements heap.Interface.
func (h *waiters) Pop() any {
	last := len(*h) - 1
	me := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	me.index = -1
	return me
}
