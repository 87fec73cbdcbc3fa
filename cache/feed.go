package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
)

// Defaults of FeedConfig.
const (
	DefaultSlot         = "freshet"
	DefaultPoll         = time.Second
	DefaultTimeout      = 5 * time.Second
	DefaultMaxStaleness = 10 * time.Second
	DefaultPage         = 1000
)

// FeedConfig configures a Feed. Connect is required.
type FeedConfig struct {
	// Connect opens a connection of the feed's own, to the database with the
	// schema freshet, not through a pooler that shares sessions (it LISTENs).
	Connect func(ctx context.Context) (*pgx.Conn, error)
	// Slot names the checkpoint whose watermark counts. Default DefaultSlot.
	Slot string
	// Poll is how long the feed waits for a notification before it looks by
	// itself. Default DefaultPoll.
	Poll time.Duration
	// Timeout bounds connecting and each statement. Default DefaultTimeout.
	Timeout time.Duration
	// MaxStaleness is how long ago the last contact may be for Fresh to hold:
	// it must be well above Poll. Default DefaultMaxStaleness.
	MaxStaleness time.Duration
	// Page is how many rows of sync_log one statement reads. Default
	// DefaultPage.
	Page int
	// Events tell what the feed does.
	Events FeedEvents
}

// FeedEvents are called from the feed's goroutine and must return quickly. Any
// may be nil.
type FeedEvents struct {
	// Connected is called once the feed has caught up on a new connection.
	Connected func(watermark pglogrepl.LSN)
	// Retry is called when the connection failed, or there is no projector's
	// checkpoint yet; the next try comes after wait.
	Retry func(err error, wait time.Duration)
	// Reset is called after everything cached was forgotten because rows of
	// the log were missed; not at the first start.
	Reset func(reason string)
	// Batch is called after each reading of the log that brought something.
	Batch func(Reading)
}

// Reading tells what one reading of the log brought.
type Reading struct {
	Rows      int
	Keys      int
	Watermark pglogrepl.LSN
	Elapsed   time.Duration
}

// Invalidator is what a Feed keeps right: a Cache.
type Invalidator interface {
	Invalidate(model string, keys []string, lsn pglogrepl.LSN)
	InvalidateModel(model string, lsn pglogrepl.LSN)
	InvalidatePages(model string, columns []string, lsn pglogrepl.LSN)
	Purge()
	// Advance says that all is done up to a batch.
	Advance(batch int64)
}

// Change is one row of sync_log: what a batch has changed in one read model.
// Large batches have several. Its slices are not to be changed.
type Change struct {
	ID          int64 // of the row; rising
	Batch       int64
	Model       string
	Operation   string   // rebuild, backfill, resync or repair
	Keys        []string // inserted or updated
	DeletedKeys []string
	Whole       bool // any key of the model may have changed
	// Moved are the columns, of those that serve indexes, that changed in some
	// document. AnyColumn is among them where documents were inserted or
	// deleted, or it is not known.
	Moved       []string
	Watermark   pglogrepl.LSN // of the batch
	Last        pglogrepl.LSN // end of the batch's last source transaction; 0 unknown
	CommittedAt time.Time     // of that transaction; zero unknown
}

// Listener follows the feed: for subscriptions. Its functions are called from
// the feed's goroutine, in order, and must return quickly; any may be nil.
type Listener struct {
	// Change is called for each row after its invalidation and before the
	// watermark advances: a read through the cache sees it from here on.
	Change func(Change)
	// Advanced is called after the watermark has advanced over all Changes
	// told before. A batch may come in several advances, never the reverse.
	Advanced func(watermark pglogrepl.LSN)
	// Reset is called when changes were missed, and at the first connection:
	// anything may have changed.
	Reset func(watermark pglogrepl.LSN)
}

// Feed tails freshet.sync_log: it invalidates what each row names, and then
// lets the local watermark advance. Run does the work; all other methods are
// safe for concurrent use.
type Feed struct {
	cfg       FeedConfig
	watermark watermark
	lagging   atomic.Pointer[lagging]
	targets   []Invalidator
	running   atomic.Bool
	contact   atomic.Pointer[contact]

	mu        sync.Mutex
	state     FeedState
	listeners []*Listener

	pos position // the goroutine of Run alone touches it
}

// NewFeed returns a feed that Run starts. It fails without Connect.
func NewFeed(cfg FeedConfig) (*Feed, error) {
	if cfg.Connect == nil {
		return nil, errors.New("feed: FeedConfig.Connect is required")
	}
	if cfg.Slot == "" {
		cfg.Slot = DefaultSlot
	}
	cfg.Poll = orDefault(cfg.Poll, DefaultPoll)
	cfg.Timeout = orDefault(cfg.Timeout, DefaultTimeout)
	cfg.MaxStaleness = orDefault(cfg.MaxStaleness, DefaultMaxStaleness)
	cfg.Page = orDefault(cfg.Page, DefaultPage)
	f := &Feed{cfg: cfg}
	f.lagging.Store(newLagging())
	return f, nil
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// Attach adds a cache for the feed to keep right. It must be called before Run.
func (f *Feed) Attach(inv Invalidator) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.targets = append(f.targets, inv)
}

// Subscribe adds a listener and returns the function that removes it. After
// that returns a call under way may still end.
func (f *Feed) Subscribe(l Listener) (cancel func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	me := &l
	f.listeners = append(f.listeners[:len(f.listeners):len(f.listeners)], me)
	return func() { f.unsubscribe(me) }
}

func (f *Feed) unsubscribe(me *Listener) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var rest []*Listener
	for _, l := range f.listeners {
		if l != me {
			rest = append(rest, l)
		}
	}
	f.listeners = rest
}

// Run follows the log until ctx ends, and then returns nil. It reconnects with
// back-off for as long as it takes. It fails only when it runs already.
func (f *Feed) Run(ctx context.Context) error {
	if !f.running.CompareAndSwap(false, true) {
		return errors.New("feed: it is running already")
	}
	defer f.running.Store(false)
	pause := &backoff.ExponentialBackOff{
		InitialInterval:     50 * time.Millisecond,
		RandomizationFactor: 0.2,
		Multiplier:          1.7,
		MaxInterval:         2 * time.Second,
	}
	for {
		err := f.session(ctx, pause.Reset)
		f.disconnected(err)
		if ctx.Err() != nil {
			return nil
		}
		wait := pause.NextBackOff()
		if f.cfg.Events.Retry != nil {
			f.cfg.Events.Retry(err, wait)
		}
		if !sleep(ctx, wait) {
			return nil
		}
	}
}

// sleep reports false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Watermark returns the local watermark: every commit at or before it is
// reflected by the documents, and by what the attached caches hold, but for the
// models that Lags tells of. It is 0 before the first connection.
func (f *Feed) Watermark() pglogrepl.LSN { return f.watermark.load() }

// Wait returns once the local watermark is at or past lsn: see WaitModels for
// models that may lag behind it. When ctx ends first
// it returns a BehindError.
func (f *Feed) Wait(ctx context.Context, lsn pglogrepl.LSN) error {
	return f.watermark.wait(ctx, lsn)
}

// Waiting returns how many calls of Wait are under way.
func (f *Feed) Waiting() int { return f.watermark.waiting() }

// describe says what failed. The errors of pgx name host, user and database,
// and never the password, so they may be shown.
func describe(what string, err error) error { return fmt.Errorf("feed: %s: %w", what, err) }
