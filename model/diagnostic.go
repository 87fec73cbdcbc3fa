package model

import (
	"fmt"
	"sort"
	"strings"
)

// Severity grades a Diagnostic.
type Severity int

// The severities. An Error stops the start, a Warning does not.
const (
	Error Severity = iota
	Warning
)

// Diagnostic is one fault found in a model file, by itself or against the
// catalog: where, what, and what to do about it.
type Diagnostic struct {
	Pos      Pos
	Severity Severity
	Message  string // what is wrong, one sentence without a final full stop
	Remedy   string // what to do, one sentence or the statement to run; may be empty
}

// String returns "file:line:column: error: message\n    remedy".
func (d Diagnostic) String() string {
	kind := "error"
	if d.Severity == Warning {
		kind = "warning"
	}
	s := fmt.Sprintf("%s: %s: %s", d.Pos, kind, d.Message)
	if d.Pos == (Pos{}) {
		s = fmt.Sprintf("%s: %s", kind, d.Message)
	}
	if d.Remedy != "" {
		s += "\n    " + strings.ReplaceAll(d.Remedy, "\n", "\n    ")
	}
	return s
}

// Diagnostics is a list of faults. It is an error when it holds one of
// severity Error: see Err.
type Diagnostics []Diagnostic

// Error joins all faults, one a line, in file order.
func (ds Diagnostics) Error() string {
	sorted := append(Diagnostics(nil), ds...)
	sorted.Sort()
	lines := make([]string, len(sorted))
	for i, d := range sorted {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns the list as an error when it holds an Error, else nil.
func (ds Diagnostics) Err() error {
	for _, d := range ds {
		if d.Severity == Error {
			return ds
		}
	}
	return nil
}

// Sort orders the faults by position; those of one place keep their order.
func (ds Diagnostics) Sort() {
	sort.SliceStable(ds, func(i, j int) bool {
		a, b := ds[i].Pos, ds[j].Pos
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
}

// Errorf adds an Error.
func (ds *Diagnostics) Errorf(pos Pos, remedy, format string, args ...any) {
	*ds = append(*ds, Diagnostic{Pos: pos, Severity: Error, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}

// Warnf adds a Warning.
func (ds *Diagnostics) Warnf(pos Pos, remedy, format string, args ...any) {
	*ds = append(*ds, Diagnostic{Pos: pos, Severity: Warning, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}
