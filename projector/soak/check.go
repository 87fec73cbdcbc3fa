package soak

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/projector/soak/oracle"
)

// checker compares everything with the oracle.
type checker struct {
	run *run
	s   *session
}

func (c *checker) close() {
	if c.s != nil {
		c.s.close()
	}
}

// check compares again and again while the run lasts.
func (r *run) check(ctx context.Context) error {
	random := r.generator(2 << 32)
	c := &checker{run: r}
	defer c.close()
	for {
		if pause(ctx, around(random, r.cfg.CheckEvery)) != nil {
			return nil
		}
		if err := c.alone(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// alone compares while no lasting fault is under way and no writer writes.
func (c *checker) alone(ctx context.Context) error {
	r := c.run
	if err := r.calm.lock(ctx); err != nil {
		return err
	}
	defer r.calm.unlock()
	defer r.gate.unshut()
	if err := r.gate.shut(ctx); err != nil {
		return err
	}
	r.now.begin("comparison")
	defer r.now.end("comparison")
	return c.compare(ctx)
}

// compare waits until all there is has come into every document, and compares.
func (c *checker) compare(ctx context.Context) error {
	if c.s == nil {
		c.s = &session{run: c.run, name: "check"}
	}
	return c.s.do(ctx, func(conn *pgx.Conn) error {
		began := time.Now()
		lsn, err := nudge(ctx, conn)
		if err != nil {
			return err
		}
		if err := c.run.settled(ctx, conn, lsn); err != nil {
			return err
		}
		raise(&c.run.slowestSettle, time.Since(began))
		return c.oracle(ctx, conn)
	})
}

func (c *checker) oracle(ctx context.Context, conn *pgx.Conn) error {
	rep, err := oracle.Check(ctx, conn, c.run.cfg.Model)
	if err != nil {
		return err
	}
	c.run.checks.Add(1)
	c.run.documents.Add(int64(rep.Documents))
	if len(rep.Differences) > 0 {
		c.run.divergences.Add(int64(len(rep.Differences)))
		return c.run.explain(context.WithoutCancel(ctx), conn, rep.Differences)
	}
	if err := noneHeld(ctx, conn); err != nil {
		return err
	}
	if err := c.run.feed.check(ctx, conn, c.run.cfg.Model); err != nil {
		return err
	}
	return c.run.trace.begin(ctx, conn)
}

// Divergence says that documents differ from the oracle's.
type Divergence struct {
	Differences []oracle.Difference
	Explained   string // what is known of the first of them, and how to replay
	Trace       string // the file to replay; empty where none is kept
}

// Error lists the first differences.
func (d *Divergence) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d documents differ from the oracle:", len(d.Differences))
	for _, x := range d.Differences[:min(len(d.Differences), 8)] {
		b.WriteString("\n    " + x.String())
	}
	return b.String() + "\n" + d.Explained
}

// noneHeld fails when keys are quarantined: nothing in the workload cannot be
// built.
func noneHeld(ctx context.Context, conn *pgx.Conn) error {
	var model, key, fault string
	err := conn.QueryRow(ctx, `SELECT model, key, coalesce(error, '') FROM freshet.pending LIMIT 1`).Scan(&model, &key, &fault)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read freshet.pending: %w", err)
	}
	return fmt.Errorf("%s %q is pending: %s", model, key, fault)
}
