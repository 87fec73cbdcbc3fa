package checkpoint

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
)

// Continues is a condition on rows c of freshet.checkpoint and s of
// pg_replication_slots, beside a timeline that has risen: that the server was
// promoted from a standby which kept this slot in step with the primary's
// (Postgres 17, slots made with FAILOVER). Going on is exact then:
//
//   - Sources, documents, sync_log and checkpoint came to the standby by one
//     write-ahead log, of which it has a beginning. So they fit together as they
//     do after a crash of the primary at that place, and applied_lsn lies before
//     it, since the checkpoint's own commit comes after.
//   - Commits of the primary that the standby did not get are in none of them.
//   - The slot keeps all of the log from its restart_lsn on, across the change
//     of timeline, and sends what commits after applied_lsn, because it was not
//     told more than that: that is what confirmed_flush_lsn is compared for.
//
// A slot that somebody made anew by hand begins beyond applied_lsn, one of a
// restored backup was not synced, and on versions before 17 nothing is: all of
// these are refused.
const Continues = `to_jsonb(s) ->> 'failover' = 'true' AND to_jsonb(s) ->> 'synced' = 'true'
   AND s.database = current_database() AND s.plugin = 'pgoutput' AND s.wal_status <> 'lost'
   AND s.confirmed_flush_lsn <= c.applied_lsn`

// Promotion is a change of timeline that was followed.
type Promotion struct {
	From, To int32 // timelines
	Applied  pglogrepl.LSN
}

// FollowPromotion moves the slot's checkpoint on to found's timeline where that
// is exact, fences every projector before, and returns nil where it is not or
// there is nothing to follow: TakeOver then tells.
func FollowPromotion(ctx context.Context, conn *pgx.Conn, found Identity) (*Promotion, error) {
	p := &Promotion{To: found.Timeline}
	err := conn.QueryRow(ctx, `
WITH old AS (
    SELECT c.slot, c.timeline FROM freshet.checkpoint AS c JOIN pg_replication_slots AS s ON s.slot_name = c.slot
    WHERE c.slot = $1 AND c.system_id = $2 AND c.database = $3 AND c.timeline < $4 AND `+Continues+`
    FOR UPDATE OF c)
UPDATE freshet.checkpoint AS c SET timeline = $4, epoch = c.epoch + 1, updated_at = now()
FROM old WHERE c.slot = old.slot RETURNING old.timeline, c.applied_lsn`,
		found.Slot, found.SystemID, found.Database, found.Timeline).Scan(&p.From, &p.Applied)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("follow the promotion to timeline %d: %w", found.Timeline, err)
	}
	return p, nil
}
