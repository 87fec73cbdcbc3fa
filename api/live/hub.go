package live

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pglogrepl"

	"freshet/cache"
)

// Defaults of Config.
const (
	DefaultWorkers  = 8
	DefaultMax      = 20_000
	DefaultTimeout  = 30 * time.Second
	DefaultRetryMin = 100 * time.Millisecond
	DefaultRetryMax = 5 * time.Second
)

// Config configures a Hub; everything has a default.
type Config struct {
	Workers  int           // evaluations at once
	Max      int           // subscriptions
	Timeout  time.Duration // of an evaluation
	RetryMin time.Duration // pause after a failed evaluation, doubled up to RetryMax
	RetryMax time.Duration
	// Values returns the values that columns of a model have in documents now, by
	// column and then in any order. It is asked about changes, for pages with
	// Only; without it every change of the model counts for them.
	Values func(ctx context.Context, model string, keys, columns []string) (map[string][]string, error)
	// OnError is told of failed evaluations; it must return quickly.
	OnError func(error)
}

// The errors of Subscribe.
var (
	ErrFull   = errors.New("there are as many subscriptions as are allowed")
	ErrClosed = errors.New("no more subscriptions are taken: the server is ending")
)

// Key names what is subscribed to: whoever subscribes to the same shares its
// evaluations, so it must hold all that the answer depends on beside the data.
type Key [32]byte

// Hub holds all subscriptions of a process. It starts goroutines only while
// there is something to evaluate, and Close waits for them. It is safe for
// concurrent use.
type Hub struct {
	cfg  Config
	base context.Context
	end  context.CancelFunc
	wg   sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	queries map[Key]*query
	index   index
	recent  recent
	touched set         // since the feed advanced last
	queue   []*query    // to be evaluated
	strange []strangers // to be looked at
	looking bool        // a goroutine does
	workers int
	running set
	streak  int  // failures since an evaluation has succeeded
	between bool // changes came that the feed has not advanced over yet
	subs    int
	stats   Stats
}

// Stats are counters since the start, and what there is now.
type Stats struct {
	Subscriptions int    `json:"subscriptions"` // now
	Queries       int    `json:"queries"`       // now: those that ask the same share one
	Evaluations   uint64 `json:"evaluations"`
	Unchanged     uint64 `json:"unchanged"` // evaluations whose answer was as before
	Failures      uint64 `json:"failures"`  // evaluations that are to be tried again
	Messages      uint64 `json:"messages"`  // answers handed to subscribers
	Coalesced     uint64 `json:"coalesced"` // answers that a newer one replaced before they were fetched
}

// New returns a Hub.
func New(cfg Config) *Hub {
	orDefault(&cfg.Workers, DefaultWorkers)
	orDefault(&cfg.Max, DefaultMax)
	orDefault(&cfg.Timeout, DefaultTimeout)
	orDefault(&cfg.RetryMin, DefaultRetryMin)
	orDefault(&cfg.RetryMax, DefaultRetryMax)
	h := &Hub{cfg: cfg, queries: map[Key]*query{}, index: index{}, touched: set{}, running: set{}}
	h.base, h.end = context.WithCancel(context.Background())
	return h
}

func orDefault[T int | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// Listener is what the hub wants to know of the feed: it must be subscribed
// before anything is evaluated.
func (h *Hub) Listener() cache.Listener {
	return cache.Listener{Change: h.change, Advanced: h.advanced, Reset: h.reset}
}

// change notes whom a change touches. They are evaluated once the feed has
// advanced: before, a part of the batch may be missing.
func (h *Hub) change(ch cache.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.queries) == 0 {
		return
	}
	h.between = true
	h.index.each(&ch, func(q *query) { h.touched[q] = struct{}{} })
	h.meet(&ch)
	if len(h.running) > 0 {
		h.recent.add(ch)
	}
}

// advanced has those evaluated that were touched.
func (h *Hub) advanced(pglogrepl.LSN) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.between = false
	h.flush()
	h.lookAt()
}

// reset has everything evaluated: changes were missed.
func (h *Hub) reset(pglogrepl.LSN) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.between, h.strange = false, nil
	for _, q := range h.queries {
		q.lsn = 0
		if q.retry != nil && q.retry.Stop() {
			q.retry = nil // it is another world
		}
		h.touched[q] = struct{}{}
		for s := range q.subs {
			s.startOver()
		}
	}
	h.flush()
}

// flush lines up the queries that were touched. The lock is held.
func (h *Hub) flush() {
	for q := range h.touched {
		h.enqueue(q)
	}
	clear(h.touched)
}

// touch has a query evaluated, once the feed has advanced over what touches it.
// The lock is held.
func (h *Hub) touch(q *query) {
	if h.between {
		h.touched[q] = struct{}{}
		return
	}
	h.enqueue(q)
}

// Options are those of one subscription.
type Options struct {
	// Have is what the subscriber has already: it gets nothing until there is
	// something else. Zero: nothing.
	Have Tag
	// First is an answer to begin with, which was worked out before.
	First *Message
	// Floor is the lowest LSN that the subscriber is to be told.
	Floor pglogrepl.LSN
	// Notify is called when Take has something new to give. It may be called from
	// any goroutine, must return at once, and must not call the hub.
	Notify func()
}

// Subscribe subscribes to a query. The first answer is evaluated after the
// call. Errors: ErrFull, ErrClosed.
func (h *Hub) Subscribe(key Key, source Query, o Options) (*Subscription, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil, ErrClosed
	case h.subs >= h.cfg.Max:
		return nil, ErrFull
	}
	q := h.queries[key]
	if q == nil {
		q = &query{key: key, source: source, subs: map[*Subscription]struct{}{}}
		h.queries[key] = q
	}
	s := &Subscription{hub: h, query: q, notify: o.Notify, pending: o.First, sent: o.Have, lsn: o.Floor, joined: q.round}
	q.subs[s] = struct{}{}
	h.subs++
	h.enqueue(q)
	return s, nil
}

// unsubscribe takes a subscription out.
func (h *Hub) unsubscribe(s *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := s.query.subs[s]; !ok {
		return
	}
	delete(s.query.subs, s)
	h.subs--
	h.drop(s.query)
}

// drop forgets a query that nobody waits for, unless it is being evaluated: its
// end does it then. The lock is held.
func (h *Hub) drop(q *query) {
	if len(q.subs) > 0 || q.state == evaluating {
		return
	}
	if q.retry != nil {
		q.retry.Stop()
	}
	h.index.remove(q)
	delete(h.touched, q)
	delete(h.queries, q.key)
}

// Context ends with the hub: subscribers are to be told.
func (h *Hub) Context() context.Context { return h.base }

// Shutdown takes no more subscriptions, and ends Context. It returns at once.
func (h *Hub) Shutdown() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, q := range h.queries {
		if q.retry != nil {
			q.retry.Stop()
		}
	}
	h.end()
}

// Close shuts down and waits for the evaluations under way.
func (h *Hub) Close(ctx context.Context) error {
	h.Shutdown()
	done := make(chan struct{})
	go func() {
		h.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for subscriptions to end: %w", ctx.Err())
	}
}

// Stats returns the counters.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.stats
	s.Subscriptions, s.Queries = h.subs, len(h.queries)
	return s
}
