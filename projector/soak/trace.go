package soak

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// traceLimit bounds how many transactions are kept since the last comparison.
const traceLimit = 50_000

// trace keeps what was done to the source tables since the last comparison that
// found no difference: their content then, and every transaction and fault
// since. It is enough to begin again from there.
type trace struct {
	on bool

	mu      sync.Mutex
	base    []tableRows
	entries []entry
	lost    int // transactions beyond the limit
}

// entry is one transaction that was run, or one fault, as it is written to a
// file.
type entry struct {
	At      time.Time   `json:"at"` // when it was over
	Actor   string      `json:"actor,omitempty"`
	Fault   string      `json:"fault,omitempty"`
	Kind    string      `json:"kind,omitempty"`
	Begin   string      `json:"begin,omitempty"`
	End     ending      `json:"end,omitempty"`
	Steps   []entryStep `json:"steps,omitempty"`
	Outcome string      `json:"outcome,omitempty"` // committed, rolled back, unknown
	XID     string      `json:"xid,omitempty"`
	LSN     string      `json:"lsn,omitempty"` // the end of the WAL right after its commit
}

type entryStep struct {
	SQL  string `json:"sql,omitempty"`
	Args []arg  `json:"args,omitempty"`
	Mark mark   `json:"mark,omitempty"`
}

// tableRows is the content of one table, in the text form of COPY.
type tableRows struct {
	Table string `json:"table"` // quoted
	Cols  string `json:"columns"`
	Rows  string `json:"rows"`
}

// arg is a parameter that keeps its type in JSON.
type arg struct{ value any }

// MarshalJSON writes whole numbers as numbers, other values under their type.
func (a arg) MarshalJSON() ([]byte, error) {
	if f, ok := a.value.(float64); ok {
		return json.Marshal(map[string]float64{"float": f})
	}
	return json.Marshal(a.value)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (a *arg) UnmarshalJSON(b []byte) error {
	var n int64
	var f map[string]float64
	if json.Unmarshal(b, &n) == nil && string(b) != "null" {
		a.value = n
		return nil
	}
	if json.Unmarshal(b, &f) == nil && f != nil {
		a.value = f["float"]
		return nil
	}
	return json.Unmarshal(b, &a.value)
}

func stepsOf(steps []step) []entryStep {
	out := make([]entryStep, len(steps))
	for i, s := range steps {
		out[i] = entryStep{SQL: s.sql, Mark: s.mark}
		for _, v := range s.args {
			out[i].Args = append(out[i].Args, arg{v})
		}
	}
	return out
}

// transaction notes one that a writer ran. Of one whose connection was lost it
// is unknown what came of it.
func (t *trace) transaction(actor string, tx *transaction, o outcome, unknown bool) {
	if !t.on {
		return
	}
	e := entry{Actor: actor, Kind: tx.kind, Begin: tx.begin, End: tx.end, Steps: stepsOf(tx.steps), XID: o.xid, Outcome: "rolled back"}
	switch {
	case unknown:
		e.Outcome = "unknown"
	case o.committed:
		e.Outcome, e.LSN = "committed", o.lsn.String()
	}
	t.add(e)
}

// statements notes a transaction of some statements that committed.
func (t *trace) statements(actor string, stmts []stmt) {
	tx := &transaction{kind: actor, begin: "BEGIN", end: commit}
	for _, s := range stmts {
		tx.steps = append(tx.steps, step{stmt: s})
	}
	if t.on {
		t.add(entry{Actor: actor, Kind: tx.kind, Begin: tx.begin, End: tx.end, Steps: stepsOf(tx.steps), Outcome: "committed"})
	}
}

func (t *trace) fault(name string) {
	if t.on {
		t.add(entry{Fault: name})
	}
}

func (t *trace) add(e entry) {
	e.At = time.Now().UTC()
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.entries) >= traceLimit {
		t.entries = slices.Delete(t.entries, 0, traceLimit/10)
		t.lost += traceLimit / 10
	}
	t.entries = append(t.entries, e)
}

// begin notes the content of the source tables, and forgets what led to it.
// Nobody may write meanwhile.
func (t *trace) begin(ctx context.Context, conn *pgx.Conn) error {
	if !t.on {
		return nil
	}
	base, err := dump(ctx, conn)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.base, t.entries, t.lost = base, nil, 0
	return nil
}

// since returns what was done since begin, in the order of its end.
func (t *trace) since() []entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.entries)
}

// write writes the trace: a line for each table, then one for each entry.
func (t *trace) write(w io.Writer) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lost > 0 {
		if _, err := fmt.Fprintf(w, "{\"lost\": %d}\n", t.lost); err != nil {
			return err
		}
	}
	return writeTrace(w, t.base, t.entries)
}

func writeTrace(w io.Writer, base []tableRows, entries []entry) error {
	enc := json.NewEncoder(w)
	for _, b := range base {
		if err := enc.Encode(b); err != nil {
			return fmt.Errorf("write trace: %w", err)
		}
	}
	for _, e := range entries {
		if err := enc.Encode(e); err != nil {
			return fmt.Errorf("write trace: %w", err)
		}
	}
	return nil
}

// readTrace reads what write has written.
func readTrace(r io.Reader) (base []tableRows, entries []entry, err error) {
	dec := json.NewDecoder(r)
	for {
		var line struct {
			tableRows
			entry
			Lost int `json:"lost"`
		}
		err := dec.Decode(&line)
		if err == io.EOF {
			return base, entries, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read trace: %w", err)
		}
		switch {
		case line.Lost > 0:
			return nil, nil, fmt.Errorf("the trace lacks %d transactions after its beginning: compare more often (-soak.check)", line.Lost)
		case line.Table != "":
			base = append(base, line.tableRows)
		default:
			entries = append(entries, line.entry)
		}
	}
}

// transaction returns the entry's transaction, to be run again.
func (e entry) transaction() *transaction {
	t := &transaction{kind: e.Kind, begin: e.Begin, end: e.End}
	if t.end == prepared {
		t.end = commit // the same for everybody else
	}
	for _, s := range e.Steps {
		st := step{stmt: stmt{sql: s.SQL}, mark: s.Mark}
		for _, a := range s.Args {
			st.args = append(st.args, a.value)
		}
		t.steps = append(t.steps, st)
	}
	return t
}
