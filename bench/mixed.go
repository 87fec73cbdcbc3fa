package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// mixed are clients that read over HTTP and write to the source tables, one
// after the other: each draws what it does next.
type mixed struct {
	Load   load     // the reads; its Requests are of Keys
	URL    string   // of the database
	Keys   []string // of posts, read and written alike
	Writes float64  // the share of writes
}

// mixedResult is what came of it.
type mixedResult struct {
	Reads  answered
	Writes int
}

// mixedClient is one of the clients.
type mixedClient struct {
	client
	mixed
	db     *pgx.Conn
	rng    *rand.Rand
	writes int
}

func (m mixed) run(ctx context.Context) (mixedResult, error) {
	counts := time.Now().Add(m.Load.WarmUp)
	ends := counts.Add(m.Load.For)
	all := make([]*mixedClient, m.Load.Connections)
	group, ctx := errgroup.WithContext(ctx)
	for i := range all {
		all[i] = &mixedClient{mixed: m, rng: rand.New(rand.NewPCG(seed, uint64(i)))}
		group.Go(func() error { return all[i].run(ctx, counts, ends) })
	}
	if err := group.Wait(); err != nil {
		return mixedResult{}, err
	}
	var times []time.Duration
	var r mixedResult
	for _, c := range all {
		times = append(times, c.times...)
		r.Writes += c.writes
		r.Reads.Bytes += c.bytes
	}
	slices.Sort(times)
	r.Reads.Count, r.Reads.Took = len(times), time.Since(counts)
	r.Reads.P50, r.Reads.P99 = quantile(times, 0.5), quantile(times, 0.99)
	return r, nil
}

func (c *mixedClient) run(ctx context.Context, counts, ends time.Time) error {
	db, err := pgx.Connect(ctx, c.URL)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }() // its work is done
	hangUp, err := c.dial(ctx, c.Load.Address)
	if err != nil {
		return err
	}
	defer hangUp()
	c.db = db
	for time.Now().Before(ends) {
		if err := c.step(ctx, counts); err != nil {
			return err
		}
	}
	return nil
}

// step is a read or a write of some post.
func (c *mixedClient) step(ctx context.Context, counts time.Time) error {
	i := c.rng.IntN(len(c.Keys))
	if c.rng.Float64() < c.Writes {
		if time.Now().After(counts) {
			c.writes++
		}
		return c.write(ctx, c.Keys[i])
	}
	began := time.Now()
	if err := c.exchange(c.Load.Requests[i]); err != nil {
		return err
	}
	if ended := time.Now(); began.After(counts) {
		c.times = append(c.times, ended.Sub(began))
		c.bytes += int64(len(c.body))
	}
	return nil
}

// write edits the post, or one of its comments.
func (c *mixedClient) write(ctx context.Context, key string) error {
	sql := "UPDATE tb_post SET title = $2 WHERE id = $1"
	if c.rng.IntN(2) == 0 {
		sql = "UPDATE tb_comment SET content = $2 WHERE id = (SELECT id FROM tb_comment WHERE post_id = $1 LIMIT 1)"
	}
	_, err := c.db.Exec(ctx, sql, key, fmt.Sprintf("what was written at %d", time.Now().UnixNano()))
	return err
}
