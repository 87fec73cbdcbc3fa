// Package pgserver runs throwaway Postgres servers from the binaries that the
// machine has: for the demo, the tests and the benchmarks.
//
// Guarantees: a server that Start returned accepts connections; it listens on
// the loopback interface only; it never outlives its parent on Linux, and
// everywhere its data goes away with Stop, or with the next Start when the
// parent was killed. The signals of a terminal do not reach it, so whoever
// uses it can drain first.
package pgserver

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5"
)

// Options say how to run a server. The zero value is a fine one.
type Options struct {
	// Dir is where the cluster lives: it is kept by Stop, and used as it is
	// when it holds a cluster already. Empty: a temporary directory that Stop
	// removes.
	Dir string
	// Port to listen on. 0: a free one.
	Port int
	// Settings go into postgresql.conf.
	Settings map[string]string
	// BinDir holds postgres and initdb. Empty: FindBinDir.
	BinDir string
	// Superuser is the name of the first role. Empty: postgres. It needs no password.
	Superuser string
}

// How Halt, Stop and Restart end the server.
const (
	Fast      = "fast"      // ends the sessions, writes a checkpoint
	Immediate = "immediate" // as a crash of all its processes, orderly for the operating system
)

// startTimeout bounds each start, and stopTimeout each end, of a postmaster.
const (
	startTimeout = 60 * time.Second
	stopTimeout  = 60 * time.Second
)

// Server is a Postgres server of ours. Its methods may be called by several
// goroutines.
type Server struct {
	opts    Options
	bin     string
	account *account // who it runs as; nil: ourselves
	home    *home
	port    int

	mu   sync.Mutex
	proc *process // nil when down
}

// Start makes a cluster and starts it. When the process runs as root the
// server runs as postgres or nobody, since Postgres refuses root.
func Start(ctx context.Context, opts Options) (*Server, error) {
	s, err := prepare(opts)
	if err != nil {
		return nil, err
	}
	if err := s.create(ctx); err != nil {
		return nil, errors.Join(err, s.home.remove())
	}
	return s, nil
}

func prepare(opts Options) (*Server, error) {
	if opts.Superuser == "" {
		opts.Superuser = "postgres"
	}
	bin := opts.BinDir
	if bin == "" {
		found, err := FindBinDir()
		if err != nil {
			return nil, err
		}
		bin = found
	}
	account, err := serverAccount()
	if err != nil {
		return nil, err
	}
	home, err := makeHome(opts.Dir, account)
	if err != nil {
		return nil, err
	}
	return &Server{opts: opts, bin: bin, account: account, home: home}, nil
}

// portTries is how often another free port is tried, since one that was free
// a moment ago may be taken when the server binds it.
const portTries = 5

func (s *Server) create(ctx context.Context) error {
	if err := s.initdb(ctx); err != nil {
		return err
	}
	for try := 1; ; try++ {
		if err := s.configure(); err != nil {
			return err
		}
		err := s.Resume(ctx)
		if err == nil {
			return nil
		}
		taken := s.opts.Port == 0 && strings.Contains(err.Error(), "could not create any TCP/IP sockets")
		if !taken || try == portTries {
			return err
		}
	}
}

// URL is the connection string of a database of the server, as superuser.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.User(s.opts.Superuser),
		Host:     fmt.Sprintf("127.0.0.1:%d", s.port),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Port is the TCP port on 127.0.0.1; it stays over restarts.
func (s *Server) Port() int { return s.port }

// Dir is the directory that holds the data and the log.
func (s *Server) Dir() string { return s.home.dir }

// BinDir is where the server's programs are.
func (s *Server) BinDir() string { return s.bin }

// Log returns what the server has logged so far.
func (s *Server) Log() string {
	text, err := os.ReadFile(s.home.log())
	if err != nil {
		return ""
	}
	return string(text)
}

// Resume starts a server that is down, on its old port and data, and waits
// until it accepts connections. It does nothing when the server is up.
func (s *Server) Resume(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil && !s.proc.ended() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	proc, err := startProcess(filepath.Join(s.bin, "postgres"), []string{"-D", s.home.data()}, s.home, s.account)
	if err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	if err := s.awaitReady(ctx, proc); err != nil {
		proc.kill()
		return err
	}
	s.proc = proc
	return nil
}

// awaitReady connects until it works or the server gives up.
func (s *Server) awaitReady(ctx context.Context, proc *process) error {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval = 10 * time.Millisecond
	wait.MaxInterval = 200 * time.Millisecond
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		if proc.ended() {
			return struct{}{}, backoff.Permanent(errors.New("it ended"))
		}
		return struct{}{}, s.probe(ctx)
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(startTimeout))
	if err != nil {
		return fmt.Errorf("start postgres: %w; its log ends:\n%s", err, lastLines(s.Log(), 20))
	}
	return nil
}

func (s *Server) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("template1"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// Halt ends the server in the way of mode, Fast or Immediate, and keeps its
// data for Resume. It does nothing when the server is down.
func (s *Server) Halt(mode string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return nil
	}
	defer func() { s.proc = nil }()
	return s.proc.stop(mode)
}

// Restart is Halt and Resume.
func (s *Server) Restart(mode string) error {
	if err := s.Halt(mode); err != nil {
		return err
	}
	return s.Resume(context.Background())
}

// Kill ends all processes of the server with SIGKILL, as a power cut would,
// and keeps the data for Resume.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		s.proc.kill()
		s.proc = nil
	}
	return nil
}

// Stop ends the server for good and removes its temporary directory. It may
// be called twice.
func (s *Server) Stop(mode string) error {
	err := s.Halt(mode)
	return errors.Join(err, s.home.remove())
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
