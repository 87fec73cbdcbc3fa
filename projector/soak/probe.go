package soak

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// watch reads documents all the time, and fails when a statement shows part of
// a transaction or a document goes back in time.
func (r *run) watch(ctx context.Context) error {
	s := &session{run: r, name: "watch"}
	defer s.close()
	versions := map[string]int64{}
	for ctx.Err() == nil {
		err := s.do(ctx, func(c *pgx.Conn) error {
			if err := wholeMoney(ctx, c); err != nil {
				return err
			}
			return rising(ctx, c, versions)
		})
		if err != nil && ctx.Err() == nil {
			return err
		}
		r.reads.Add(1)
		_ = pause(ctx, 3*time.Millisecond)
	}
	return nil
}

// total is the money of all wallets together.
const total = wallets * 1000

// wholeMoney reads all wallets and the ledger's documents in one statement.
// Each wallet must agree with itself, with the ledger, and all together with
// what was there in the beginning; and what a transfer embeds of its sender
// must be the sender.
func wholeMoney(ctx context.Context, c *pgx.Conn) error {
	var sum, n, wrong, stale int64
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
       (SELECT count(*) FROM ledger l JOIN wallet f ON f.id = l.from_id WHERE l.balance <> f.balance)
FROM wallet w`).Scan(&sum, &n, &wrong, &stale)
	if err != nil {
		return fmt.Errorf("read wallets: %w", err)
	}
	if n != wallets || sum != total || wrong > 0 || stale > 0 {
		return fmt.Errorf("a torn transaction was seen: %d wallets hold %d, want %d hold %d; %d disagree with their transfers, %d embeds with their wallet",
			n, sum, wallets, total, wrong, stale)
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
	for took := int64(time.Since(began)); ; {
		slowest := r.slowestProbe.Load()
		if took <= slowest || r.slowestProbe.CompareAndSwap(slowest, took) {
			return nil
		}
	}
}
