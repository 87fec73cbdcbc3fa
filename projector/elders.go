package projector

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// outlive waits until every transaction that is running now has ended.
//
// A fill that has no exported snapshot of the slot must begin after it. What a
// transaction wrote before its table joined the publication is not in the
// stream, and a commit may lie before the slot's beginning and yet not be
// visible: it waits for a standby. Either is only in a fill that begins when it
// is visible.
func (e *Engine) outlive(ctx context.Context, conn *pgx.Conn) error {
	var horizon string
	if err := conn.QueryRow(ctx, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text").Scan(&horizon); err != nil {
		return fmt.Errorf("note the running transactions: %w", err)
	}
	pause := 5 * time.Millisecond
	for {
		var over bool
		if err := conn.QueryRow(ctx, "SELECT pg_snapshot_xmin(pg_current_snapshot()) >= $1::text::xid8", horizon).Scan(&over); err != nil {
			return fmt.Errorf("look for running transactions: %w", err)
		}
		if over {
			return nil
		}
		if pause > 200*time.Millisecond {
			who, err := elders(ctx, conn, horizon)
			if err != nil {
				return err
			}
			e.setState(Backfilling, "waiting for transactions that began before: "+who)
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, time.Second)
	}
}

// elders names the transactions older than a horizon, as far as our role may
// see them.
func elders(ctx context.Context, conn *pgx.Conn, horizon string) (string, error) {
	rows, err := conn.Query(ctx, `
SELECT format('pid %s (%s, in a transaction since %s)', pid, coalesce(nullif(application_name, ''), 'unnamed'),
              coalesce(to_char(xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'), 'unknown'))
FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() AND age(backend_xid) >= age($1::text::xid8::xid)
UNION ALL
SELECT format('prepared transaction %L', gid) FROM pg_prepared_xacts WHERE age(transaction) >= age($1::text::xid8::xid)
LIMIT 5`, horizon)
	if err != nil {
		return "", fmt.Errorf("name the running transactions: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return "", fmt.Errorf("name the running transactions: %w", err)
	}
	if len(names) == 0 {
		return "not visible to this role", nil
	}
	return strings.Join(names, ", "), nil
}
