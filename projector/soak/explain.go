package soak

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/projector/soak/oracle"
)

// explained is how many differing documents are looked into.
const explained = 3

// explain writes down what is known of a divergence: for the first documents
// what sync_log has of them and which transactions may have to do with it, and
// a trace to begin again from the last clean comparison.
func (r *run) explain(ctx context.Context, conn *pgx.Conn, ds []oracle.Difference) *Divergence {
	var b strings.Builder
	entries := r.trace.since()
	for _, d := range ds[:min(explained, len(ds))] {
		fmt.Fprintf(&b, "%s\n", d)
		xids := r.explainLog(ctx, conn, &b, d)
		related(&b, entries, d.Key, xids)
	}
	fmt.Fprintf(&b, "place: %s\nseed %d, %d writers, faults %s\n", late(ctx, conn), r.cfg.Seed, r.cfg.Writers, strings.Join(r.cfg.Faults, ","))
	path, err := r.saveTrace()
	if err != nil {
		fmt.Fprintf(&b, "the trace could not be saved: %v\n", err)
	} else if path != "" {
		fmt.Fprintf(&b, "%d transactions and faults since the last clean comparison; replay and shorten them: make soak-replay TRACE=%s\n", len(entries), path)
	}
	return &Divergence{Differences: ds, Explained: b.String(), Trace: path}
}

// explainLog writes the rows of sync_log about a document, and returns the
// transactions that they name.
func (r *run) explainLog(ctx context.Context, conn *pgx.Conn, b *strings.Builder, d oracle.Difference) (xids []string) {
	rows, err := conn.Query(ctx, `
SELECT format('id %s, batch %s, %s%s, %s to %s, watermark %s at %s, %s transactions %s', id, batch, operation, CASE WHEN whole THEN ' of all' WHEN $2 = ANY (deleted_keys) THEN ', deleted' ELSE '' END,
    first_lsn, last_lsn, watermark, logged_at, transactions, left(xids::text, 200)), xids::text[]
FROM freshet.sync_log WHERE model = $1 AND (whole OR $2 = ANY (keys) OR $2 = ANY (deleted_keys)) ORDER BY id DESC LIMIT 4`, d.Model, d.Key)
	if err != nil {
		fmt.Fprintf(b, "    sync_log: %v\n", err)
		return nil
	}
	var line string
	var ids []string
	_, err = pgx.ForEachRow(rows, []any{&line, &ids}, func() error {
		fmt.Fprintf(b, "    sync_log: %s\n", line)
		xids = append(xids, ids...)
		return nil
	})
	if err != nil {
		fmt.Fprintf(b, "    sync_log: %v\n", err)
	}
	return xids
}

// related writes the last transactions that name the key in a parameter, and
// those that sync_log names where they are few.
func related(b *strings.Builder, entries []entry, key string, xids []string) {
	few := len(xids) <= 10
	n := 0
	for _, e := range slices.Backward(entries) {
		text := e.about(key, few && e.XID != "" && slices.Contains(xids, e.XID))
		if text == "" {
			continue
		}
		fmt.Fprintf(b, "    %s%s\n", e.head(), text)
		if n++; n == 6 {
			return
		}
	}
}

// about returns the statements that have the key as a parameter, or all.
func (e entry) about(key string, all bool) string {
	var b strings.Builder
	for _, s := range e.Steps {
		named := slices.ContainsFunc(s.Args, func(a arg) bool { return fmt.Sprint(a.value) == key })
		if named || all {
			fmt.Fprintf(&b, " %s;", s)
		}
	}
	return cutAt(b.String(), 600)
}

// String describes the entry on one line.
func (e entry) String() string {
	if e.Fault != "" {
		return e.At.Format("15:04:05.000") + " fault " + e.Fault
	}
	return e.head() + e.about("", true)
}

func (e entry) head() string {
	return fmt.Sprintf("%s %s, %s, xid %s, before %s:", e.At.Format("15:04:05.000"), e.Actor, e.Outcome, e.XID, e.LSN)
}

// String returns the statement with its parameters.
func (s entryStep) String() string {
	switch s.Mark {
	case open:
		return "SAVEPOINT"
	case release:
		return "RELEASE"
	case undo:
		return "ROLLBACK TO SAVEPOINT"
	}
	text := strings.Join(strings.Fields(s.SQL), " ")
	for i, a := range s.Args {
		text += fmt.Sprintf(" $%d=%s", i+1, cutAt(fmt.Sprint(a.value), 40))
	}
	return text
}

func cutAt(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}

// saveTrace writes the trace to a file of its own.
func (r *run) saveTrace() (string, error) {
	if !r.trace.on {
		return "", nil
	}
	path := filepath.Join(r.cfg.TraceDir, fmt.Sprintf("soak-%d-%s.trace", r.cfg.Seed, time.Now().UTC().Format("150405")))
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	if err := r.trace.write(f); err != nil {
		_ = f.Close() // the write's error says more
		return "", err
	}
	return path, f.Close()
}
