package blog

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// Freshness measures how long it takes from a write's COMMIT until another
// connection reads the document that shows it. It follows new and edited
// comments: Wrote takes note of them, and after each of the projector's
// notifications Run reads which of them are in tv_comment, with the content
// written.
//
// The time ends when the read that found the document has returned, so it is
// at most too long, never too short.
type Freshness struct {
	writes chan Write

	mu      sync.Mutex
	taken   []time.Duration // since the last Take
	oldest  time.Time       // COMMIT of the longest waiting write; zero: none
	skipped atomic.Int64
	lost    atomic.Int64
}

const (
	// maxWaiting is how many writes are followed at the same time.
	maxWaiting = 256
	// giveUp is when a write is followed no longer: another one may have
	// deleted or changed the comment meanwhile.
	giveUp = 30 * time.Second
)

// NewFreshness returns a meter that Run starts.
func NewFreshness() *Freshness { return &Freshness{writes: make(chan Write, maxWaiting)} }

// Wrote takes note of a write. It never waits: what is too much is not measured.
func (f *Freshness) Wrote(w Write) {
	if w.Comment == "" {
		return
	}
	select {
	case f.writes <- w:
	default:
		f.skipped.Add(1)
	}
}

// Sample is what was measured in a while.
type Sample struct {
	Times  []time.Duration // sorted
	Oldest time.Duration   // how long the longest waiting write has waited; 0: none waits
}

// Quantile returns the time that a share of q of the writes did not exceed, or
// 0 without any.
func (s Sample) Quantile(q float64) time.Duration {
	if len(s.Times) == 0 {
		return 0
	}
	return s.Times[min(len(s.Times)-1, int(q*float64(len(s.Times))))]
}

// Take returns what was measured since the last call.
func (f *Freshness) Take() Sample {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := Sample{Times: f.taken}
	f.taken = nil
	slices.Sort(s.Times)
	if !f.oldest.IsZero() {
		s.Oldest = time.Since(f.oldest)
	}
	return s
}

// Lost returns how many writes were never seen in a document, though followed
// for 30 s.
func (f *Freshness) Lost() int64 { return f.lost.Load() }

// Run measures until ctx ends, and then returns nil.
func (f *Freshness) Run(ctx context.Context, cfg *pgx.ConnConfig) error {
	notified := make(chan time.Time, 1)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return listen(ctx, cfg, notified) })
	group.Go(func() error { return f.follow(ctx, cfg, notified) })
	if err := group.Wait(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("measure freshness: %w", err)
	}
	return nil
}

// listen passes on that there was a notification; several may become one.
func listen(ctx context.Context, cfg *pgx.ConnConfig, notified chan<- time.Time) error {
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	if _, err := conn.Exec(ctx, "LISTEN freshet"); err != nil {
		return err
	}
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
		select {
		case notified <- time.Now():
		default: // the one before is still to be looked at
		}
	}
}

func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // it was only read from
}

// follow looks for the waiting writes after each notification, and at once for
// a write that one may have overtaken.
func (f *Freshness) follow(ctx context.Context, cfg *pgx.ConnConfig, notified <-chan time.Time) error {
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	var last time.Time
	waiting := map[string]Write{}
	for {
		look := true
		select {
		case <-ctx.Done():
			return nil
		case last = <-notified:
		case w := <-f.writes:
			look = f.note(waiting, w) && w.At.Before(last)
		}
		if !look || len(waiting) == 0 {
			continue
		}
		if err := f.look(ctx, conn, waiting); err != nil {
			return err
		}
	}
}

func (f *Freshness) note(waiting map[string]Write, w Write) bool {
	if len(waiting) >= maxWaiting {
		f.skipped.Add(1)
		return false
	}
	waiting[w.Comment] = w
	return true
}

// look reads which of the waiting writes can be read now.
func (f *Freshness) look(ctx context.Context, conn *pgx.Conn, waiting map[string]Write) error {
	keys, contents := make([]string, 0, len(waiting)), make([]string, 0, len(waiting))
	for k, w := range waiting {
		keys, contents = append(keys, k), append(contents, w.Content)
	}
	rows, err := conn.Query(ctx, `SELECT w.key FROM unnest($1::text[], $2::text[]) AS w (key, content)
		JOIN tv_comment AS t ON t.id = w.key::uuid AND t.data->>'content' = w.content`, keys, contents)
	if err != nil {
		return err
	}
	seen, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	f.found(waiting, seen, time.Now())
	return nil
}

func (f *Freshness) found(waiting map[string]Write, seen []string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range seen {
		f.taken = append(f.taken, now.Sub(waiting[k].At))
		delete(waiting, k)
	}
	f.oldest = time.Time{}
	for k, w := range waiting {
		if now.Sub(w.At) > giveUp {
			f.lost.Add(1)
			delete(waiting, k)
			continue
		}
		if f.oldest.IsZero() || w.At.Before(f.oldest) {
			f.oldest = w.At
		}
	}
}
