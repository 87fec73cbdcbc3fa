package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"freshet/cache"
	"freshet/examples/blog"
)

// service is a process of the freshet binary.
type service struct {
	cmd     *exec.Cmd
	log     bytes.Buffer // what it logs, at warn and above
	done    chan error   // gets the process's end
	graphql string       // host:port
	admin   string       // host:port
}

// build makes the binary once a run.
func (w *world) build(ctx context.Context) error {
	if w.binary != "" {
		return nil
	}
	binary := filepath.Join(w.dir, "freshet")
	out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, "freshet/cmd/freshet").CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build freshet/cmd/freshet: %w\n%s", err, out)
	}
	w.binary = binary
	return os.WriteFile(w.modelFile(), []byte(blog.Model), 0o644)
}

func (w *world) modelFile() string { return filepath.Join(w.dir, "model.graphql") }

// start runs a command of freshet on a database, and waits until it is ready.
func (w *world) start(ctx context.Context, database string, args ...string) (*service, error) {
	if err := w.build(ctx); err != nil {
		return nil, err
	}
	s := &service{done: make(chan error, 1)}
	var err error
	if s.graphql, err = freeAddress(); err != nil {
		return nil, err
	}
	if s.admin, err = freeAddress(); err != nil {
		return nil, err
	}
	args = append(args, "--database-url", w.server.URL(database), "--model", w.modelFile(), "--slot", database,
		"--admin", s.admin, "--log-level", "warn")
	if args[0] != "projector" {
		args = append(args, "--listen", s.graphql)
	}
	s.cmd = exec.CommandContext(ctx, w.binary, args...)
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.WaitDelay = 15 * time.Second
	s.cmd.Stderr = &s.log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	w.services = append(w.services, s)
	go func() { s.done <- s.cmd.Wait() }() // stop takes it
	return s, s.await(ctx)
}

// freeAddress is one that nobody listens on now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// await waits until the process streams, serves, or both.
func (s *service) await(ctx context.Context) error {
	for {
		if st, err := s.status(ctx); err == nil && st.Ready && (st.Projector == nil || st.Projector.State == "streaming") {
			return nil
		}
		select {
		case err := <-s.done:
			s.done <- err
			return fmt.Errorf("freshet ended early: %v\n%s", err, s.log.String())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop ends the process in good order.
func (s *service) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended: Wait tells
	select {
	case err := <-s.done:
		s.done <- err
		if err != nil {
			return fmt.Errorf("freshet: %w\n%s", err, s.log.String())
		}
		return nil
	case <-time.After(20 * time.Second):
		_ = s.cmd.Process.Kill() // as above
		return fmt.Errorf("freshet did not end within 20 s; killed\n%s", s.log.String())
	}
}

// status is what is read of /status.
type status struct {
	Ready     bool
	Projector *struct {
		State     string
		Watermark string
	}
	API *struct{ Cache cache.Stats }
}

func (s *service) status(ctx context.Context) (status, error) {
	var st status
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.admin+"/status", nil)
	if err != nil {
		return st, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return st, err
	}
	defer res.Body.Close()
	return st, json.NewDecoder(res.Body).Decode(&st)
}

// resident returns the process's memory now and at its highest, in MB; zeros
// where the system does not tell.
func (s *service) resident() (now, peak float64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		kb, _ := strconv.ParseFloat(f[1], 64) // other lines hold no number
		switch f[0] {
		case "VmRSS:":
			now = kb / 1024
		case "VmHWM:":
			peak = kb / 1024
		}
	}
	return now, peak
}
