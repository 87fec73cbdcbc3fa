package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"freshet/projector/compile"
	"freshet/projector/session"
	"freshet/projector/verify"
)

type verifyCmd struct {
	modelFlag
	Only          string        `help:"This read model only." placeholder:"TYPE" env:"-"`
	Key           []string      `help:"The document with this key only, with --only; may be given again." placeholder:"KEY" sep:"none" env:"-"`
	Sample        int           `help:"About so many documents of each read model, taken by chance; 0: all." default:"0" placeholder:"N" env:"-"`
	Seed          int64         `help:"Of the sample; 0: another each time." default:"0" env:"-"`
	Repair        bool          `help:"Have the projector rebuild what differs." env:"-"`
	IncludePaused bool          `help:"Also compare read models that are paused or yet to be filled." env:"-"`
	Patience      time.Duration `help:"How long the projector may stand still before it cannot be told what differs." default:"10s"`
	JSON          bool          `help:"Print JSON." env:"-"`
}

// Help is shown by --help.
func (c *verifyCmd) Help() string {
	return `Compares what is stored with what the model file says it should be: tables,
indexes and publication, then each document. It may run at any time, beside a
projector at work: what is only on its way is not taken for wrong.

  freshet verify --model model.graphql
  freshet verify --model model.graphql --sample 1000
  freshet verify --model model.graphql --only Post --key 0190f3c2-7d1e-7bd5-8a4c-1f2e3d4c5b6a

Documents that could not be built and were set aside are named, and are not
counted as different: freshet status has them too.

Exit code 1: something is wrong, or could not be told; the last line says which.`
}

// Run compares documents with their definition.
func (c *verifyCmd) Run(ctx context.Context, a *app) error {
	if err := c.check(); err != nil {
		return err
	}
	cfg, err := a.connConfig()
	if err != nil {
		return err
	}
	conn, err := a.connectInstalled(ctx, "verify")
	if err != nil {
		return err
	}
	plan, _, err := a.plan(ctx, conn, c.Model)
	session.Close(conn)
	if err != nil {
		return err
	}
	models, err := chosen(plan, c.Only)
	if err != nil {
		return err
	}
	if c.Sample > 0 && c.Seed == 0 {
		c.Seed = rand.Int64N(1 << 31)
	}
	show := &progress{out: a.Stderr, terminal: a.Terminal}
	report, err := verify.Run(ctx, verify.Config{
		ConnConfig: cfg, Plan: plan, Models: models, Slot: a.cli.Slot, Publication: a.cli.Publication, Patience: c.Patience,
		Keys: c.Key, Sample: c.Sample, Seed: c.Seed, Repair: c.Repair, IncludePaused: c.IncludePaused, Progress: show.step,
	})
	show.close(report.Interrupted)
	return c.finish(a.Stdout, report, err)
}

func (c *verifyCmd) check() error {
	switch {
	case c.Sample < 0:
		return usagef("give a number of documents", "--sample %d is below zero", c.Sample)
	case len(c.Key) > 0 && c.Only == "":
		return usagef("name the read model by --only TYPE", "--key alone does not say of what")
	case len(c.Key) > 0 && c.Sample > 0:
		return usagef("leave one of them out", "--key and --sample exclude each other")
	}
	return nil
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

// finish prints what was found, also where that was not everything.
func (c *verifyCmd) finish(w io.Writer, r verify.Report, err error) error {
	var key *verify.KeyError
	if errors.As(err, &key) {
		return usagef("give the key as GraphQL answers it", "%s", key)
	}
	if err != nil && !r.Interrupted {
		return err
	}
	if c.JSON {
		if err := printJSON(w, r); err != nil {
			return err
		}
	} else {
		c.print(w, r)
	}
	if err == nil && !r.Right() {
		return errFound
	}
	return err
}

func (c *verifyCmd) print(w io.Writer, r verify.Report) {
	for _, f := range r.Structure {
		fmt.Fprintf(w, "%s: %s: %s\n", f.Severity, f.Where, withRemedy(f.What, indent(f.Remedy)))
	}
	for _, m := range r.Models {
		fmt.Fprintln(w, modelLine(m))
		for _, d := range m.Differences {
			fmt.Fprintf(w, "    %s\n", differenceLine(d))
		}
		for _, a := range m.Aside {
			fmt.Fprintf(w, "    %s set aside: %s\n", a.Key, oneLineText(a.Error))
		}
	}
	if c.Sample > 0 {
		fmt.Fprintf(w, "The sample was that of --seed %d.\n", c.Seed)
	}
	for _, line := range conclusions(r) {
		fmt.Fprintln(w, line)
	}
}

// modelLine is "Post: 1,000 documents compared, 2 differ, 1 set aside".
func modelLine(m verify.ModelReport) string {
	switch m.State {
	case verify.Paused, verify.Filling, verify.Failed:
		return strings.TrimSuffix(fmt.Sprintf("%s: %s, not compared: %s", m.Model, m.State, oneLineText(m.Reason)), ": ")
	}
	line := fmt.Sprintf("%s: %s documents compared, %s differ", m.Model, humanize.Comma(m.Compared), humanize.Comma(m.Differ))
	if m.Unproven > 0 {
		line += fmt.Sprintf(", %s may only be late", humanize.Comma(m.Unproven))
	}
	if m.Changing > 0 {
		line += fmt.Sprintf(", %s changed each time they were looked at", humanize.Comma(m.Changing))
	}
	if m.SetAside > 0 {
		line += fmt.Sprintf(", %s set aside", humanize.Comma(m.SetAside))
	}
	if m.State == verify.Interrupted {
		line += "; there are more"
	}
	return line
}

func differenceLine(d verify.Difference) string {
	line := d.Key + " " + d.Kind
	switch {
	case d.Path != "":
		line += fmt.Sprintf(" at %s: stored %s, defined %s", d.Path, d.Stored, d.Defined)
	case d.Kind == "error":
		line += ": " + oneLineText(d.Defined)
	}
	if d.Unproven {
		line += ", or only late"
	}
	where := "compared at " + d.LSN
	if d.Watermark != "" {
		where += ", watermark " + d.Watermark
	}
	if d.StoredLSN != "" && d.StoredTime != nil {
		where = fmt.Sprintf("written at %s, %s; ", d.StoredLSN, d.StoredTime.UTC().Format(time.RFC3339)) + where
	}
	return line + " (" + where + ")"
}

// conclusions say what it comes to, and what to do.
func conclusions(r verify.Report) []string {
	var lines []string
	if n := len(r.Faults()); n > 0 {
		lines = append(lines, plural(n, "fault")+" of the structure: documents cannot be relied on until they are mended.")
	}
	switch {
	case r.Interrupted:
		lines = append(lines, "Interrupted: what was not compared may be wrong.")
	case r.Unproven > 0:
		lines = append(lines, "It cannot be told: no projector applied what was seen, and what differs may only be late. Start freshet run and verify again.")
	case r.Untold():
		lines = append(lines, "It cannot be told of the read models that were not compared; freshet status says more, and --include-paused compares them.")
	}
	switch {
	case r.Repaired > 0:
		lines = append(lines, humanize.Comma(r.Repaired)+" documents are handed to the projector to rebuild.")
	case r.Differ > 0:
		lines = append(lines, "freshet verify --repair has the projector rebuild what differs.")
	}
	return lines
}
