package pgserver_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"freshet/deploy/pgserver"
)

const childEnv = "FRESHET_PGSERVER_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
	}
	goleak.VerifyTestMain(m)
}

// child starts a server, prints where, and waits to be killed.
func child() {
	s, err := pgserver.Start(context.Background(), pgserver.Options{})
	if err != nil {
		os.Stdout.WriteString("error: " + err.Error())
		os.Exit(1)
	}
	os.Stdout.WriteString(s.Dir() + " " + s.URL("postgres") + "\n")
	time.Sleep(time.Hour)
}

func start(t *testing.T, opts pgserver.Options) *pgserver.Server {
	t.Helper()
	s, err := pgserver.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(pgserver.Immediate); err != nil {
			t.Error(err)
		}
	})
	return s
}

func query(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var text string
	if err := conn.QueryRow(t.Context(), sql).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

func exec1(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestServerLives(t *testing.T) {
	s := start(t, pgserver.Options{Settings: map[string]string{"wal_level": "logical", "application_name": "it's"}})
	url := s.URL("postgres")
	if got := query(t, url, "SHOW wal_level"); got != "logical" {
		t.Errorf("wal_level is %s", got)
	}
	exec1(t, url, "CREATE TABLE kept AS SELECT 'here'::text AS v")
	if err := s.Restart(pgserver.Fast); err != nil {
		t.Fatal(err)
	}
	if got := query(t, url, "SELECT v FROM kept"); got != "here" {
		t.Errorf("after a restart: %q", got)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := pgx.Connect(t.Context(), url); err == nil {
		t.Error("it answers after Kill")
	}
	if err := s.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := query(t, url, "SELECT v FROM kept"); got != "here" {
		t.Errorf("after a kill: %q", got)
	}
	for range 2 {
		if err := s.Stop(pgserver.Fast); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(s.Dir()); !os.IsNotExist(err) {
		t.Errorf("Stop left %s: %v", s.Dir(), err)
	}
}

func TestBadSettingShowsTheLog(t *testing.T) {
	_, err := pgserver.Start(t.Context(), pgserver.Options{Settings: map[string]string{"wal_level": "sideways"}})
	if err == nil || !strings.Contains(err.Error(), "sideways") {
		t.Errorf("got %v", err)
	}
}

func TestKeptDirectory(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "freshet-kept-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for round := range 2 {
		s, err := pgserver.Start(t.Context(), pgserver.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			exec1(t, s.URL("postgres"), "CREATE TABLE kept AS SELECT 1")
		} else if got := query(t, s.URL("postgres"), "SELECT count(*)::text FROM kept"); got != "1" {
			t.Errorf("kept has %s rows", got)
		}
		if err := s.Stop(pgserver.Fast); err != nil {
			t.Fatal(err)
		}
	}
}

// A parent that is killed takes its server with it, and the next start clears
// its directory away.
func TestParentKilled(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := out.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	dir, url, _ := strings.Cut(strings.TrimSpace(string(buf[:n])), " ")
	if !filepath.IsAbs(dir) {
		t.Fatalf("child said %q", buf[:n])
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if !eventually(func() bool { _, err := pgx.Connect(t.Context(), url); return err != nil }) {
		t.Error("the server survived its parent")
	}
	start(t, pgserver.Options{})
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s was not swept: %v", dir, err)
	}
}

func eventually(ok func() bool) bool {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return false
}

func TestFindBinDir(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("FRESHET_PG_BIN", dir)
	if _, err := pgserver.FindBinDir(); err == nil {
		t.Error("an empty FRESHET_PG_BIN was taken")
	}
	for _, name := range []string{"initdb", "postgres"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := pgserver.FindBinDir(); err != nil || got != dir {
		t.Errorf("got %s, %v", got, err)
	}
}
