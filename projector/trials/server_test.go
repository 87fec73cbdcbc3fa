package trials

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver"
)

func killProcess(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }

// reachable says whether the database accepts connections.
func (w *world) reachable() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, w.url)
	if err != nil {
		return false
	}
	return conn.Close(ctx) == nil
}

// backup copies a running server with pg_basebackup, as it is backed up, or as
// a standby is made of it. The copy is a directory for pgserver.Options.Dir.
func (w *world) backup(options ...string) (dir string) {
	w.t.Helper()
	program := filepath.Join(w.server.BinDir(), "pg_basebackup")
	if _, err := os.Stat(program); err != nil {
		w.t.Skipf("this machine has no pg_basebackup: %v", err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(w.server.Dir()), "freshet-copy-")
	must(w.t, err)
	w.t.Cleanup(func() { _ = os.RemoveAll(dir) }) // a temporary directory
	args := append([]string{"--pgdata", filepath.Join(dir, "data"), "--checkpoint", "fast", "--dbname", w.server.URL("postgres")}, options...)
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		w.t.Fatalf("pg_basebackup: %v: %s", err, out)
	}
	give(w.t, dir, w.server.Dir())
	return dir
}

// give has everything in dir belong to whom another directory belongs to: the
// server runs as another user where we are root.
func give(t *testing.T, dir, like string) {
	t.Helper()
	info, err := os.Stat(like)
	must(t, err)
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Skip("this system does not tell who owns a directory")
	}
	must(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(owner.Uid), int(owner.Gid))
	}))
}

// serve starts a server on a copy, on a port; 0: any.
func serve(t *testing.T, dir string, port int) *pgserver.Server {
	t.Helper()
	s, err := pgserver.Start(context.Background(), pgserver.Options{Dir: dir, Port: port, Settings: map[string]string{
		"wal_level": "logical", "max_connections": "200", "max_replication_slots": "60", "max_wal_senders": "60",
		"max_prepared_transactions": "20", "fsync": "off", "shared_buffers": "64MB", "timezone": "UTC"}})
	must(t, err)
	t.Cleanup(func() {
		if err := s.Stop(pgserver.Immediate); err != nil {
			t.Error(err)
		}
	})
	return s
}
