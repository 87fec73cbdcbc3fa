package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/projector/compile"
	"freshet/projector/migrate"
	"freshet/projector/session"
)

type migrateCmd struct {
	modelFlag
	Apply         bool          `help:"Do it." env:"-"`
	CreateIndexes bool          `help:"Also create the foreign-key indexes that source tables lack."`
	Prune         bool          `help:"Also drop tables of read models that the model file no longer has." env:"-"`
	LockWait      time.Duration `help:"How long to try for a lock that somebody holds." default:"1m"`
}

// Run prints what the database lacks, and with --apply does it.
func (c *migrateCmd) Run(ctx context.Context, a *app) error {
	conn, err := a.connect(ctx, "migrate")
	if err != nil {
		return err
	}
	defer session.Close(conn)
	plan, warnings, err := a.plan(ctx, conn, c.Model)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		fmt.Fprintln(a.Stderr, w)
	}
	m, err := migrate.Plan(ctx, conn, plan, migrate.Options{
		Slot: a.cli.Slot, Publication: a.cli.Publication, Prune: c.Prune, CreateIndexes: c.CreateIndexes, LockWait: c.LockWait,
	})
	if err != nil {
		return err
	}
	if !c.Apply {
		printPlan(a.Stdout, m)
		return nil
	}
	return applyPlan(ctx, conn, m, a.Stdout)
}

func printPlan(w io.Writer, m *migrate.Migration) {
	for _, s := range m.Steps {
		fmt.Fprintf(w, "-- %s\n", stepLine(s))
		if s.Locks != "" {
			fmt.Fprintf(w, "-- locks: %s\n", s.Locks)
		}
		if s.SQL != "" {
			fmt.Fprintf(w, "%s\n", strings.TrimSpace(s.SQL))
		}
		fmt.Fprintln(w)
	}
	for _, n := range m.Notes {
		fmt.Fprintf(w, "-- %s\n", strings.ReplaceAll(n, "\n", "\n-- "))
	}
	if m.Empty() {
		fmt.Fprintln(w, "-- Nothing to do.")
		return
	}
	fmt.Fprintln(w, "-- Nothing was changed. --apply does it.")
}

func stepLine(s migrate.Step) string {
	if s.Phase == migrate.After {
		return s.What + " (the projector does this)"
	}
	return s.What
}

func applyPlan(ctx context.Context, conn *pgx.Conn, m *migrate.Migration, w io.Writer) error {
	err := migrate.Apply(ctx, conn.Config(), m, func(s migrate.Step) {
		switch {
		case s.Waiting != "":
			fmt.Fprintf(w, "  waits for %s: %s\n", s.Waiting, s.What)
		case s.Done:
			fmt.Fprintf(w, "done: %s\n", s.What)
		}
	})
	if err != nil {
		return err
	}
	for _, s := range m.Steps {
		if s.Phase == migrate.After {
			fmt.Fprintf(w, "left to the projector: %s\n", s.What)
		}
	}
	for _, n := range m.Notes {
		fmt.Fprintln(w, n)
	}
	return nil
}

// migrateFirst applies the plan at the start of run and projector. The slot is
// left to the projector, which fills under its snapshot.
func (a *app) migrateFirst(ctx context.Context, conn *pgx.Conn, plan *compile.Plan, note func(string)) error {
	m, err := migrate.Plan(ctx, conn, plan, migrate.Options{Slot: a.cli.Slot, Publication: a.cli.Publication, LeaveSlot: true})
	if err != nil {
		return err
	}
	return migrate.Apply(ctx, conn.Config(), m, func(s migrate.Step) {
		switch {
		case s.Waiting != "":
			note("waits for " + s.Waiting + ": " + s.What)
		case s.Done:
			note(s.What)
		}
	})
}
