package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/olekukonko/tablewriter"
)

// row is one line of the table: a figure, its baseline and what is promised.
type row struct {
	Name     string  `json:"name"`
	Unit     string  `json:"unit"`
	Value    float64 `json:"value"`
	Baseline float64 `json:"baseline,omitempty"`
	Against  string  `json:"against,omitempty"` // what the baseline is
	Ratio    float64 `json:"ratio,omitempty"`   // value to baseline
	Promise  string  `json:"promise,omitempty"`
	Holds    *bool   `json:"holds,omitempty"`
}

// report is what a run has found.
type report struct {
	Machine string `json:"machine"`
	Rows    []row  `json:"rows"`
}

// bound is a promise: that the value or the ratio stays on one side of a limit.
type bound struct {
	ratio   bool
	atLeast bool
	limit   float64
}

func ratioAtLeast(limit float64) bound { return bound{ratio: true, atLeast: true, limit: limit} }
func ratioAtMost(limit float64) bound  { return bound{ratio: true, limit: limit} }
func valueAtMost(limit float64) bound  { return bound{limit: limit} }

// nothing is promised.
var nothing bound

func (b bound) words(unit string) string {
	sign := "≤"
	if b.atLeast {
		sign = "≥"
	}
	if b.ratio {
		return fmt.Sprintf("ratio %s %g", sign, b.limit)
	}
	return fmt.Sprintf("%s %g %s", sign, b.limit, unit)
}

func (b bound) holds(l row) bool {
	v := l.Value
	if b.ratio {
		v = l.Ratio
	}
	if b.atLeast {
		return v >= b.limit
	}
	return v <= b.limit
}

// add adds a line.
func (r *report) add(l row, b bound) {
	if l.Baseline > 0 {
		l.Ratio = l.Value / l.Baseline
	}
	if b != nothing {
		ok := b.holds(l)
		l.Promise, l.Holds = b.words(l.Unit), &ok
	}
	r.Rows = append(r.Rows, l)
}

// write prints the table, and writes the file if there is one to write.
func (r *report) write(out io.Writer, file string) error {
	fmt.Fprintln(out, r.Machine)
	t := tablewriter.NewWriter(out)
	t.Header("measure", "unit", "freshet", "baseline", "ratio", "promised", "holds", "the baseline is")
	for _, l := range r.Rows {
		if err := t.Append(l.Name, l.Unit, figure(l.Value), figure(l.Baseline), figure(l.Ratio), l.Promise, holds(l.Holds), l.Against); err != nil {
			return err
		}
	}
	if err := t.Render(); err != nil {
		return err
	}
	if file == "" {
		return nil
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

func figure(v float64) string {
	switch {
	case v == 0:
		return ""
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func holds(met *bool) string {
	switch {
	case met == nil:
		return ""
	case *met:
		return "yes"
	}
	return "NO"
}
