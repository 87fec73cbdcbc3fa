package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// memberClass is the first key of the shared advisory lock that each session
// of a leader holds, "frsm" in ASCII; the second is the slot's, as of the lock
// of leadership itself.
const memberClass = 0x6672736d

// ErrDeposed says that the session in whose name a connection was made leads
// no more.
var ErrDeposed = errors.New("this projector does not lead any more")

// Purpose is what the session of a leading projector is for, as session.Config
// has it. Whoever holds the lock by another, as `freshet destroy` does while it
// asks, gives no signs of life, and is never taken for dead.
const Purpose = "projector lease"

// Leader is the session that holds a slot's lock.
type Leader struct {
	PID    int32
	Client string
	Since  time.Time // connected, by the server's clock; zero where this role may not see it
	// Beat changes with each statement of the session. It is empty where the
	// session is no projector's, and where this role may not see it: a member of
	// the leader's role may, and pg_monitor.
	Beat string
}

// String describes the leader to an operator.
func (l Leader) String() string {
	if l.PID == 0 {
		return "a session that has just ended"
	}
	if l.Since.IsZero() {
		return fmt.Sprintf("pid %d, of another role", l.PID)
	}
	return fmt.Sprintf("pid %d from %s, connected since %s", l.PID, l.Client, l.Since.UTC().Format(time.RFC3339))
}

// Is says whether both are one session: a pid alone may be another's by now.
func (l Leader) Is(other Leader) bool { return l.PID == other.PID && l.Since.Equal(other.Since) }

// Holder returns the session that holds the slot's lock, or a Leader without a
// PID.
func Holder(ctx context.Context, conn *pgx.Conn, slot string) (Leader, error) {
	var l Leader
	var since *time.Time
	err := conn.QueryRow(ctx, `
SELECT a.pid, a.backend_start, coalesce(host(a.client_addr), 'a local socket'),
       CASE WHEN a.state <> 'disabled' AND a.application_name = 'freshet ' || $3::text THEN coalesce(a.state_change::text, '') ELSE '' END
FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.classid = $1::bigint::oid AND l.objid = (hashtext($2)::bigint & 4294967295)::oid
  AND l.objsubid = 2 AND l.mode = 'ExclusiveLock' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
LIMIT 1`, int64(lockClass), slot, Purpose).Scan(&l.PID, &since, &l.Client, &l.Beat)
	if errors.Is(err, pgx.ErrNoRows) {
		return Leader{}, nil
	}
	if err != nil {
		return Leader{}, fmt.Errorf("find the holder of the projector's lock: %w", err)
	}
	if since != nil {
		l.Since = *since
	}
	return l, nil
}

// Self returns the session of conn as Holder would show it.
func Self(ctx context.Context, conn *pgx.Conn) (Leader, error) {
	var l Leader
	err := conn.QueryRow(ctx, "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()").Scan(&l.PID, &l.Since)
	if err != nil {
		return Leader{}, fmt.Errorf("look for the own session: %w", err)
	}
	return l, nil
}

// Join makes a new connection one of the leader's household, by which Evict
// finds it, or returns ErrDeposed. It joins first and asks afterwards: so a
// session that got through is there for whoever takes over later to see.
//
// It speaks the simple protocol, which a replication connection understands.
func Join(ctx context.Context, conn *pgconn.PgConn, slot string, leader int32) error {
	hash := "hashtext(" + literal(slot) + ")"
	results, err := conn.Exec(ctx, fmt.Sprintf(`
SELECT pg_catalog.pg_advisory_lock_shared(%d, %s);
SELECT count(*) FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND pid = %d AND classid = %d AND objid = (%s::bigint & 4294967295)::oid AND objsubid = 2`,
		memberClass, hash, leader, lockClass, hash)).ReadAll()
	if err != nil {
		return fmt.Errorf("join the leading projector: %w", err)
	}
	last := results[len(results)-1]
	if len(last.Rows) != 1 {
		return errors.New("join the leading projector: the server's answer is not understood")
	}
	if n, err := strconv.Atoi(string(last.Rows[0][0])); err != nil || n == 0 {
		return ErrDeposed
	}
	return nil
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// Depose ends the session that holds the slot's lock, if it still is the one
// given. Where this role may not, the error is Denied.
func Depose(ctx context.Context, conn *pgx.Conn, l Leader) error {
	_, err := conn.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2", l.PID, l.Since)
	if err != nil {
		return fmt.Errorf("end the session of %s: %w", l, err)
	}
	return nil
}

// evictPatience is how long sessions that were ended may take to be gone.
const evictPatience = 5 * time.Second

// Evict ends what is left of the sessions of earlier leaders of the slot, and
// waits until they are gone: batches, fills and streams of a projector that was
// killed, frozen or cut off. Whoever calls it holds the slot's lock; afterwards
// no earlier leader can write anything, whatever it was in the middle of. It
// returns how many there were.
func Evict(ctx context.Context, conn *pgx.Conn, slot string) (int, error) {
	deadline := time.Now().Add(evictPatience)
	most := 0
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		left, err := terminateMembers(ctx, conn, slot)
		if err != nil {
			return most, err
		}
		most = max(most, len(left))
		if len(left) == 0 {
			return most, nil
		}
		if time.Now().After(deadline) {
			return most, fmt.Errorf("end the sessions of the projector that led before: still there after %s: %s", evictPatience, strings.Join(left, ", "))
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return most, ctx.Err()
		}
	}
}

// terminateMembers ends those that this role may end, and returns all that were
// there.
func terminateMembers(ctx context.Context, conn *pgx.Conn, slot string) ([]string, error) {
	rows, err := conn.Query(ctx, `
SELECT l.pid, format('pid %s (%s)', l.pid, coalesce(nullif(a.application_name, ''), 'of another role'))
FROM pg_locks AS l LEFT JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.classid = $1::bigint::oid AND l.objid = (hashtext($2)::bigint & 4294967295)::oid
  AND l.objsubid = 2 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND l.pid <> pg_backend_pid()`,
		int64(memberClass), slot)
	if err != nil {
		return nil, fmt.Errorf("look for sessions of the projector that led before: %w", err)
	}
	var pids []int32
	var names []string
	var pid int32
	var name string
	_, err = pgx.ForEachRow(rows, []any{&pid, &name}, func() error {
		pids, names = append(pids, pid), append(names, name)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for sessions of the projector that led before: %w", err)
	}
	for _, pid := range pids {
		_, err = conn.Exec(ctx, "SELECT pg_terminate_backend($1)", pid)
		if err != nil && !Denied(err) {
			return nil, fmt.Errorf("end the session with pid %d of the projector that led before: %w", pid, err)
		}
	}
	return names, nil
}

// Denied says whether the server refused something for want of a privilege.
func Denied(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == "42501"
}
