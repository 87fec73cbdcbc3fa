package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// crowd is how many posts the author has who is renamed.
const crowd = 100_000

// hotAuthor is that author's key: the others' writes leave the posts alone.
const hotAuthor = "00000000-0000-4000-8000-000000000001"

// hot is the author, with posts of a kilobyte.
const hot = `
INSERT INTO tb_user (id, username, full_name) VALUES ('` + hotAuthor + `', 'hot', 'Hot Author');
INSERT INTO tb_post (author_id, title, content, published)
SELECT '` + hotAuthor + `', 'post ' || i, repeat('word ', 200), true FROM generate_series(1, %d) AS i`

// fanOuts measures how fresh the changes of others stay while an author with
// 100,000 posts is renamed again and again, and how fast the renames are done.
func fanOuts(ctx context.Context, w *world) error {
	name, err := w.copyOf(ctx, documents)
	if err != nil {
		return err
	}
	posts := max(5000, int(crowd*w.scale))
	if err := w.exec(ctx, name, fmt.Sprintf(hot, posts)+"; VACUUM ANALYZE tb_post"); err != nil {
		return err
	}
	s, err := w.start(ctx, name, "run")
	if err != nil {
		return err
	}
	while := time.Duration(w.seconds) * time.Second
	calm, err := w.freshness(ctx, name, 0, while)
	if err != nil {
		return err
	}
	busy, renames, err := w.renaming(ctx, name, while)
	if err != nil {
		return err
	}
	w.log("behind a fan-out to %d documents: %s; without one: %s; %d renames, the median in %.2f s", posts, busy, calm, len(renames), quantile(renames, 0.5)/1000)
	const against = "the same commits with no fan-out"
	w.report.add(row{Name: "freshness p50 behind a fan-out", Unit: "ms", Value: quantile(busy.times, 0.5), Baseline: quantile(calm.times, 0.5), Against: against}, nothing)
	w.report.add(row{Name: "freshness p99 behind a fan-out", Unit: "ms", Value: quantile(busy.times, 0.99), Baseline: quantile(calm.times, 0.99), Against: against}, ratioAtMost(2))
	w.report.add(row{Name: fmt.Sprintf("documents of a fan-out to %d", posts), Unit: "/s", Value: float64(posts) / (quantile(renames, 0.5) / 1000)}, nothing)
	if err := s.stop(); err != nil {
		return err
	}
	return w.drop(ctx, name)
}

// renaming measures freshness while one rename follows the other, and how long
// each took to be in every document.
func (w *world) renaming(ctx context.Context, database string, while time.Duration) (busy freshSample, renames []time.Duration, err error) {
	group, ctx := errgroup.WithContext(ctx)
	renamed, stop := context.WithCancel(ctx)
	group.Go(func() error {
		defer stop()
		busy, err = w.freshness(ctx, database, 1, while)
		return err
	})
	group.Go(func() error {
		return w.with(ctx, database, func(conn *pgx.Conn) error {
			for i := 0; renamed.Err() == nil; i++ {
				took, err := rename(ctx, conn, database, i)
				if err != nil {
					return err
				}
				renames = append(renames, took)
			}
			return nil
		})
	})
	return busy, renames, group.Wait()
}

// rename returns how long it took until every document had the name.
func rename(ctx context.Context, conn *pgx.Conn, slot string, i int) (time.Duration, error) {
	began := time.Now()
	_, err := conn.Exec(ctx, "UPDATE tb_user SET full_name = $1 WHERE username = 'hot'", fmt.Sprintf("Hot Author the %dth", i))
	var lsn pglogrepl.LSN
	if err == nil {
		err = conn.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()").Scan(&lsn)
	}
	if err != nil {
		return 0, err
	}
	for {
		var there bool
		err := conn.QueryRow(ctx, "SELECT complete >= $2 FROM freshet.checkpoint WHERE slot = $1", slot, lsn).Scan(&there)
		if err != nil || there {
			return time.Since(began), err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return 0, err
		}
	}
}
