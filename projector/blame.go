package projector

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// blame adds to a lock timeout who holds locks on the tables that a batch
// writes: that somebody must end their transaction is all that an operator can
// do about it. It is asked after the batch has let go of its own.
func (l *loop) blame(work context.Context, err error) error {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Code != "55P03" {
		return err
	}
	who, askErr := holders(work, l.control)
	if askErr != nil || len(who) == 0 {
		return err // it is what there is to say
	}
	return fmt.Errorf("%w; locks on the tables that Freshet writes are held by %s", err, strings.Join(who, ", "))
}

// holders describes whoever has more than read our tables in a transaction
// that is still open, the oldest first.
func holders(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, `
WITH ours AS (
    SELECT c.oid FROM freshet.models AS m JOIN pg_namespace AS n ON n.nspname = m.layout->>'schema'
    JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = m.layout->>'table'
    UNION ALL
    SELECT oid FROM pg_class WHERE relnamespace = 'freshet'::regnamespace
), locks AS (
    SELECT DISTINCT virtualtransaction, pid FROM pg_locks
    WHERE locktype = 'relation' AND granted AND mode <> 'AccessShareLock' AND relation IN (SELECT oid FROM ours)
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT CASE WHEN k.pid IS NULL THEN 'a prepared transaction (SELECT * FROM pg_prepared_xacts)'
       ELSE format('pid %s of user %s (%s%s)', k.pid, coalesce(a.usename, 'unknown'), coalesce(nullif(a.application_name, ''), 'unnamed'),
                   to_char(a.xact_start AT TIME ZONE 'UTC', '", in a transaction since "YYYY-MM-DD HH24:MI:SS "UTC"')) END
FROM locks AS k LEFT JOIN pg_stat_activity AS a USING (pid)
WHERE coalesce(a.application_name, '') NOT LIKE 'freshet projector%'
ORDER BY a.xact_start LIMIT 5`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
