package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// result is what the tests of one version came to. Subtests are counted with
// their test.
type result struct {
	server  server
	passed  int
	failed  []*outcome
	skipped []*outcome
	took    time.Duration
	exit    error // of go test
}

// outcome is a test, or a package that failed outside of one, with what it
// printed.
type outcome struct {
	name   string
	output strings.Builder
}

func (r *result) good() bool { return len(r.failed) == 0 && r.exit == nil }

// event is a line of go test -json.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// test runs the packages, one at a time, on one server. Its error is that they
// could not be run.
func test(ctx context.Context, s server, f flags) (*result, error) {
	args := []string{"test", "-json", "-p", "1", "-count", "1", "-timeout", f.timeout.String()}
	if f.race {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, f.packages...)...)
	cmd.Env = append(os.Environ(), "FRESHET_PG_BIN="+s.binDir)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("run go test: %w", err)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("run go test: %w", err)
	}
	r := &result{server: s}
	readErr := r.read(out)
	r.exit = cmd.Wait()
	r.took = time.Since(began)
	return r, errors.Join(readErr, ctx.Err())
}

// read books the events until there are no more.
func (r *result) read(out io.Reader) error {
	open := make(map[string]*outcome)
	lines := json.NewDecoder(out)
	for {
		var e event
		if err := lines.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read what go test says: %w", err)
		}
		r.book(open, e)
	}
}

func (r *result) book(open map[string]*outcome, e event) {
	top, _, _ := strings.Cut(e.Test, "/")
	name := strings.TrimSpace(e.Package + " " + top)
	if open[name] == nil {
		open[name] = &outcome{name: name}
	}
	o := open[name]
	switch {
	case e.Action == "build-output":
		fmt.Fprint(os.Stderr, e.Output)
	case e.Action == "output":
		o.output.WriteString(e.Output)
	case e.Test != top: // a subtest
	case e.Action == "pass" && e.Test != "":
		r.passed++
	case e.Action == "skip" && e.Test != "":
		r.skipped = append(r.skipped, o)
	case e.Action == "fail" && (e.Test != "" || !r.failedIn(e.Package)):
		r.failed = append(r.failed, o)
	}
}

// failedIn says whether a test of the package failed, which is then why the
// package did.
func (r *result) failedIn(pkg string) bool {
	for _, o := range r.failed {
		if strings.HasPrefix(o.name, pkg+" ") {
			return true
		}
	}
	return false
}

// tell prints what failed, and why what was skipped was.
func (r *result) tell(w io.Writer) {
	for _, o := range r.failed {
		fmt.Fprintf(w, "FAIL %s\n%s\n", o.name, o.output.String())
	}
	for _, o := range r.skipped {
		fmt.Fprintf(w, "skip %s: %s\n", o.name, reason(o.output.String()))
	}
	if r.exit != nil && len(r.failed) == 0 {
		fmt.Fprintf(w, "FAIL go test: %v\n", r.exit)
	}
}

// reason is the line in which a test said why it is skipped.
func reason(output string) string {
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			return line
		}
	}
	return "no reason given"
}
