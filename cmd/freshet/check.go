package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"freshet/model"
	"freshet/projector/migrate"
	"freshet/projector/session"
)

type checkCmd struct {
	modelFlag
	JSON bool `help:"Print JSON." env:"-"`
}

// finding is a fault of any origin, in one form.
type finding struct {
	Severity string `json:"severity"` // one of severities
	Where    string `json:"where,omitempty"`
	What     string `json:"what"`
	Remedy   string `json:"remedy,omitempty"`
}

// severities, the worst first.
var severities = []string{"error", "warning", "note"}

// Run looks at everything that it can reach, whatever it has found before.
func (c *checkCmd) Run(ctx context.Context, a *app) error {
	m, faults, err := parseModel(c.Model)
	if err != nil {
		return err
	}
	found := fromDiagnostics(faults)
	more, err := c.database(ctx, a, m, faults.Err() == nil)
	if err != nil {
		return err
	}
	found = append(found, more...)
	slices.SortStableFunc(found, func(a, b finding) int {
		return cmp.Compare(slices.Index(severities, a.Severity), slices.Index(severities, b.Severity))
	})
	if c.JSON {
		err = printJSON(a.Stdout, append([]finding{}, found...))
	} else {
		printFindings(a.Stdout, found)
	}
	for _, f := range found {
		if f.Severity == "error" {
			return errors.Join(err, errFound)
		}
	}
	return err
}

// database checks a model against the database, and the database itself. That
// it cannot be reached is a finding like others.
func (c *checkCmd) database(ctx context.Context, a *app, m *model.Model, whole bool) ([]finding, error) {
	conn, err := a.connect(ctx, "check")
	var unreachable *explained
	if errors.As(err, &unreachable) {
		return []finding{{Severity: "error", What: unreachable.message, Remedy: unreachable.remedy}}, nil
	}
	if err != nil {
		return nil, err
	}
	defer session.Close(conn)
	plan, faults, err := compiled(ctx, conn, m)
	if err != nil {
		return nil, err
	}
	found := fromDiagnostics(faults)
	if !whole || faults.Err() != nil {
		return found, nil
	}
	findings := migrate.Check(ctx, conn, plan, migrate.Options{Slot: a.cli.Slot, Publication: a.cli.Publication})
	return append(found, fromFindings(findings)...), nil
}

func fromFindings(all []migrate.Finding) []finding {
	var found []finding
	for _, f := range all {
		one := finding{Severity: f.Severity.String(), Where: f.Where, What: f.What, Remedy: f.Remedy}
		if f.Severity == migrate.Fault {
			one.Severity = "error"
		}
		found = append(found, one)
	}
	return found
}

func fromDiagnostics(ds model.Diagnostics) []finding {
	ds.Sort()
	var found []finding
	for _, d := range ds {
		f := finding{Severity: "error", What: d.Message, Remedy: d.Remedy}
		if d.Severity == model.Warning {
			f.Severity = "warning"
		}
		if d.Pos != (model.Pos{}) {
			f.Where = d.Pos.String()
		}
		found = append(found, f)
	}
	return found
}

func printFindings(w io.Writer, found []finding) {
	counts := map[string]int{}
	for _, f := range found {
		counts[f.Severity]++
		if f.Where != "" {
			fmt.Fprintf(w, "%s: ", f.Where)
		}
		fmt.Fprintf(w, "%s: %s\n", f.Severity, withRemedy(f.What, indent(f.Remedy)))
	}
	if counts["error"]+counts["warning"] == 0 {
		fmt.Fprintln(w, "Nothing would go wrong.")
		return
	}
	fmt.Fprintf(w, "%s, %s.\n", plural(counts["error"], "error"), plural(counts["warning"], "warning"))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
