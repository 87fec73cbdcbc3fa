package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

const (
	writersRate = 1000 // transactions a second
	writerCount = 8
)

// writers measures the COMMIT of the application's transactions, at 1,000 of
// them a second, on a database that knows no Freshet and on one that it
// follows. (wal_level is logical for both: the server has one.) In between
// stands the least that anybody can do who follows the log: a slot that is
// drained, and nothing done with what comes.
func writers(ctx context.Context, w *world) error {
	without, err := w.copyOf(ctx, sources)
	if err != nil {
		return err
	}
	with, err := w.copyOf(ctx, documents)
	if err != nil {
		return err
	}
	drained, err := w.copyOf(ctx, sources)
	if err != nil {
		return err
	}
	var p50, p99, rate, drained50, drained99 sides
	for range w.rounds {
		a, err := w.commits(ctx, without)
		if err != nil {
			return err
		}
		d, err := w.drained(ctx, drained)
		if err != nil {
			return err
		}
		b, err := w.followed(ctx, with)
		if err != nil {
			return err
		}
		w.log("COMMIT without Freshet %s; beside a drained slot %s; with Freshet %s", a, d, b)
		drained50.theirs, drained50.ours = append(drained50.theirs, quantile(a.times, 0.5)), append(drained50.ours, quantile(d.times, 0.5))
		drained99.theirs, drained99.ours = append(drained99.theirs, quantile(a.times, 0.99)), append(drained99.ours, quantile(d.times, 0.99))
		rate.theirs, rate.ours = append(rate.theirs, a.rate), append(rate.ours, b.rate)
		p50.theirs, p50.ours = append(p50.theirs, quantile(a.times, 0.5)), append(p50.ours, quantile(b.times, 0.5))
		p99.theirs, p99.ours = append(p99.theirs, quantile(a.times, 0.99)), append(p99.ours, quantile(b.times, 0.99))
	}
	const against = "the same writers without Freshet"
	for _, l := range []struct {
		name, unit string
		of         sides
	}{
		{"writers' transactions", "/s", rate}, {"writers' COMMIT p50", "ms", p50}, {"writers' COMMIT p99", "ms", p99},
		{"COMMIT p50 beside a drained slot alone", "ms", drained50}, {"COMMIT p99 beside a drained slot alone", "ms", drained99},
	} {
		ours, theirs := l.of.values()
		w.report.add(row{Name: l.name, Unit: l.unit, Value: ours, Baseline: theirs, Against: against}, nothing)
	}
	for _, name := range []string{without, drained} {
		if err := w.drop(ctx, name); err != nil {
			return err
		}
	}
	return w.drop(ctx, with)
}

// drained measures beside a slot that pg_recvlogical drains.
func (w *world) drained(ctx context.Context, database string) (commitSample, error) {
	err := w.exec(ctx, database, "DROP PUBLICATION IF EXISTS bench; CREATE PUBLICATION bench FOR TABLE tb_user, tb_post, tb_comment")
	if err != nil {
		return commitSample{}, err
	}
	running, stop := context.WithCancel(ctx)
	cmd := exec.CommandContext(running, filepath.Join(w.server.BinDir(), "pg_recvlogical"), "-d", w.server.URL(database), "-S", database,
		"-P", "pgoutput", "-o", "proto_version=1", "-o", "publication_names=bench", "--create-slot", "--if-not-exists", "--start", "-f", os.DevNull)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = 5 * time.Second
	defer stop()
	if err := cmd.Start(); err != nil {
		return commitSample{}, err
	}
	sample, err := w.commits(ctx, database)
	stop()
	_ = cmd.Wait() // it was interrupted
	return sample, err
}

// followed measures with Freshet, which is up for this time alone.
func (w *world) followed(ctx context.Context, database string) (commitSample, error) {
	s, err := w.start(ctx, database, "run")
	if err != nil {
		return commitSample{}, err
	}
	// The fill is not what is measured, nor what the server does about it.
	if err := w.exec(ctx, database, "VACUUM ANALYZE tv_user; VACUUM ANALYZE tv_post; VACUUM ANALYZE tv_comment; CHECKPOINT"); err != nil {
		return commitSample{}, err
	}
	sample, err := w.commits(ctx, database)
	if err != nil {
		return sample, err
	}
	return sample, s.stop()
}

// commitSample is what was measured.
type commitSample struct {
	times []time.Duration // of the COMMITs
	rate  float64         // transactions a second
}

// String is for the log.
func (c commitSample) String() string {
	return fmt.Sprintf("p50 %.2f ms, p99 %.2f ms at %.0f/s", quantile(c.times, 0.5), quantile(c.times, 0.99), c.rate)
}

// commits lets writers write for a while.
func (w *world) commits(ctx context.Context, database string) (commitSample, error) {
	var posts []string
	err := w.with(ctx, database, func(conn *pgx.Conn) (err error) {
		posts, err = keysOf(ctx, conn, "tb_post")
		return err
	})
	if err != nil {
		return commitSample{}, err
	}
	while := time.Duration(w.seconds) * time.Second / 4
	all := make([][]time.Duration, writerCount)
	group, ctx := errgroup.WithContext(ctx)
	for i := range all {
		group.Go(func() error {
			return w.with(ctx, database, func(conn *pgx.Conn) (err error) {
				p := &paced{conn: conn, posts: posts, rng: rand.New(rand.NewPCG(seed, uint64(i)))}
				if _, err = p.run(ctx, warmUp); err != nil {
					return err
				}
				all[i], err = p.run(ctx, while)
				return err
			})
		})
	}
	if err := group.Wait(); err != nil {
		return commitSample{}, err
	}
	times := slices.Concat(all...)
	return commitSample{times: times, rate: float64(len(times)) / while.Seconds()}, nil
}

// paced is a writer at an even pace.
type paced struct {
	conn  *pgx.Conn
	posts []string
	rng   *rand.Rand
}

// run returns how long each COMMIT took. Where the pace cannot be held,
// transactions are left out: they would measure the queue.
func (p *paced) run(ctx context.Context, while time.Duration) ([]time.Duration, error) {
	var times []time.Duration
	tick := time.NewTicker(time.Second * writerCount / writersRate)
	defer tick.Stop()
	for end := time.Now().Add(while); time.Now().Before(end); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		took, err := p.transaction(ctx)
		if err != nil {
			return nil, err
		}
		times = append(times, took)
	}
	return times, nil
}

// transaction is a new comment, or the edit of a post.
func (p *paced) transaction(ctx context.Context) (time.Duration, error) {
	tx, err := p.conn.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // does nothing once committed
	sql := "INSERT INTO tb_comment (post_id, author_id, content) SELECT id, author_id, $2 FROM tb_post WHERE id = $1"
	if p.rng.IntN(2) == 0 {
		sql = "UPDATE tb_post SET title = $2 WHERE id = $1"
	}
	text := fmt.Sprintf("what was written at %d", time.Now().UnixNano())
	if _, err := tx.Exec(ctx, sql, p.posts[p.rng.IntN(len(p.posts))], text); err != nil {
		return 0, err
	}
	began := time.Now()
	err = tx.Commit(ctx)
	return time.Since(began), err
}
