package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pglogrepl"
	"golang.org/x/sync/errgroup"

	"freshet/projector"
)

// maxViewers is how many streams of events there may be at a time.
const maxViewers = 32

var errFull = errors.New("too many viewers")

// board is what /status shows: a sample of each second, kept whether or not
// somebody looks, and the last reading of the database, made only while
// somebody does.
//
// Lock order: board.mu is a leaf; nothing of the engine is asked under it.
type board struct {
	source source
	want   chan struct{} // a reading is asked for
	done   chan struct{} // closed at the end: streams end

	mu       sync.Mutex
	history  history
	times    histogram // of the second under way
	backfill map[string]*filling
	order    []string // of the backfill's models
	viewers  map[*viewer]struct{}

	// The last reading, and the last try.
	last   *reading
	readAt time.Time
	tried  time.Time
	asked  []logFilter   // of the last try
	fault  string        // of the last try
	read   chan struct{} // closed at the next try's end
	writes []written     // positions of the server's log, the oldest first
}

// viewer is somebody who looks.
type viewer struct {
	filter logFilter
	wake   chan struct{}
}

// filling is a backfill under way, from where this process found it.
type filling struct {
	projector.BackfillEvent
	began time.Time
	from  int64
}

func newBoard() *board {
	return &board{want: make(chan struct{}, 1), done: make(chan struct{}), read: make(chan struct{}),
		backfill: map[string]*filling{}, viewers: map[*viewer]struct{}{}}
}

// events feed the board from an engine.
func (b *board) events() projector.Events {
	return projector.Events{Batch: b.batch, Backfill: b.fill, State: b.state}
}

func (b *board) batch(e projector.BatchEvent) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, at := range e.Commits {
		b.times.add(e.At.Sub(at))
	}
}

func (b *board) fill(e projector.BackfillEvent) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.backfill[e.Model]
	if f == nil {
		f = &filling{began: time.Now(), from: e.Documents}
		b.backfill[e.Model] = f
		b.order = append(b.order, e.Model)
	}
	f.BackfillEvent = e
}

// state forgets a backfill that is over.
func (b *board) state(s projector.State, _ string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s != projector.Backfilling {
		clear(b.backfill)
		b.order = nil
	}
	b.notify()
}

func (f *filling) progress() backfillProgress {
	p := backfillProgress{Model: f.Model, Documents: f.Documents, Estimate: f.Estimate, Done: f.Done}
	spent := time.Since(f.began).Seconds()
	if done := f.Documents - f.from; !f.Done && done > 0 && spent > 0.5 && f.Estimate >= f.Documents {
		seconds := float64(f.Estimate-f.Documents) * spent / float64(done)
		p.SecondsLeft = &seconds
	}
	return p
}

// run samples counters each second, and reads the database while somebody
// looks, until ctx ends.
func (b *board) run(ctx context.Context, counters func() projector.Status) error {
	defer close(b.done)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return b.sampleAll(ctx, counters) })
	if b.source != nil {
		group.Go(func() error { return b.readAll(ctx) })
	}
	return group.Wait()
}

func (b *board) sampleAll(ctx context.Context, counters func() projector.Status) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last, at := counters(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		c, now := counters(), time.Now()
		b.sample(last, c, at, now)
		last, at = c, now
	}
}

// sample notes what came between two moments, and has viewers told: by the
// reading that it asks for, or at once where that would take a while.
func (b *board) sample(last, c projector.Status, from, to time.Time) {
	rate := func(a, b int64) float64 { return float64(int64(float64(b-a)/to.Sub(from).Seconds()*10+0.5)) / 10 }
	b.mu.Lock()
	defer b.mu.Unlock()
	b.history.add(sample{At: to, Commits: rate(last.Transactions, c.Transactions), Written: rate(last.Upserted, c.Upserted),
		Unchanged: rate(last.Unchanged, c.Unchanged), Deleted: rate(last.Deleted, c.Deleted),
		P50MS: b.times.quantile(0.5), P99MS: b.times.quantile(0.99), received: uint64(c.Received), times: b.times})
	b.times = histogram{}
	if len(b.viewers) == 0 {
		return
	}
	b.ask()
	if b.source == nil || b.fault != "" || to.Sub(b.tried) > 1500*time.Millisecond {
		b.notify()
	}
}

// ask has the database read, now or when a second has gone.
func (b *board) ask() {
	select {
	case b.want <- struct{}{}:
	default: // asked already
	}
}

// notify wakes the viewers. b.mu is held.
func (b *board) notify() {
	for v := range b.viewers {
		select {
		case v.wake <- struct{}{}:
		default:
		}
	}
}

// join adds a viewer, with a limit of how many there may be; leave takes it
// away again.
func (b *board) join(f logFilter) (*viewer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.viewers) >= maxViewers {
		return nil, errFull
	}
	v := &viewer{filter: f, wake: make(chan struct{}, 1)}
	b.viewers[v] = struct{}{}
	b.ask()
	return v, nil
}

func (b *board) leave(v *viewer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.viewers, v)
}

// filters are what the viewers want, each once.
func (b *board) filters() []logFilter {
	b.mu.Lock()
	defer b.mu.Unlock()
	set := map[logFilter]struct{}{}
	for v := range b.viewers {
		set[v.filter] = struct{}{}
	}
	return slices.Collect(maps.Keys(set))
}

// recent waits for a try at reading the database that is at most two seconds
// old and has v's filter.
func (b *board) recent(ctx context.Context, v *viewer) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout+readEvery)
	defer cancel()
	for b.source != nil {
		b.mu.Lock()
		ready := time.Since(b.tried) < 2*readEvery && slices.Contains(b.asked, v.filter)
		next := b.read
		b.mu.Unlock()
		if ready {
			return
		}
		b.ask()
		select {
		case <-next:
		case <-ctx.Done():
			return
		case <-b.done:
			return
		}
	}
}

// complete adds to a process's status what the board knows, with the samples
// from number n on, and returns the number after the last.
func (b *board) complete(p *processStatus, f logFilter, n int64) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	p.Filter = f
	p.History = b.history.since(n)
	p.Freshness = b.history.freshness(historyLength)
	if p.Projector != nil {
		for _, name := range b.order {
			p.Projector.Backfill = append(p.Projector.Backfill, b.backfill[name].progress())
		}
	}
	p.Database.Error = b.fault
	if b.last != nil {
		age, at, state := time.Since(b.readAt).Seconds(), b.readAt, b.last.state
		p.Database.Reachable = b.fault == ""
		p.Database.ReadAt, p.Database.AgeSeconds, p.Database.State = &at, &age, &state
		if rows := b.last.log[f]; rows != nil {
			p.Log = rows
		}
		p.Lag = b.lag(p)
	}
	p.Summary = summarize(p)
	return b.history.n
}

// lag compares how far the documents are with the last reading. b.mu is held.
func (b *board) lag(p *processStatus) (l lagStatus) {
	d := &b.last.state
	have := reached(p)
	if len(b.writes) == 0 || have == 0 {
		return l
	}
	now := b.writes[len(b.writes)-1]
	var bytes int64
	if now.lsn > have {
		bytes = int64(now.lsn - have)
	}
	l.Bytes = &bytes
	l.Seconds = b.behind(have, d.Checkpoint.CommitTime, bytes)
	if e := p.Projector; e != nil {
		if e.State == projector.Streaming && e.Status.Received <= have {
			l.Commits = new(int64)
		}
		if pace := b.history.pace(); pace > 0 && now.lsn > e.Status.Received {
			left := float64(now.lsn-e.Status.Received) / pace
			l.SecondsLeft = &left
		}
	}
	return l
}

// behind is at most the age, in seconds, of the oldest commit that is not in
// the documents: from when the server's log was last seen where they are.
func (b *board) behind(have pglogrepl.LSN, commit *time.Time, bytes int64) *float64 {
	var seconds float64
	for i := len(b.writes) - 1; i >= 0; i-- {
		if b.writes[i].lsn > have {
			continue
		}
		if seconds = time.Since(b.writes[i].at).Seconds(); seconds < 2.5 {
			// As close as readings can tell; the batches tell it closer.
			seconds = 0
			if f := b.history.freshness(10); f.P99MS != nil {
				seconds = *f.P99MS / 1000
			}
		}
		return &seconds
	}
	if commit == nil || bytes < 1<<20 {
		return nil
	}
	seconds = time.Since(*commit).Seconds()
	return &seconds
}

// reached is how far the documents are: by the engine where it runs here, and
// by the database.
func reached(p *processStatus) (have pglogrepl.LSN) {
	if e := p.Projector; e != nil {
		have = max(e.Status.Watermark, e.Status.Confirmed)
	}
	d := p.Database.State
	if d.Checkpoint == nil {
		return 0 // nothing is complete yet
	}
	for _, text := range []string{d.Checkpoint.Watermark, or(d.Slot.ConfirmedLSN, "0/0")} {
		if lsn, err := pglogrepl.ParseLSN(text); err == nil {
			have = max(have, lsn)
		}
	}
	return have
}
