package verify

import (
	"time"

	"freshet/projector/migrate"
)

// Report is what was found. As JSON it is what `freshet verify --json` prints.
type Report struct {
	// Structure is what is wrong with tables, indexes, replica identities and
	// publication.
	Structure []Finding     `json:"structure"`
	Models    []ModelReport `json:"models"`
	// The sums over all read models.
	Compared int64 `json:"compared"`
	Differ   int64 `json:"differ"`
	Unproven int64 `json:"unproven"`
	Changing int64 `json:"changing"`
	SetAside int64 `json:"setAside"`
	Repaired int64 `json:"repaired"` // handed to the projector
	// Looks is how many documents were looked at again, each time counted: on a
	// busy system most of them were only on their way.
	Looks int64 `json:"looks"`
	// Behind says that no projector applied what was seen within the patience:
	// what differed then is unproven.
	Behind bool `json:"behind"`
	// Interrupted says that the comparison ended before its end.
	Interrupted bool `json:"interrupted"`
}

// Finding is a fault or a warning about the structure.
type Finding struct {
	Severity string `json:"severity"` // "fault" or "warning"
	Where    string `json:"where"`
	What     string `json:"what"`
	Remedy   string `json:"remedy,omitempty"`
}

// State says whether a read model was compared.
type State string

// The states.
const (
	Compared    State = "compared"
	Paused      State = "paused"      // its documents are not kept up to date: not compared
	Filling     State = "filling"     // it is yet to be filled: not compared
	Failed      State = "failed"      // the comparison failed
	Interrupted State = "interrupted" // only a part was compared
)

// ModelReport is what was found in one read model.
type ModelReport struct {
	Model    string `json:"model"`
	State    State  `json:"state"`
	Reason   string `json:"reason,omitempty"` // why it was not compared
	Compared int64  `json:"compared"`
	Differ   int64  `json:"differ"`
	// Unproven differed, and it could not be told whether they are only late:
	// no projector applied what was seen.
	Unproven int64 `json:"unproven"`
	// Changing had been written anew, and differed anew, each time that they
	// were looked at: the projector is at work on them, and what it writes is
	// compared wherever it can be.
	Changing    int64        `json:"changing"`
	SetAside    int64        `json:"setAside"`
	Differences []Difference `json:"differences,omitempty"` // the first of them
	Aside       []Aside      `json:"aside,omitempty"`       // the first of those set aside
}

// Difference is a document that does not equal its definition.
type Difference struct {
	Key string `json:"key"`
	// Kind is "missing", "extra", "data", "columns" (the document is right, a
	// column that serves an index is not) or "error" (the definition cannot be
	// evaluated, and the projector has not set the document aside).
	Kind string `json:"kind"`
	// Path is the first place where they differ: "$.author.name", or "column
	// author_id".
	Path string `json:"path,omitempty"`
	// Stored and Defined are the values at Path, as JSON; "absent" where there
	// is none. For kind "error" Defined is the error.
	Stored  string `json:"stored,omitempty"`
	Defined string `json:"defined,omitempty"`
	// Unproven: it may only be late.
	Unproven bool `json:"unproven,omitempty"`
	// StoredLSN and StoredTime say when the stored document was written.
	StoredLSN  string     `json:"storedLsn,omitempty"`
	StoredTime *time.Time `json:"storedTime,omitempty"`
	// LSN is where the WAL was when the two were compared, and Watermark and
	// Complete how far the projector then was: all before Watermark was
	// applied, but for fan-outs, and all before Complete, with them.
	LSN       string `json:"lsn"`
	Watermark string `json:"watermark"`
	Complete  string `json:"complete"`
}

// Aside is a document that the projector could not build and has set aside: it
// is known, and not compared.
type Aside struct {
	Key   string    `json:"key"`
	Error string    `json:"error"`
	Tries int       `json:"tries"`
	Since time.Time `json:"since"`
}

// Right says whether everything was compared, and nothing is wrong; documents
// set aside are known, and do not count.
func (r *Report) Right() bool {
	return r.Differ == 0 && !r.Untold() && len(r.Faults()) == 0
}

// Untold says whether there is something that the comparison could not tell.
func (r *Report) Untold() bool {
	for _, m := range r.Models {
		if m.State != Compared {
			return true
		}
	}
	return r.Unproven > 0 || r.Interrupted
}

// Faults are the findings about the structure that are more than warnings.
func (r *Report) Faults() []Finding {
	var faults []Finding
	for _, f := range r.Structure {
		if f.Severity == migrate.Fault.String() {
			faults = append(faults, f)
		}
	}
	return faults
}

// add adds a read model's numbers to the sums.
func (r *Report) add(m ModelReport) {
	r.Models = append(r.Models, m)
	r.Compared += m.Compared
	r.Differ += m.Differ
	r.Unproven += m.Unproven
	r.Changing += m.Changing
	r.SetAside += m.SetAside
}
