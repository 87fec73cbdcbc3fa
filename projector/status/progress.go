package status

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/projector/apply"
	"freshet/projector/checkpoint"
)

// Leader is the session of the projector that leads. What this role may not
// see is left out: a member of the leader's role may, and pg_monitor.
type Leader struct {
	PID    int32      `json:"pid"`
	Client string     `json:"client"`
	Since  *time.Time `json:"since"` // connected
	// SilentSeconds is the age of its last sign of life: one that is well gives
	// one each second at least. nil: unknown, or it is no projector.
	SilentSeconds *float64 `json:"silentSeconds"`
}

// FanOut is a change that leads to very many documents of a read model, or the
// filling of one while others stream: they are done in chunks beside the batches.
type FanOut struct {
	Model     string    `json:"model"`
	Path      string    `json:"path"`      // by which the changed rows lead to the documents; "*": to all, the read model is being filled
	Since     time.Time `json:"since"`     // when it was put off
	SinceLSN  string    `json:"sinceLsn"`  // the first commit that its documents may lack
	Documents int64     `json:"documents"` // done so far; 0 where it waits for its turn
	Changes   int64     `json:"changes"`   // of the same path, done together
	Runs      bool      `json:"runs"`      // else it waits for its turn
	Waits     string    `json:"waits"`     // what a filling waits for before it begins; "": nothing but its turn
}

// Filling reports whether all of the read model is being filled.
func (f *FanOut) Filling() bool { return f.Path == apply.WholeModel }

// Diverged is what the self-check has found in the last 24 hours: stored
// documents that did not equal their definition, though nothing had touched
// them. Each was rebuilt.
type Diverged struct {
	Documents int64      `json:"documents"` // at most 1,000
	Last      *time.Time `json:"last"`      // when the last was found; nil: none was
}

func readLeader(ctx context.Context, conn *pgx.Conn, d *Database) error {
	l, err := checkpoint.Holder(ctx, conn, d.Slot.Name)
	if err != nil || l.PID == 0 {
		return err
	}
	d.Leader = &Leader{PID: l.PID, Client: l.Client}
	if !l.Since.IsZero() {
		d.Leader.Since = &l.Since
	}
	if l.Beat == "" {
		return nil
	}
	return conn.QueryRow(ctx, "SELECT greatest(extract(epoch FROM clock_timestamp() - $1::text::timestamptz), 0)::float8", l.Beat).Scan(&d.Leader.SilentSeconds)
}

// All that wait of one path are done in one pass, so they are one here. Of the
// changes one is under way, and beside it one filling.
func readFanOuts(ctx context.Context, conn *pgx.Conn, d *Database) error {
	rows, err := conn.Query(ctx, `
SELECT f.model, f.path, min(f.created_at), min(f.since_lsn)::text, max(f.documents), count(*),
       row_number() OVER (PARTITION BY f.path = $2 ORDER BY min(f.id)) = 1 AND (f.path <> $2 OR min(m.waits) IS NULL),
       CASE WHEN f.path = $2 THEN coalesce(min(m.waits), '') ELSE '' END
FROM freshet.fanout AS f LEFT JOIN freshet.models AS m ON m.name = f.model AND m.state = 'backfilling'
WHERE f.slot = $1 GROUP BY f.model, f.path ORDER BY min(f.id)`, d.Slot.Name, apply.WholeModel)
	if err != nil {
		return err
	}
	d.FanOuts, err = pgx.CollectRows(rows, pgx.RowToStructByPos[FanOut])
	return err
}

func readDiverged(ctx context.Context, conn *pgx.Conn, d *Database) error {
	return conn.QueryRow(ctx, `
SELECT coalesce(sum(cardinality(keys)), 0), max(logged_at)
FROM (SELECT operation, keys, logged_at FROM freshet.sync_log WHERE NOT success ORDER BY id DESC LIMIT 1000) AS f
WHERE operation = 'repair' AND logged_at > now() - interval '1 day'`).Scan(&d.Diverged.Documents, &d.Diverged.Last)
}
