// Package pgtest gives tests a real Postgres: one throwaway server for each
// test binary, started at first use, and a database of its own for each test.
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
//
// With goleak: func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Runner{M: m}) }
package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver"
)

// settings of the shared server: everything that tests need, and nothing made
// durable, since it is thrown away.
var settings = map[string]string{
	"wal_level":                 "logical",
	"max_connections":           "200",
	"max_replication_slots":     "60",
	"max_wal_senders":           "60",
	"max_prepared_transactions": "20",
	"fsync":                     "off",
	"full_page_writes":          "off",
	"shared_buffers":            "64MB",
	"timezone":                  "UTC",
}

// timeout bounds each step here: generous, since tests share a small machine.
const timeout = 60 * time.Second

// goodbye is how long a connection may take to end politely.
const goodbye = time.Second

var shared struct {
	mu     sync.Mutex
	server *pgserver.Server
	err    error
}

// Main runs the tests of a package and stops the shared server afterwards,
// whether they passed or not. It returns the exit code.
func Main(m *testing.M) (code int) {
	defer func() {
		if err := stopShared(); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
			code = max(code, 1)
		}
	}()
	return m.Run()
}

// Runner is a testing.M whose Run is Main.
type Runner struct{ M *testing.M }

// Run runs the tests and stops the shared server.
func (r Runner) Run() int { return Main(r.M) }

func stopShared() error {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server == nil {
		return nil
	}
	defer func() { shared.server = nil }()
	return shared.server.Stop(pgserver.Immediate)
}

// Server is the shared server of the test binary. A test that stops or kills
// servers takes one of its own by Start.
func Server(tb testing.TB) *pgserver.Server {
	tb.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server == nil && shared.err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		shared.server, shared.err = pgserver.Start(ctx, pgserver.Options{Settings: settings})
	}
	if shared.err != nil {
		tb.Fatalf("pgtest: %v", shared.err)
	}
	return shared.server
}

// Start starts a server for this test alone, with the shared one's settings
// and these on top; it is stopped at cleanup.
func Start(tb testing.TB, extra map[string]string) *pgserver.Server {
	tb.Helper()
	all := maps.Clone(settings)
	maps.Copy(all, extra)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	s, err := pgserver.Start(ctx, pgserver.Options{Settings: all})
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Stop(pgserver.Immediate); err != nil {
			tb.Errorf("pgtest: %v", err)
		}
	})
	return s
}

// Database makes an empty database on the shared server and returns its URL.
// At cleanup it is dropped with its replication slots and whoever still is
// connected.
func Database(tb testing.TB) string {
	tb.Helper()
	return DatabaseOn(tb, Server(tb))
}

// DatabaseOn is Database on another server.
func DatabaseOn(tb testing.TB, s *pgserver.Server) string {
	tb.Helper()
	name := "t_" + strings.ToLower(rand.Text()[:12])
	Exec(tb, s.URL("postgres"), "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		if err := drop(ctx, s, name); err != nil {
			tb.Errorf("pgtest: drop database %s: %v", name, err)
		}
	})
	return s.URL(name)
}

// Connect opens a connection that is closed at cleanup.
func Connect(tb testing.TB, url string) *pgx.Conn {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		tb.Fatalf("pgtest: connect: %v", err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), goodbye)
		defer cancel()
		_ = conn.Close(ctx) // a test may have had it terminated, or in the middle of a stream
	})
	return conn
}

// Exec runs a script of one or more statements on a connection of its own.
func Exec(tb testing.TB, url, sql string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		tb.Fatalf("pgtest: connect: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
		tb.Fatalf("pgtest: %v\nin: %.500s", err, sql)
	}
}
