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

// check compares again and again while the run lasts, each time with the
// writers outside the gate.
func (r *run) check(ctx context.Context) error {
	random := r.generator(2 << 32)
	c := &checker{run: r}
	defer c.close()
	for {
		if pause(ctx, around(random, r.cfg.CheckEvery)) != nil {
			return nil
		}
		if err := r.gate.shut(ctx); err != nil {
			r.gate.unshut()
			return nil
		}
		err := c.compare(ctx)
		r.gate.unshut()
		if err != nil {
			return err
		}
	}
}

// compare waits until the projector has seen all there is, and compares.
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
		if err := c.run.reached(ctx, conn, lsn); err != nil {
			return err
		}
		c.run.slowestSettle = max(c.run.slowestSettle, time.Since(began))
		return c.oracle(ctx, conn)
	})
}

func (c *checker) oracle(ctx context.Context, conn *pgx.Conn) error {
	rep, err := oracle.Check(ctx, conn, c.run.cfg.Model)
	if err != nil {
		return err
	}
	c.run.checks++
	c.run.documents += int64(rep.Documents)
	if len(rep.Differences) > 0 {
		return divergence(rep)
	}
	if err := noneHeld(ctx, conn); err != nil {
		return err
	}
	return c.run.feed.check(ctx, conn, c.run.cfg.Model)
}

// Divergence says that documents differ from the oracle's.
type Divergence struct{ Differences []oracle.Difference }

// Error lists the first differences.
func (d *Divergence) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d documents differ from the oracle:", len(d.Differences))
	for _, x := range d.Differences[:min(len(d.Differences), 8)] {
		b.WriteString("\n    " + x.String())
	}
	return b.String()
}

func divergence(rep oracle.Report) error { return &Divergence{rep.Differences} }

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
