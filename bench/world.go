package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver"
	"freshet/examples/blog"
	"freshet/projector/backfill"
)

// seed makes every run measure the same rows.
const seed = 1

// settings are those of a small production server. What makes commits durable
// is left as it is by default.
var settings = map[string]string{
	"wal_level":             "logical",
	"timezone":              "UTC",
	"shared_buffers":        "512MB",
	"max_wal_size":          "4GB",
	"max_connections":       "100",
	"max_replication_slots": "10",
	"max_wal_senders":       "10",
}

// The databases that others are copies of.
const (
	sources   = "blog"  // the source tables alone
	documents = "ready" // migrated and filled, with no slot yet
)

// world is what the measurements share.
type world struct {
	options
	server *pgserver.Server
	dir    string // for files of the run
	report *report
	stderr io.Writer
	began  time.Time
	filled bool   // the database documents is there
	binary string // freshet, once built
	copies int
	// triggerRate is what row triggers have reached in this run; 0: not measured.
	triggerRate float64
	// services are the processes of freshet that were started, those that
	// have ended included.
	services []*service
}

func newWorld(ctx context.Context, o options, stderr io.Writer) (*world, error) {
	w := &world{options: o, report: &report{}, stderr: stderr, began: time.Now()}
	dir, err := os.MkdirTemp("", "freshet-bench-")
	if err != nil {
		return nil, err
	}
	w.dir = dir
	w.server, err = pgserver.Start(ctx, pgserver.Options{Settings: settings})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := w.prepare(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// close ends all that the run has started, also in the middle of it.
func (w *world) close() error {
	for _, s := range w.services {
		_ = s.cmd.Process.Kill() // most have ended long since
	}
	return errors.Join(w.server.Stop(pgserver.Immediate), os.RemoveAll(w.dir))
}

// log tells on stderr how the run goes.
func (w *world) log(format string, args ...any) {
	fmt.Fprintf(w.stderr, "%7.1fs  %s\n", time.Since(w.began).Seconds(), fmt.Sprintf(format, args...))
}

// prepare notes the machine, without which figures mean nothing, and loads the
// source tables.
func (w *world) prepare(ctx context.Context) error {
	size := w.size()
	err := w.with(ctx, "postgres", func(conn *pgx.Conn) error {
		var version string
		if err := conn.QueryRow(ctx, "SHOW server_version").Scan(&version); err != nil {
			return err
		}
		w.report.Machine = fmt.Sprintf("%d processors%s, %s/%s, %s, Postgres %s; %d users, %d posts, %d comments",
			runtime.NumCPU(), busy(), runtime.GOOS, runtime.GOARCH, runtime.Version(), version, size.Users, size.Posts, size.Comments)
		_, err := conn.Exec(ctx, "CREATE DATABASE "+sources)
		return err
	})
	if err != nil {
		return err
	}
	w.log("loading %d users, %d posts, %d comments", size.Users, size.Posts, size.Comments)
	return w.with(ctx, sources, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, blog.Schema); err != nil {
			return fmt.Errorf("create the blog: %w", err)
		}
		return blog.Load(ctx, conn, size, seed)
	})
}

// busy says how much else the machine had to do before the run, where the
// system tells: figures of a busy one are not worth much.
func busy() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	load, _, _ := strings.Cut(string(text), " ")
	return " (load " + load + " before the run)"
}

// size is the blog's, at the run's scale.
func (w *world) size() blog.Size {
	scaled := func(n int) int { return max(1000, int(float64(n)*w.scale)) }
	d := blog.DefaultSize
	return blog.Size{Users: scaled(d.Users), Posts: scaled(d.Posts), Comments: scaled(d.Comments)}
}

// with runs f on a connection to a database.
func (w *world) with(ctx context.Context, database string, f func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, w.server.URL(database))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // it was used for what f says
	return f(conn)
}

// exec runs SQL in a database.
func (w *world) exec(ctx context.Context, database, sql string) error {
	return w.with(ctx, database, func(conn *pgx.Conn) error {
		for statement := range strings.SplitSeq(sql, ";") { // one by one: some allow no transaction around them
			if _, err := conn.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}

// copyOf makes a database out of sources or documents, so that no measurement
// meets what another has left. Its name serves as the name of a slot as well.
func (w *world) copyOf(ctx context.Context, template string) (name string, err error) {
	if template == documents && !w.filled {
		if err := w.fill(ctx); err != nil {
			return "", fmt.Errorf("build the documents: %w", err)
		}
		w.filled = true
	}
	w.copies++
	name = fmt.Sprintf("bench_%d", w.copies)
	return name, w.exec(ctx, "postgres", fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s; CHECKPOINT", name, template))
}

// fill makes the database documents.
func (w *world) fill(ctx context.Context) error {
	if err := w.exec(ctx, "postgres", fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", documents, sources)); err != nil {
		return err
	}
	began := time.Now()
	cfg, plan, err := w.migrated(ctx, documents)
	if err != nil {
		return err
	}
	// Nobody writes: it needs neither a slot nor its snapshot.
	err = backfill.Run(ctx, backfill.Config{ConnConfig: cfg, Models: plan.ReadModels, Slot: documents, Workers: runtime.NumCPU()})
	if err != nil {
		return err
	}
	w.log("built all documents in %s", time.Since(began).Round(time.Millisecond))
	return w.exec(ctx, documents, "VACUUM tv_user; VACUUM tv_post; VACUUM tv_comment")
}

// drop removes a copy and its slot.
func (w *world) drop(ctx context.Context, name string) error {
	return w.with(ctx, "postgres", func(conn *pgx.Conn) error {
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			_, err := conn.Exec(ctx, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1", name)
			if err == nil {
				_, err = conn.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
			}
			if err == nil || time.Now().After(deadline) { // the server takes a moment to see that a client left
				return err
			}
		}
	})
}
