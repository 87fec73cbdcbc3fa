package migrate

import "strings"

// Severity grades a Finding.
type Severity int

// The severities.
const (
	Fault   Severity = iota // the projector would not start, or would be wrong
	Warning                 // it works, until something happens
	Note                    // worth knowing
)

// String returns the name in lower case.
func (s Severity) String() string { return [...]string{"fault", "warning", "note"}[s] }

// Finding is something that would go wrong.
type Finding struct {
	Severity Severity
	What     string // one sentence without a final full stop
	Where    string // the table, setting, role, slot or publication
	Remedy   string // what to do, often a statement to run
	// Models are the read models that alone it concerns: the others are right
	// all the same. Nil where it concerns all, or none in particular.
	Models []string
}

// String returns "fault: where: what" and the remedy on a line of its own.
func (f Finding) String() string {
	s := f.Severity.String() + ": "
	if f.Where != "" {
		s += f.Where + ": "
	}
	s += f.What
	if f.Remedy != "" {
		s += "\n    " + strings.ReplaceAll(f.Remedy, "\n", "\n    ")
	}
	return s
}

// NotReady says that the database is not in the state that the projector needs
// to be right, or that a migration needs to be safe.
type NotReady struct {
	Findings []Finding // at least one Fault
}

// Error lists the findings.
func (e *NotReady) Error() string {
	lines := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		lines[i] = f.String()
	}
	return "the database is not ready:\n" + strings.Join(lines, "\n")
}

// asError returns the findings as an error where one is a Fault.
func asError(findings []Finding) error {
	for _, f := range findings {
		if f.Severity == Fault {
			return &NotReady{Findings: findings}
		}
	}
	return nil
}
