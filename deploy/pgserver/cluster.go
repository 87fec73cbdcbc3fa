package pgserver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
)

// initdb makes the cluster, unless the directory holds one already. Its
// locale is C: sorted the same everywhere.
func (s *Server) initdb(ctx context.Context) error {
	if exists(filepath.Join(s.home.data(), "PG_VERSION")) {
		return nil
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"),
		"--pgdata", s.home.data(), "--username", s.opts.Superuser, "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C", "--no-sync")
	cmd.Dir = s.home.dir
	cmd.Env = cleanEnv()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.account.credential()}
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return fmt.Errorf("initdb: %w", ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("initdb: %w:\n%s", err, lastLines(string(out), 10))
	}
	return nil
}

// configure writes our part of postgresql.conf, with a port.
func (s *Server) configure() error {
	s.port = s.opts.Port
	if s.port == 0 {
		port, err := freePort()
		if err != nil {
			return err
		}
		s.port = port
	}
	settings := map[string]string{
		"logging_collector": "off",
		"log_destination":   "stderr",
	}
	for name, value := range s.opts.Settings {
		settings[name] = value
	}
	settings["listen_addresses"] = "127.0.0.1"
	settings["port"] = strconv.Itoa(s.port)
	settings["unix_socket_directories"] = s.home.dir
	return s.include(render(settings))
}

// include keeps our settings in a file of their own, read after the rest of
// postgresql.conf.
func (s *Server) include(text string) error {
	main := filepath.Join(s.home.data(), "postgresql.conf")
	ours := filepath.Join(s.home.data(), "freshet.conf")
	if err := os.WriteFile(ours, []byte(text), 0o644); err != nil {
		return fmt.Errorf("configure postgres: %w", err)
	}
	old, err := os.ReadFile(main)
	if err != nil {
		return fmt.Errorf("configure postgres: %w", err)
	}
	line := "include 'freshet.conf'\n"
	if strings.HasSuffix(string(old), line) {
		return nil
	}
	if err := os.WriteFile(main, append(old, []byte("\n"+line)...), 0o600); err != nil {
		return fmt.Errorf("configure postgres: %w", err)
	}
	return nil
}

func render(settings map[string]string) string {
	names := make([]string, 0, len(settings))
	for name := range settings {
		names = append(names, name)
	}
	sort.Strings(names)
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "%s = '%s'\n", name, strings.ReplaceAll(settings[name], "'", "''"))
	}
	return b.String()
}

// freePort picks a port below those that systems hand out to clients, so that
// it is still free when a server comes back after a restart.
func freePort() (int, error) {
	const first, last = 20000, 32000
	for range 200 {
		port := first + rand.IntN(last-first)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		if err := l.Close(); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free TCP port between %d and %d on 127.0.0.1", first, last)
}

// cleanEnv is the environment without the PG… variables that would steer the
// server's programs.
func cleanEnv() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PG") && !strings.HasPrefix(v, "LC_") && !strings.HasPrefix(v, "LANG") {
			env = append(env, v)
		}
	}
	return append(env, "LC_ALL=C")
}
