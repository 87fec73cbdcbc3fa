package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
)

const (
	subscribers = 1_000  // while writes are followed to them
	idleOnes    = 10_000 // whose memory is measured
)

// subscriptions measures how long it takes from a writer's COMMIT until a
// subscriber has the message with it, and what idle subscriptions hold. Each
// subscriber is a WebSocket of its own, for a post of its own.
func subscriptions(ctx context.Context, w *world) error {
	name, err := w.copyOf(ctx, documents)
	if err != nil {
		return err
	}
	s, err := w.start(ctx, name, "run")
	if err != nil {
		return err
	}
	if err := w.delivery(ctx, s, name); err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	if s, err = w.start(ctx, name, "run"); err != nil {
		return err
	}
	if err := w.idleSubscriptions(ctx, s, name); err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	return w.drop(ctx, name)
}

// target is a post with one of its comments.
type target struct{ post, comment string }

func (w *world) targets(ctx context.Context, database string, n int) (all []target, err error) {
	err = w.with(ctx, database, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `SELECT p.id::text, c.id::text FROM tb_post p CROSS JOIN LATERAL
			(SELECT id FROM tb_comment WHERE post_id = p.id ORDER BY created_at DESC, id DESC LIMIT 1) c ORDER BY p.id LIMIT $1`, n)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t target, err error) {
			return t, row.Scan(&t.post, &t.comment)
		})
		return err
	})
	return all, err
}

// mark stands before and after the number of a write in a comment's content.
const mark = "#"

// deliveries are the times of writes, by number.
type deliveries struct {
	mu      sync.Mutex
	commits []time.Time   // by number: zero is not committed yet
	warm    int           // numbers before it do not count
	writes  [][]int       // numbers by target, rising
	seen    [][]delivered // by target
}

// delivered says that a message showed a write.
type delivered struct {
	number int
	at     time.Time
}

// delivery measures at 500 commits a second.
func (w *world) delivery(ctx context.Context, s *service, database string) error {
	targets, err := w.targets(ctx, database, subscribers)
	if err != nil {
		return err
	}
	d := &deliveries{writes: make([][]int, len(targets)), seen: make([][]delivered, len(targets))}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ready := make(chan struct{}, len(targets))
	var all errgroup.Group
	for i, t := range targets {
		all.Go(func() error { return d.follow(ctx, s.graphql, i, t, ready) })
	}
	for range targets {
		select {
		case <-ready:
		case <-time.After(time.Minute):
			return errors.New("not all subscriptions have begun")
		}
	}
	w.log("%d subscribers", len(targets))
	began := time.Now()
	if err := d.write(ctx, w.server.URL(database), targets, time.Duration(w.seconds)*time.Second); err != nil {
		return err
	}
	rate := float64(len(d.commits)) / time.Since(began).Seconds()
	if err := pause(ctx, time.Second); err != nil { // what is later counts as lost
		return err
	}
	cancel()
	if err := all.Wait(); err != nil {
		return err
	}
	times, lost := d.times()
	w.log("subscribers: p50 %.2f ms, p99 %.2f ms, worst %.1f ms of %d writes at %.0f commits/s, %d never seen",
		quantile(times, 0.5), quantile(times, 0.99), quantile(times, 1), len(times), rate, lost)
	if lost > 0 {
		return fmt.Errorf("%d writes never came to their subscriber", lost)
	}
	const name = "commit to one of 1,000 subscribers"
	w.report.add(row{Name: name + ", p50", Unit: "ms", Value: quantile(times, 0.5)}, valueAtMost(10))
	w.report.add(row{Name: name + ", p99", Unit: "ms", Value: quantile(times, 0.99)}, valueAtMost(60))
	return nil
}

// write edits the targets' comments at an even pace.
func (d *deliveries) write(ctx context.Context, url string, targets []target, while time.Duration) error {
	pool, err := pgxpool.New(ctx, url+"&pool_max_conns=8")
	if err != nil {
		return err
	}
	defer pool.Close()
	var busy errgroup.Group
	busy.SetLimit(8)
	tick := time.NewTicker(time.Second / commitRate)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < warmUp+while; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), busy.Wait())
		}
		d.mu.Lock()
		number := len(d.commits)
		i := number % len(targets)
		if time.Since(began) < warmUp {
			d.warm = number + 1
		}
		d.commits = append(d.commits, time.Time{})
		d.writes[i] = append(d.writes[i], number)
		d.mu.Unlock()
		busy.Go(func() error {
			_, err := pool.Exec(ctx, "UPDATE tb_comment SET content = $1 WHERE id = $2::text::uuid", mark+strconv.Itoa(number)+mark, targets[i].comment)
			at := time.Now()
			d.mu.Lock()
			defer d.mu.Unlock()
			d.commits[number] = at
			return err
		})
	}
	return busy.Wait()
}

// follow subscribes to a target's post and notes what comes.
func (d *deliveries) follow(ctx context.Context, address string, i int, t target, ready chan<- struct{}) error {
	conn, err := subscribed(ctx, address, t.post)
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseNow() }() // the measurement is over
	ready <- struct{}{}
	for {
		_, message, err := conn.Read(ctx)
		at := time.Now()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("a subscription ended: %w", err)
		}
		if number, ok := written(message); ok {
			d.mu.Lock()
			d.seen[i] = append(d.seen[i], delivered{number, at})
			d.mu.Unlock()
		}
	}
}

// written finds the number of the write that a message shows.
func written(message []byte) (int, bool) {
	_, rest, ok := bytes.Cut(message, []byte(mark))
	if !ok {
		return 0, false
	}
	text, _, _ := bytes.Cut(rest, []byte(mark))
	number, err := strconv.Atoi(string(text))
	return number, err == nil
}

// times are those of all writes: until the first message that
// showed the write or a later one of the same comment.
func (d *deliveries) times() (times []time.Duration, lost int) {
	for i, numbers := range d.writes {
		seen := d.seen[i]
		for _, number := range numbers {
			if number < d.warm {
				continue
			}
			at := slices.IndexFunc(seen, func(s delivered) bool { return s.number >= number })
			if at < 0 {
				lost++
				continue
			}
			times = append(times, max(0, seen[at].at.Sub(d.commits[number])))
		}
	}
	return times, lost
}

// subscribed opens a WebSocket with one subscription, and takes its first answer.
func subscribed(ctx context.Context, address, post string) (*websocket.Conn, error) {
	conn, _, err := websocket.Dial(ctx, "ws://"+address+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(1 << 20)
	query := `subscription { post(id: \"` + post + `\") { title commentCount author { username } comments { id content } } }`
	for _, text := range []string{`{"type":"connection_init"}`, `{"id":"1","type":"subscribe","payload":{"query":"` + query + `"}}`} {
		if err := conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			return nil, err
		}
		_, message, err := conn.Read(ctx)
		if err != nil || bytes.Contains(message, []byte(`"errors"`)) {
			return nil, fmt.Errorf("begin a subscription: %w: %s", err, message)
		}
	}
	return conn, nil
}

// idleSubscriptions measures the memory of a process with very many
// subscriptions to which nothing happens.
func (w *world) idleSubscriptions(ctx context.Context, s *service, database string) error {
	targets, err := w.targets(ctx, database, idleOnes)
	if err != nil {
		return err
	}
	before, _ := s.resident()
	conns := make([]*websocket.Conn, idleOnes)
	var opening errgroup.Group
	opening.SetLimit(64)
	var open atomic.Int64
	for i := range conns {
		opening.Go(func() (err error) {
			conns[i], err = subscribed(ctx, s.graphql, targets[i%len(targets)].post)
			open.Add(1)
			return err
		})
	}
	defer func() {
		for _, c := range conns {
			if c != nil {
				_ = c.CloseNow() // the measurement is over
			}
		}
	}()
	if err := opening.Wait(); err != nil {
		return fmt.Errorf("after %d subscriptions: %w", open.Load(), err)
	}
	now, peak := s.resident()
	w.log("%d idle subscriptions for %d posts: resident %.0f MB, before them %.0f, at most %.0f", idleOnes, len(targets), now, before, peak)
	w.report.add(row{Name: "memory with 10,000 idle subscriptions", Unit: "MB", Value: now, Baseline: before, Against: "without them"}, valueAtMost(500))
	return nil
}
