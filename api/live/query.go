package live

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/jackc/pglogrepl"
)

// query is a Query with those who have subscribed to it. The hub's lock guards
// it.
type query struct {
	key    Key
	source Query
	subs   map[*Subscription]struct{}
	deps   Dependencies

	state    state
	again    bool   // touched while it is being evaluated
	round    uint64 // how many evaluations have begun
	since    uint64 // number of the first change that came after the last of them began
	failures int    // in a row
	retry    *time.Timer

	known bool
	tag   Tag           // of the last answer, if known
	lsn   pglogrepl.LSN // of the last answer
}

type state uint8

const (
	idle state = iota
	queued
	evaluating
)

// enqueue lines a query up to be evaluated, unless it is to be tried again
// later. The lock is held.
func (h *Hub) enqueue(q *query) {
	switch {
	case h.closed || q.state == queued || q.retry != nil:
		return
	case q.state == evaluating:
		q.again = true
		return
	}
	q.state = queued
	h.queue = append(h.queue, q)
	h.staff()
}

// staff starts the workers that the queue needs. The lock is held.
func (h *Hub) staff() {
	for n := len(h.queue); n > 0 && h.workers < h.limit(); n-- {
		h.workers++
		h.wg.Go(h.work)
	}
}

// limit is how many workers there may be: when everything fails it is most
// likely the database, and one is enough to find out that it is back.
func (h *Hub) limit() int {
	if h.streak >= 2*h.cfg.Workers {
		return 1
	}
	return h.cfg.Workers
}

// work evaluates until there is nothing more to do.
func (h *Hub) work() {
	for q := h.next(); q != nil; q = h.next() {
		answer, err := h.evaluate(q.source)
		h.finish(q, answer, err)
		if pause := h.pause(); pause > 0 {
			sleep(h.base, pause)
		}
	}
}

// pause is how long a worker waits before its next evaluation.
func (h *Hub) pause() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.limit() > 1 {
		return 0
	}
	return h.backoff(h.streak - 2*h.cfg.Workers)
}

// backoff is the pause after a number of failures.
func (h *Hub) backoff(failures int) time.Duration {
	return min(h.cfg.RetryMin<<min(failures, 10), h.cfg.RetryMax)
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// next takes a query from the queue, or ends the worker.
func (h *Hub) next() *query {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.queue) == 0 || h.workers > h.limit() {
		h.workers--
		if len(h.queue) == 0 {
			h.queue = nil // its array is as long as the longest queue was
		}
		return nil
	}
	q := h.queue[0]
	h.queue[0] = nil
	h.queue = h.queue[1:]
	q.state, q.again = evaluating, false
	q.round++
	q.since = h.recent.now()
	h.running[q] = struct{}{}
	return q
}

// evaluate runs a Query. A panic in it becomes an error: there is no request
// that could recover.
func (h *Hub) evaluate(source Query) (answer Answer, err error) {
	ctx, cancel := context.WithTimeout(h.base, h.cfg.Timeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic while evaluating a subscription: %v\n%s", p, debug.Stack())
		}
	}()
	answer, err = source.Evaluate(ctx)
	answer.Depends = answer.Depends.Normal()
	return answer, err
}

// finish takes an evaluation's outcome.
func (h *Hub) finish(q *query, answer Answer, err error) {
	tag := TagOf(answer.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	touched := err == nil && h.recent.touched(q.since, &answer.Depends)
	h.settle(q)
	h.stats.Evaluations++
	switch {
	case len(q.subs) == 0:
		h.drop(q)
	case h.closed:
	case err != nil:
		h.failed(q, err)
	default:
		q.failures, h.streak = 0, 0
		h.staff()
		h.index.replace(q, answer.Depends)
		h.publish(q, answer, tag)
		if q.again || touched {
			h.touch(q)
		}
	}
}

// settle notes that a query is evaluated no more. The lock is held.
func (h *Hub) settle(q *query) {
	q.state = idle
	delete(h.running, q)
	oldest := h.recent.now()
	for r := range h.running {
		oldest = min(oldest, r.since)
	}
	h.recent.forget(oldest)
}

// publish offers an answer to the subscribers. The lock is held.
func (h *Hub) publish(q *query, answer Answer, tag Tag) {
	if q.known && q.tag == tag {
		h.stats.Unchanged++
	}
	// Documents only get fresher, so that what was true of the answer before is
	// true of this one, whatever lags have been found since.
	q.lsn = max(q.lsn, answer.LSN)
	q.known, q.tag = true, tag
	for s := range q.subs {
		if s.joined == q.round {
			continue // it came after this evaluation had begun
		}
		if s.offer(Message{Body: answer.Body, Final: answer.Final, ID: ID{q.lsn, tag}}) {
			h.stats.Coalesced++
		}
	}
}

// failed has a query tried again after a pause. The lock is held.
func (h *Hub) failed(q *query, err error) {
	wait := h.backoff(q.failures)
	h.stats.Failures++
	h.streak++
	q.failures++
	if h.cfg.OnError != nil {
		h.cfg.OnError(err)
	}
	q.retry = time.AfterFunc(wait, func() { h.tryAgain(q) })
}

func (h *Hub) tryAgain(q *query) {
	h.mu.Lock()
	defer h.mu.Unlock()
	q.retry = nil
	if h.queries[q.key] == q {
		h.enqueue(q)
	}
}
