package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// envRole makes this program one of the processes that a measurement needs
// beside Freshet: its name.
const envRole = "FRESHET_BENCH_ROLE"

// The roles. Each reads one line of JSON, what it is to do, and ends at the
// latest when its input does: so it never outlives the run.
const (
	roleLoad  = "load"  // makes requests, and tells how many were answered
	roleBare  = "bare"  // answers requests with as little as possible
	roleMixed = "mixed" // makes requests and writes
)

// play is the process of a role.
func play(ctx context.Context, role string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	in := bufio.NewReaderSize(stdin, 1<<20)
	line, err := in.ReadBytes('\n')
	if err == nil {
		go func() { // ends with the process
			_, _ = io.Copy(io.Discard, in)
			stop()
		}()
		err = perform(ctx, role, line, stdout)
	}
	if err != nil {
		fmt.Fprintf(stderr, "bench, %s: %v\n", role, err)
		return 1
	}
	return 0
}

func perform(ctx context.Context, role string, line []byte, stdout io.Writer) error {
	switch role {
	case roleLoad:
		var l load
		if err := json.Unmarshal(line, &l); err != nil {
			return err
		}
		answered, err := l.run(ctx)
		if err != nil {
			return err
		}
		return json.NewEncoder(stdout).Encode(answered)
	case roleMixed:
		var m mixed
		if err := json.Unmarshal(line, &m); err != nil {
			return err
		}
		result, err := m.run(ctx)
		if err != nil {
			return err
		}
		return json.NewEncoder(stdout).Encode(result)
	case roleBare:
		var b bare
		if err := json.Unmarshal(line, &b); err != nil {
			return err
		}
		return b.serve(ctx, stdout)
	}
	return fmt.Errorf("there is no role %q", role)
}

// actor is a process of a role, seen from outside.
type actor struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Reader
}

// cast starts a role with its task.
func cast(ctx context.Context, role string, task any) (*actor, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	a := &actor{cmd: exec.CommandContext(ctx, self)}
	a.cmd.Env = append(os.Environ(), envRole+"="+role)
	a.cmd.Stderr = os.Stderr
	if err := a.begin(); err != nil {
		return nil, err
	}
	return a, json.NewEncoder(a.stdin).Encode(task)
}

// begin starts the process, with its input and its output in our hands.
func (a *actor) begin() error {
	var err error
	if a.stdin, err = a.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	a.out = bufio.NewReader(out)
	return a.cmd.Start()
}

// line is the next line that it prints.
func (a *actor) line() (string, error) {
	text, err := a.out.ReadString('\n')
	if err != nil {
		return "", errors.Join(fmt.Errorf("a helper process of the benchmark ended early: %w", err), a.end())
	}
	return strings.TrimSpace(text), nil
}

// end ends the process.
func (a *actor) end() error {
	_ = a.stdin.Close() // it is the signal to end
	return a.cmd.Wait()
}
