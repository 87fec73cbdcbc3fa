package soak

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// watcher reads documents and places all the time, and fails when a statement
// shows part of a transaction, or anything goes back in time.
type watcher struct {
	run      *run
	crashes  int64 // that what was seen before lies behind
	versions map[string]int64
	place    place
}

func (r *run) watch(ctx context.Context) error {
	s := &session{run: r, name: "watch"}
	defer s.close()
	w := &watcher{run: r, versions: map[string]int64{}}
	for n := 0; ctx.Err() == nil; n++ {
		if w.recall(); w.crashes%2 == 1 {
			_ = pause(ctx, 20*time.Millisecond) // in the middle of a crash
			continue
		}
		err := s.do(ctx, func(c *pgx.Conn) error { return w.look(ctx, c, n) })
		if r.crashes.Load() != w.crashes {
			continue // it may have been from before and after
		}
		if err != nil && ctx.Err() == nil && !tolerable(err) {
			return err
		}
		r.reads.Add(1)
		_ = pause(ctx, 4*time.Millisecond)
	}
	return nil
}

// recall forgets what was seen before a crash of the server: the projector does
// not wait for its own commits to be durable, and does them again.
func (w *watcher) recall() {
	if n := w.run.crashes.Load(); n != w.crashes {
		w.crashes, w.versions, w.place = n, map[string]int64{}, place{}
	}
}

// look looks at one of the invariants; those that cost little more often.
func (w *watcher) look(ctx context.Context, c *pgx.Conn, n int) error {
	switch {
	case n%40 == 7:
		return sameHubs(ctx, c)
	case n%4 == 0:
		return wholeMoney(ctx, c)
	case n%4 == 2:
		return w.place.look(ctx, c, w.run.cfg.Slot)
	}
	return rising(ctx, c, w.versions)
}

// total is the money of all wallets together.
const total = wallets * 1000

// wholeMoney reads all wallets and the ledger's documents in one statement.
// Each wallet must agree with itself, with the ledger, and all together with
// what was there in the beginning; and what a transfer embeds of its sender
// must be the sender, unless freshet.lag says that transfers are late.
func wholeMoney(ctx context.Context, c *pgx.Conn) error {
	var n, wrong, stale int64
	var sum *int64
	err := c.QueryRow(ctx, `
WITH wallet AS (
    SELECT id, (data->>'balance')::bigint AS balance, (data->>'opening')::bigint AS opening,
           coalesce((data->>'sent')::bigint, 0) AS sent, coalesce((data->>'received')::bigint, 0) AS received
    FROM tv_wallet
), ledger AS (
    SELECT (data->'from'->>'id')::int AS from_id, (data->'to'->>'id')::int AS to_id, (data->>'amount')::bigint AS amount,
           (data->'from'->>'balance')::bigint AS balance
    FROM tv_transfer
)
SELECT sum(w.balance)::bigint, count(*),
       count(*) FILTER (WHERE w.balance <> w.opening + w.received - w.sent
           OR w.sent <> (SELECT coalesce(sum(l.amount), 0) FROM ledger l WHERE l.from_id = w.id)
           OR w.received <> (SELECT coalesce(sum(l.amount), 0) FROM ledger l WHERE l.to_id = w.id)),
       (SELECT count(*) FROM ledger l JOIN wallet f ON f.id = l.from_id WHERE l.balance <> f.balance
           AND NOT EXISTS (SELECT FROM freshet.lag WHERE model = 'Transfer'))
FROM wallet w
WHERE NOT EXISTS (SELECT FROM freshet.lag WHERE model = 'Wallet')`).Scan(&sum, &n, &wrong, &stale)
	if err != nil {
		return fmt.Errorf("read wallets: %w", err)
	}
	if n == 0 && sum == nil {
		return nil // wallets are late
	}
	if n != wallets || *sum != total || wrong > 0 || stale > 0 {
		return fmt.Errorf("a torn transaction was seen: %d wallets hold %d, want %d hold %d; %d disagree with their transfers, %d embeds with their wallet",
			n, *sum, wallets, total, wrong, stale)
	}
	return nil
}

// rising reads the counters: twins are equal, and none goes back.
func rising(ctx context.Context, c *pgx.Conn, seen map[string]int64) error {
	rows, err := c.Query(ctx, `SELECT id::text, (data->>'version')::bigint FROM tv_counter`)
	if err != nil {
		return fmt.Errorf("read counters: %w", err)
	}
	now := map[string]int64{}
	var id string
	var version int64
	_, err = pgx.ForEachRow(rows, []any{&id, &version}, func() error {
		if version < seen[id] {
			return fmt.Errorf("counter %s went back from %d to %d", id, seen[id], version)
		}
		now[id], seen[id] = version, version
		return nil
	})
	if err != nil {
		return err
	}
	if now["1"] != now["2"] {
		return fmt.Errorf("a torn transaction was seen: twin counters are %d and %d", now["1"], now["2"])
	}
	return nil
}

// firstProbe is the id of the first prober's counter.
const firstProbe = 101

// probe holds the watermark to its word: what was committed at or before it is
// in the documents.
func (r *run) probe(ctx context.Context, number int) error {
	s := &session{run: r, name: fmt.Sprintf("probe %d", number)}
	defer s.close()
	id := firstProbe + number
	for ctx.Err() == nil {
		if err := r.gate.pass(ctx); err != nil {
			return nil
		}
		err := s.do(ctx, func(c *pgx.Conn) error { return r.probeOnce(ctx, c, id) })
		r.gate.leave()
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("probe: %w", err)
		}
		r.probes.Add(1)
		_ = pause(ctx, 20*time.Millisecond)
	}
	return nil
}

func (r *run) probeOnce(ctx context.Context, c *pgx.Conn, id int) error {
	began := time.Now()
	var version int64
	err := c.QueryRow(ctx, `UPDATE tb_counter SET version = version + 1 WHERE id = $1 RETURNING version`, id).Scan(&version)
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	lsn, err := nudge(ctx, c)
	if err != nil {
		return err
	}
	if err := r.reached(ctx, c, lsn); err != nil {
		return err
	}
	var got int64
	if err := c.QueryRow(ctx, `SELECT (data->>'version')::bigint FROM tv_counter WHERE id = $1`, id).Scan(&got); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if got != version {
		return fmt.Errorf("the watermark has passed %s, but counter %d is %d in its document and %d in its row", lsn, id, got, version)
	}
	raise(&r.slowestProbe, time.Since(began))
	return nil
}

// raise keeps the longest time.
func raise(longest *atomic.Int64, took time.Duration) {
	for {
		now := longest.Load()
		if int64(took) <= now || longest.CompareAndSwap(now, int64(took)) {
			return
		}
	}
}
