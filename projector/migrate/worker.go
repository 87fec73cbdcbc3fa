package migrate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// SQLSTATEs that a migration expects.
const (
	codeLockTimeout = "55P03"
	codeDeadlock    = "40P01"
	codeCanceled    = "57014"
)

// BlockedError says that something could not be done in time because of other
// sessions.
type BlockedError struct {
	What    string   // what was to be done, and within what time
	Holders []string // who stood in the way, as far as could be seen
}

// Error names them.
func (e *BlockedError) Error() string {
	text := "could not " + e.What
	if len(e.Holders) == 0 {
		return text + ": other sessions hold locks on it. Try again when they are done"
	}
	for i, h := range e.Holders {
		sep := ", "
		if i == 0 {
			sep = ": in the way is "
		}
		text += sep + h
	}
	return text + ". Wait until that is done, or end it with SELECT pg_terminate_backend(pid)"
}

// blocked is a BlockedError with whom the watcher saw last.
func (w *worker) blocked(what string) error {
	return &BlockedError{What: what, Holders: w.watcher.seen()}
}

// sqlState returns the SQLSTATE of an error, or "".
func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// milliseconds writes a duration as a setting.
func milliseconds(d time.Duration) string { return strconv.FormatInt(max(d.Milliseconds(), 1), 10) }

// settings sets the session's timeouts, in milliseconds.
func (w *worker) settings(ctx context.Context, lock, statement string) error {
	_, err := w.conn.Exec(ctx, `SELECT set_config('lock_timeout', $1, false), set_config('statement_timeout', $2, false)`, lock, statement)
	return err
}

// alone runs a statement that can be in no transaction, and may take its time:
// it blocks nobody.
func (w *worker) alone(ctx context.Context, sql string) error {
	if err := w.settings(ctx, "0", "0"); err != nil {
		return err
	}
	_, err := w.conn.Exec(ctx, sql)
	return err
}

// statements runs statements in a transaction.
func (w *worker) statements(ctx context.Context, list ...string) error {
	return w.transaction(ctx, func(tx pgx.Tx) error {
		for _, sql := range list {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
}

// transaction runs f in a transaction in which no lock is waited for longer
// than LockTimeout, again and again until LockWait is over: in the pauses the
// writers that queued up behind it go on.
func (w *worker) transaction(ctx context.Context, f func(pgx.Tx) error) error {
	if err := w.settings(ctx, milliseconds(w.opts.LockTimeout), "0"); err != nil {
		return err
	}
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 100*time.Millisecond, 5*time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := pgx.BeginFunc(ctx, w.conn, f)
		if code := sqlState(err); err != nil && code != codeLockTimeout && code != codeDeadlock {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(w.opts.LockWait))
	if code := sqlState(err); code == codeLockTimeout || code == codeDeadlock {
		return w.blocked(fmt.Sprintf("get the lock within %s", w.opts.LockWait))
	}
	var permanent *backoff.PermanentError
	if errors.As(err, &permanent) {
		return permanent.Err
	}
	return err
}

// cancelOnServer has a canceled context cancel the statement on the server,
// before the connection is given up.
func cancelOnServer(conn *pgconn.PgConn) ctxwatch.Handler {
	return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, CancelRequestDelay: 0, DeadlineDelay: 3 * time.Second}
}
