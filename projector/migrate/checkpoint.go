package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	place "freshet/projector/checkpoint"
)

// checkpoint is the progress kept for a slot, beside where this database is.
type checkpoint struct {
	SystemID string
	Timeline int32
	Database string
	Applied  string // LSN
	Ahead    bool   // beyond the end of this server's WAL
	Followed bool   // the timeline is another by a promotion that a synced slot came through

	HereSystemID string
	HereTimeline int32
	HereDatabase string
}

// readCheckpoint reads the slot's checkpoint, nil when there is none. The
// timeline is that of the WAL file being written: the control file learns of a
// new one only with the next checkpoint.
func readCheckpoint(ctx context.Context, conn *pgx.Conn, slotName string) (*checkpoint, error) {
	c := &checkpoint{}
	err := conn.QueryRow(ctx, `
SELECT k.system_id, k.timeline, k.database, k.applied_lsn::text, s.system_identifier::text, current_database()::text,
       CASE WHEN pg_is_in_recovery() THEN k.timeline
            ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,
       NOT pg_is_in_recovery() AND k.applied_lsn > pg_current_wal_lsn(),
       EXISTS (SELECT FROM freshet.checkpoint c JOIN pg_replication_slots s ON s.slot_name = c.slot WHERE c.slot = k.slot AND `+place.Continues+`)
  FROM freshet.checkpoint k, pg_control_system() s
 WHERE k.slot = $1`, slotName).Scan(&c.SystemID, &c.Timeline, &c.Database, &c.Applied, &c.HereSystemID, &c.HereDatabase, &c.HereTimeline, &c.Ahead, &c.Followed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return c, err
}

// foreign says what of the checkpoint belongs to something else, "" when
// nothing does.
func (c *checkpoint) foreign() string {
	switch {
	case c.SystemID != c.HereSystemID:
		return fmt.Sprintf("another cluster (system identifier %s, this one is %s)", c.SystemID, c.HereSystemID)
	case c.Database != c.HereDatabase:
		return fmt.Sprintf("another database (%q, this one is %q)", c.Database, c.HereDatabase)
	case c.Timeline != c.HereTimeline && (!c.Followed || c.HereTimeline < c.Timeline):
		return fmt.Sprintf("another timeline (%d, this one is %d)", c.Timeline, c.HereTimeline)
	case c.Ahead:
		return "a later state of this cluster (it is at " + c.Applied + ", beyond the end of the WAL)"
	}
	return ""
}
