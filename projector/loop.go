package projector

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"freshet/projector/apply"
	"freshet/projector/batch"
	"freshet/projector/compile"
	"freshet/projector/session"
	"freshet/projector/stream"
)

const (
	// buffered is how many transactions may wait between the stream and the
	// loop while a batch is applied; past it the server holds them.
	buffered = 4096
	// tick is how often an idle loop confirms, advances and looks for pending
	// keys.
	tick = time.Second
	// waitAgain is how soon a transaction that was received before it was
	// visible is looked for again; it doubles up to tick.
	waitAgain = time.Millisecond
	// persistIdle is how often an idle projector writes its place down.
	persistIdle = 10 * time.Second
	// idleBytes is by how much WAL an idle place must have moved to be written
	// down: less than that is the trace of the last writing itself.
	idleBytes = 64 << 10
	// checkReady is how often it is checked that the tables are still published
	// whole, with the replica identity that the plan needs: a table that has
	// left the publication sends nothing by which the stream could tell.
	checkReady = 5 * time.Second
	// drainDeadline is how long a batch in hand may take after a stop was
	// asked for.
	drainDeadline = 8 * time.Second
)

// loop is the streaming part of a session: it takes transactions from the
// stream, forms batches and applies them. Everything in it belongs to one
// goroutine; the stream has another.
type loop struct {
	engine  *Engine
	plan    *compile.Plan // without the read models that are paused
	control *pgx.Conn     // markers, pending, idle progress
	epoch   int64
	number  int64         // of the last batch
	applied pglogrepl.LSN // resume position in the checkpoint
	flush   pglogrepl.LSN // once the server has flushed as far, applied is durable

	applier *apply.Applier
	stream  *stream.Stream
	events  chan stream.Event
	queue   *batch.Queue
	nonce   string // tells this session's markers from others'
	markers int    // emitted so far

	confirmed pglogrepl.LSN // told to the slot: durable
	asked     bool          // somebody waits for the watermark: a marker not our own came by
	again     time.Duration // the wait before transactions that wait are looked for; 0: none wait
	persisted time.Time     // when an idle place was last written down
	chase     int           // how many more times that is done for any progress
	faulty    bool          // pending keys of the last batch could not be built
	trimmed   time.Time
	checked   time.Time
	careful   bool // the last try met a document that cannot be built
	force     bool // commit a batch even if nothing is in it

	partitions map[string]string // the state of partitioned sources that the documents reflect
	whole      []int             // read models to rebuild whole in the next batch

	pace    pace
	looked  time.Time // when stored documents were last compared with their definition
	fanOuts *lanes
	horizon string             // transactions from before must end before read models are filled; "": not taken
	wanted  []apply.PendingKey // documents that readers ask for
}

// run streams until ctx ends, then finishes the batch in hand. up is true once
// the stream was open.
func (l *loop) run(ctx context.Context) (up bool, err error) {
	conn, err := session.Connect(ctx, l.engine.cfg.ConnConfig, "projector", session.Indexed, session.Unflushed)
	if err != nil {
		return false, err
	}
	defer session.Close(conn)
	plan := l.plan
	l.applier = apply.New(conn, plan, l.engine.cfg.Slot, l.epoch)
	if err = l.applier.Load(ctx); err != nil {
		return false, err
	}
	l.applier.LimitFanOut(l.engine.cfg.FanOut)
	known, err := apply.FanOuts(ctx, conn, l.engine.cfg.Slot)
	if err != nil {
		return false, err
	}
	l.fanOuts = newLanes(ours(plan, known))
	l.queue = batch.NewQueue(batch.NewSpill(plan, 0), l.applied)
	l.events = make(chan stream.Event, buffered)
	l.nonce = fmt.Sprintf("%d.%d", l.epoch, time.Now().UnixNano())
	follow := l.engine.streamConfig()
	follow.Start = l.applied
	l.stream, err = stream.Open(ctx, follow, batch.NewAssembler(plan, batch.Options{}))
	if err != nil {
		return false, err
	}
	defer l.farewell(ctx)
	l.confirm(l.applied) // what a new session reads may not be flushed yet: its taking over was, and came after
	return true, l.both(ctx)
}

// farewell tells the slot what the last batch made durable.
func (l *loop) farewell(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = l.stream.Close(ctx) // what is not told now comes again, and changes nothing
}

// end is the position up to which an event has brought the stream.
func end(ev stream.Event) pglogrepl.LSN {
	if ev.Transaction != nil {
		return ev.Transaction.EndLSN
	}
	return ev.Idle
}

// both runs the stream and the loop. The stream outlives the loop, so that
// what the last batch made durable is still confirmed.
func (l *loop) both(ctx context.Context) error {
	hard, stopHard := context.WithCancel(context.WithoutCancel(ctx))
	defer stopHard()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(drainDeadline, stopHard) })()
	group, work := errgroup.WithContext(hard)
	streaming, stopStream := context.WithCancel(work)
	group.Go(func() error {
		err := l.stream.Run(streaming, l.events)
		if streaming.Err() != nil {
			return nil // asked to stop
		}
		if err == nil {
			err = errors.New("the replication stream ended")
		}
		return err
	})
	group.Go(func() error { return l.fanOuts.changes.read(streaming, l.engine.cfg.ConnConfig) })
	group.Go(func() error { return l.fanOuts.fills.read(streaming, l.engine.cfg.ConnConfig) })
	group.Go(func() error {
		defer stopStream()
		return l.batches(ctx, work)
	})
	return group.Wait()
}

// batches is the loop itself: ctx asks it to stop between two batches, work
// bounds what it does.
func (l *loop) batches(ctx, work context.Context) error {
	if err := l.catchUp(ctx, work); err != nil {
		return err
	}
	l.fanOuts.begin(l.plan)
	if err := l.openFills(work); err != nil {
		return err
	}
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		if err := l.next(ctx, work, ticker.C); err != nil {
			return err
		}
		if ctx.Err() != nil {
			_ = l.settle(work) // what is not confirmed now comes again, and changes nothing
			return nil
		}
	}
}

// next waits for the next thing to do, and does it.
func (l *loop) next(ctx, work context.Context, ticks <-chan time.Time) error {
	var again <-chan time.Time
	if l.again > 0 {
		timer := time.NewTimer(l.again)
		defer timer.Stop()
		again = timer.C
	}
	var rested <-chan time.Time
	changes, fills, rest := l.fanOuts.offers(time.Now())
	if rest > 0 {
		timer := time.NewTimer(rest)
		defer timer.Stop()
		rested = timer.C
	}
	select {
	case c := <-changes:
		l.fanOuts.hold(l.fanOuts.changes, c)
		return l.batch(ctx, work, nil)
	case c := <-fills:
		l.fanOuts.hold(l.fanOuts.fills, c)
		return l.batch(ctx, work, nil)
	case <-rested:
		return nil
	case ev := <-l.events:
		l.receive(ev, nil)
		return l.work(ctx, work)
	case <-again:
		return l.lookAgain(ctx, work)
	case <-ticks:
		return l.housekeep(ctx, work)
	case <-ctx.Done():
		return nil
	case <-work.Done():
		return work.Err()
	}
}

// work does what was received: a batch, or nothing but a watermark that
// somebody waits for.
func (l *loop) work(ctx, work context.Context) error {
	if !l.queue.Empty() || len(l.wanted) > 0 {
		l.gather(ctx)
		return l.batch(ctx, work, nil)
	}
	if !l.asked {
		return nil
	}
	l.asked = false
	return l.persist(work, 1)
}

// receive books an event of the stream, and returns its marker where it is one
// of this session. A snapshot that is already taken lets what is visible in it
// be merged at once, which keeps a long backlog small.
func (l *loop) receive(ev stream.Event, snapshot *batch.Snapshot) (marker string) {
	l.engine.received.Store(uint64(end(ev)))
	t := ev.Transaction
	if t == nil {
		l.queue.Idle(ev.Idle)
		return ""
	}
	if t.Described {
		l.checked = time.Time{} // a table may have changed: look soon
	}
	l.queue.Add(t, snapshot)
	for _, m := range t.Markers {
		if strings.HasPrefix(m, l.nonce) {
			return m
		}
		l.asked = true
		l.want(m)
	}
	return ""
}

// catchUp reads the backlog of a downtime before the first batch. It is merged
// under a snapshot that no transaction is held open for: what is visible in it
// is visible in every later one.
func (l *loop) catchUp(ctx, work context.Context) error {
	if l.engine.filled {
		l.engine.setState(Backfilling, "applying what was committed meanwhile")
	} else {
		l.engine.setState(CatchingUp, "")
	}
	snapshot, err := l.glance(work)
	if err != nil {
		return err
	}
	if _, err = l.drain(ctx, work, snapshot); err != nil {
		return err
	}
	// The first batch is never left out: it is what makes a backfill exact and
	// the watermark true.
	l.force = true
	if err = l.followPartitions(ctx, work); err != nil {
		return err
	}
	if err = l.batch(ctx, work, nil); err != nil {
		return err
	}
	if err = l.engine.ready(work, l.control); err != nil {
		return err
	}
	l.engine.setState(Streaming, "")
	return nil
}

// glance returns a snapshot without holding it.
func (l *loop) glance(work context.Context) (*batch.Snapshot, error) {
	var text string
	if err := l.control.QueryRow(work, "SELECT pg_current_snapshot()::text").Scan(&text); err != nil {
		return nil, fmt.Errorf("take a snapshot: %w", err)
	}
	return batch.ParseSnapshot(text)
}

// drain puts a marker into the WAL, which also flushes what is before it, and
// reads the stream until it comes out: every commit visible when drain was
// called has then been received. It returns the end of the marker's commit.
func (l *loop) drain(ctx, work context.Context, snapshot *batch.Snapshot) (pglogrepl.LSN, error) {
	marker := l.newMarker()
	if err := l.mark(work, marker); err != nil {
		return 0, err
	}
	return l.await(ctx, work, marker, snapshot)
}

func (l *loop) newMarker() string {
	l.markers++
	return fmt.Sprintf("%s:%d", l.nonce, l.markers)
}

// mark puts a marker into the WAL.
func (l *loop) mark(work context.Context, marker string) error {
	if _, err := l.control.Exec(work, "SELECT pg_logical_emit_message(true, 'freshet', $1)", marker); err != nil {
		return fmt.Errorf("put a marker into the WAL: %w", err)
	}
	return nil
}

// await reads the stream until a marker comes out, and returns the end of its
// commit.
func (l *loop) await(ctx, work context.Context, marker string, snapshot *batch.Snapshot) (pglogrepl.LSN, error) {
	for {
		select {
		case ev := <-l.events:
			if l.receive(ev, snapshot) == marker {
				return end(ev), nil
			}
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-work.Done():
			return 0, work.Err()
		}
	}
}

// batch does one batch, and again with savepoints where a document could not
// be built, and again after a conflict with somebody else's lock.
func (l *loop) batch(ctx, work context.Context, pending []apply.PendingKey) error {
	l.careful = false
	wait := 10 * time.Millisecond
	for {
		err := l.try(ctx, work, pending)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, apply.ErrCareful):
			l.careful = true
			l.fanOuts.cut()
		case errors.Is(err, apply.ErrMoved): // at once: Begin sees to it
		case passing(err):
			err = l.blame(work, err)
			if l.engine.cfg.Events.Retry != nil {
				l.engine.cfg.Events.Retry("batch", err, wait)
			}
			if err := sleep(ctx, wait); err != nil {
				return err
			}
			wait = min(2*wait, 5*time.Second)
		default:
			return err
		}
	}
}

// passing says whether a batch failed for a reason that is gone soon: a lock
// held by somebody, a deadlock, a conflict, a cancel.
func passing(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return false
	}
	switch pgErr.Code {
	case "40001", "40P01", "55P03", "57014":
		return true
	}
	return false
}

// try does one batch: snapshot, marker, affected keys, documents, commit. What
// was received before is rebuilt while the marker is on its way.
func (l *loop) try(ctx, work context.Context, pending []apply.PendingKey) error {
	l.fanOuts.take()
	snapshot, err := l.applier.Begin(work)
	if err != nil {
		return err
	}
	marker := l.newMarker()
	marked := make(chan error, 1)
	go func() { marked <- l.mark(work, marker) }() // waited for below, whatever happens
	early, err := l.early(work, snapshot)
	markErr := <-marked
	if markErr == nil {
		l.confirm(l.applied) // the marker's commit flushed what was committed before it
	}
	err = errors.Join(err, markErr)
	waited := time.Now()
	var end pglogrepl.LSN
	if err == nil {
		end, err = l.await(ctx, work, marker, snapshot)
	}
	if err != nil {
		l.queue.Restore(early)
		return errors.Join(err, l.applier.Rollback(context.WithoutCancel(work)))
	}
	drained := time.Since(waited)
	rest := l.rest(snapshot, end)
	idle := early.Empty() && rest.Empty() && len(pending) == 0 && len(l.wanted) == 0 && len(l.whole) == 0 && l.fanOuts.atHand() == nil
	if idle && !l.queue.Empty() && !l.force {
		// Nothing that was received is visible yet.
		l.lookSoon()
		return l.applier.Rollback(work)
	}
	err = l.applier.Resolve(work, &rest.Dirty)
	ready := early.Join(rest)
	if err == nil {
		err = l.finish(work, ready, pending, drained)
	}
	if err != nil {
		l.queue.Restore(ready)
	}
	return err
}

// early rebuilds what has been received and is visible. A careful try leaves
// everything to the end, where it sets documents aside one by one.
func (l *loop) early(work context.Context, snapshot *batch.Snapshot) (batch.Batch, error) {
	if l.careful {
		return batch.Batch{}, nil
	}
	early := l.queue.TakeVisible(snapshot)
	if early.Empty() {
		return early, nil
	}
	return early, l.applier.Early(work, &early.Dirty, early.LastLSN)
}

// rest takes what is left of the batch, now that the marker has come.
func (l *loop) rest(snapshot *batch.Snapshot, end pglogrepl.LSN) batch.Batch {
	rest := l.queue.Take(snapshot, end)
	for _, model := range l.whole {
		rest.Dirty.AddWhole(model)
	}
	return rest
}

// finish applies a batch that is complete, and books it.
func (l *loop) finish(work context.Context, ready batch.Batch, pending []apply.PendingKey, drained time.Duration) error {
	chunk := l.fanOuts.atHand()
	result, err := l.applier.Apply(work, apply.Work{
		Number: l.number + 1, Batch: ready, Pending: pending, Wanted: l.wanted,
		Chunk: chunk, Waiting: l.fanOuts.sinceAfter(),
		Check: l.checks(), Skip: l.fanOuts.lagging,
	}, l.careful)
	if err != nil {
		return err
	}
	l.number++
	if len(pending) > 0 {
		l.faulty = len(result.Quarantined) > 0
	}
	l.pace.took(ready.Transactions, time.Now())
	l.asked, l.force, l.whole, l.wanted = false, false, nil, nil
	if chunk != nil && chunk.Fill {
		l.fillProgress(chunk, result.Filled)
	}
	l.fanOuts.done(result.FanOuts, result.Spread, l.pace.rate, l.plan)
	l.applied, l.flush = max(l.applied, ready.Resume), result.End
	l.report(ready, result, drained)
	l.again = 0
	if !l.queue.Empty() {
		l.lookSoon()
	}
	return nil
}

func (l *loop) lookSoon() { l.again = min(max(2*l.again, waitAgain), tick) }

// lookAgain looks whether a transaction that waits is visible by now. A look
// costs no WAL, a batch would.
func (l *loop) lookAgain(ctx, work context.Context) error {
	snapshot, err := l.glance(work)
	if err != nil {
		return err
	}
	if l.queue.Visible(snapshot) {
		return l.batch(ctx, work, nil)
	}
	l.lookSoon()
	return nil
}
