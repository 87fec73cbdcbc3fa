// Package synclog reads freshet.sync_log, the log of the read side: what was
// rebuilt when, for which transactions, how long it took, and why it failed.
//
// Guarantees: filters are parameters, never text of the statement; and a query
// reads at most Filter.Limit rows, the newest first.
package synclog

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Filter says which entries are wanted. Zero values do not filter.
type Filter struct {
	Model  string
	Key    string // entries that wrote or deleted this key
	Failed bool   // only failures
	Since  time.Time
	After  int64 // only ids above it, for following the log
	Limit  int   // default 100
}

// Entry is one row of sync_log.
type Entry struct {
	ID           int64      `json:"id"`
	Slot         string     `json:"slot"`
	Batch        int64      `json:"batch"`
	Model        string     `json:"model"`
	Operation    string     `json:"operation"`
	Keys         []string   `json:"keys"`
	DeletedKeys  []string   `json:"deletedKeys"`
	Whole        bool       `json:"whole"`
	Moved        []string   `json:"moved"`
	Upserted     int64      `json:"upserted"`
	Deleted      int64      `json:"deleted"`
	Unchanged    int64      `json:"unchanged"`
	Transactions int64      `json:"transactions"`
	XIDs         []int64    `json:"xids"`
	FirstLSN     *string    `json:"firstLsn"`
	LastLSN      *string    `json:"lastLsn"`
	Watermark    string     `json:"watermark"`
	CommittedAt  *time.Time `json:"committedAt"`
	StartedAt    time.Time  `json:"startedAt"`
	LoggedAt     time.Time  `json:"loggedAt"`
	DurationMS   float64    `json:"durationMs"`
	Success      bool       `json:"success"`
	Error        *string    `json:"error"`
}

const query = `
SELECT id, slot, batch, model, operation, keys, deleted_keys, whole, moved, upserted, deleted, unchanged, transactions, xids,
       first_lsn::text, last_lsn::text, watermark::text, committed_at, started_at, logged_at, duration_ms, success, error
FROM freshet.sync_log
WHERE ($1 = '' OR model = $1)
  AND ($2 = '' OR $2 = ANY (keys) OR $2 = ANY (deleted_keys))
  AND (NOT $3 OR NOT success)
  AND ($4::timestamptz IS NULL OR logged_at >= $4)
  AND id > $5
ORDER BY id DESC
LIMIT $6`

// Query returns the entries that pass the filter, the newest first.
func Query(ctx context.Context, conn *pgx.Conn, f Filter) ([]Entry, error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	var since *time.Time
	if !f.Since.IsZero() {
		since = &f.Since
	}
	rows, err := conn.Query(ctx, query, f.Model, f.Key, f.Failed, since, f.After, f.Limit)
	if err != nil {
		return nil, fmt.Errorf("read sync_log: %w", err)
	}
	entries, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Entry])
	if err != nil {
		return nil, fmt.Errorf("read sync_log: %w", err)
	}
	return entries, nil
}
