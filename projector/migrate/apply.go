package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"freshet/migrations"
	own "freshet/projector/session"
)

// migrateLock is the advisory lock of a migration: two take turns.
const migrateLock int64 = 0x66727368_6d696772 // "frshmigr"

// lockPoll is how often a migration that waits for another one asks. A waiting
// lock request would hold a snapshot, for which the other's concurrent index
// build would wait in turn, for ever.
const lockPoll = 200 * time.Millisecond

// Apply does the steps of phase Before, in order, on a connection of its own,
// and sets Done on each. It stops at the first that fails; what is done stays
// done, and a new Plan goes on from there.
//
// progress, which may be nil, is called before and after each step, and while
// one waits for somebody, with Waiting set. Calls do not overlap.
func Apply(ctx context.Context, config *pgx.ConnConfig, m *Migration, progress func(Step)) error {
	if m.Empty() {
		return nil
	}
	w, err := newWorker(ctx, config, m.opts)
	if err != nil {
		return err
	}
	defer w.close()
	tell := serial(progress)
	if err := w.lock(ctx, tell); err != nil {
		return err
	}
	for i := range m.Steps {
		s := &m.Steps[i]
		if s.Phase != Before || s.Done {
			continue
		}
		if err := w.step(ctx, s, tell); err != nil {
			return fmt.Errorf("%s: %w", s.What, err)
		}
	}
	return nil
}

// serial makes a progress function that two goroutines may call.
func serial(progress func(Step)) func(Step) {
	if progress == nil {
		return func(Step) {}
	}
	var mu sync.Mutex
	return func(s Step) {
		mu.Lock()
		defer mu.Unlock()
		progress(s)
	}
}

// step does one step under the watcher's eyes.
func (w *worker) step(ctx context.Context, s *Step, tell func(Step)) error {
	tell(*s)
	waiting := *s
	stop := w.watcher.watch(ctx, w.conn.PgConn().PID(), func(who string) {
		waiting.Waiting = who
		tell(waiting)
	})
	err := s.do(ctx, w)
	stop()
	if err != nil {
		return withRemedy(err)
	}
	s.Done = true
	tell(*s)
	return nil
}

// worker is the connection that a migration works on.
type worker struct {
	conn    *pgx.Conn
	opts    Options
	watcher *watcher
}

// newWorker opens the connections. A canceled context has the server cancel
// what it is doing, too: a concurrent build or a slot would otherwise go on.
func newWorker(ctx context.Context, config *pgx.ConnConfig, opts Options) (*worker, error) {
	config = own.Config(config, "migrate")
	config.BuildContextWatcherHandler = cancelOnServer
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to migrate: %w", err)
	}
	watching, err := own.Connect(ctx, config, "migrate watcher")
	if err != nil {
		own.Close(conn)
		return nil, err
	}
	return &worker{conn: conn, opts: opts, watcher: &watcher{conn: watching, every: min(500*time.Millisecond, opts.LockTimeout/4)}}, nil
}

// close ends the connections.
func (w *worker) close() {
	own.Close(w.conn)
	own.Close(w.watcher.conn)
}

// lock waits until no other migration runs.
func (w *worker) lock(ctx context.Context, tell func(Step)) error {
	for told := false; ; told = true {
		var ok bool
		if err := w.conn.QueryRow(ctx, `SELECT pg_catalog.pg_try_advisory_lock($1)`, migrateLock).Scan(&ok); err != nil {
			return fmt.Errorf("take the lock of migrations: %w", err)
		}
		if ok {
			return nil
		}
		if !told {
			tell(Step{Kind: KindSchema, What: "wait for another migration", Waiting: "another freshet migrate is running"})
		}
		if err := sleep(ctx, lockPoll); err != nil {
			return err
		}
	}
}

// applyMigrations brings Freshet's own tables to their newest version.
func applyMigrations(ctx context.Context, w *worker) error { return migrations.Apply(ctx, w.conn) }

// withRemedy adds what to do to errors that people can do something about.
func withRemedy(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	switch {
	case pg.Code == "42501" && strings.Contains(pg.Message, "replication"):
		return fmt.Errorf("%w. Give Freshet's role the attribute (ALTER ROLE … REPLICATION), or run this step as a role that has it", err)
	case pg.Code == "42501":
		return fmt.Errorf("%w. Run this step as the owner of the table, or as a superuser: freshet migrate prints it", err)
	case pg.Code == "2BP01":
		return fmt.Errorf("%w. Something depends on the table (%s): drop that first, and create it again afterwards", err, pg.Detail)
	}
	return err
}

// sleep waits, unless the context ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
