package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize"

	"freshet/projector/compile"
	"freshet/projector/session"
	"freshet/projector/verify"
)

type verifyCmd struct {
	modelFlag
	Only     string        `help:"This read model only." placeholder:"TYPE" env:"-"`
	Repair   bool          `help:"Have the projector rebuild what differs." env:"-"`
	Patience time.Duration `help:"How long the projector may take to apply what was seen, before a difference counts." default:"10s"`
	JSON     bool          `help:"Print JSON."`
}

// Run compares all documents with their definition.
func (c *verifyCmd) Run(ctx context.Context, a *app) error {
	cfg, err := a.connConfig()
	if err != nil {
		return err
	}
	conn, err := a.connectInstalled(ctx, "verify")
	if err != nil {
		return err
	}
	defer session.Close(conn)
	plan, _, err := a.plan(ctx, conn, c.Model)
	if err != nil {
		return err
	}
	models, err := chosen(plan, c.Only)
	if err != nil {
		return err
	}
	report, err := verify.Run(ctx, verify.Config{
		ConnConfig: cfg, Models: models, Slot: a.cli.Slot, Patience: c.Patience, Repair: c.Repair,
	})
	if err != nil {
		return err
	}
	return c.print(a.Stdout, report)
}

func chosen(plan *compile.Plan, only string) ([]*compile.ReadModel, error) {
	if only == "" {
		return plan.ReadModels, nil
	}
	for _, m := range plan.ReadModels {
		if m.Name == only {
			return []*compile.ReadModel{m}, nil
		}
	}
	return nil, usagef("name a type of the model file that is stored", "there is no read model %q", only)
}

func (c *verifyCmd) print(w io.Writer, r verify.Report) error {
	if c.JSON {
		if err := printJSON(w, r); err != nil {
			return err
		}
	} else {
		printReport(w, r)
	}
	if r.Differ > 0 {
		return errFound
	}
	return nil
}

func printReport(w io.Writer, r verify.Report) {
	for _, m := range r.Models {
		fmt.Fprintf(w, "%s: %s documents compared, %s differ\n", m.Model, humanize.Comma(m.Compared), humanize.Comma(m.Differ))
		for _, d := range m.Differences {
			fmt.Fprintf(w, "    %s %s", d.Key, d.Kind)
			if d.Path != "" {
				fmt.Fprintf(w, " at %s: stored %s, defined %s", d.Path, d.Stored, d.Defined)
			}
			fmt.Fprintln(w)
		}
	}
	switch {
	case r.Behind:
		fmt.Fprintln(w, "No projector applied what was seen: what differs may only be late. Start freshet run and verify again.")
	case r.Repaired > 0:
		fmt.Fprintf(w, "%s documents are handed to the projector to rebuild.\n", humanize.Comma(r.Repaired))
	case r.Differ > 0:
		fmt.Fprintln(w, "freshet verify --repair has the projector rebuild what differs.")
	}
}
