package soak

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
)

// process keeps one projector process, and notices when it ends by itself.
type process struct {
	command func() *exec.Cmd

	mu      sync.Mutex
	cmd     *exec.Cmd
	ended   chan struct{} // closed when cmd has ended
	killed  bool          // by us
	retired bool          // it is not started again
	failure error         // why cmd ended by itself
	out     *tail         // what cmd has printed
}

func newProcess(command func() *exec.Cmd) *process { return &process{command: command} }

// start begins a new process. One must not be running. It does nothing once
// the process is retired.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.retired {
		return nil
	}
	cmd := p.command()
	out := &tail{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start projector: %w", err)
	}
	p.cmd, p.out, p.killed, p.ended = cmd, out, false, make(chan struct{})
	go p.wait(cmd, out, p.ended) // ends with the process: kill and stop wait for it
	return nil
}

func (p *process) wait(cmd *exec.Cmd, out *tail, ended chan struct{}) {
	err := cmd.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.killed {
		p.failure = fmt.Errorf("the projector ended by itself: %w; its last output:\n%s", orExit(err), out)
	}
	close(ended)
}

func orExit(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// kill sends SIGKILL and waits for the end.
func (p *process) kill() error {
	p.mu.Lock()
	if p.cmd == nil {
		p.mu.Unlock()
		return nil
	}
	p.killed = true
	err := p.cmd.Process.Kill()
	ended := p.ended
	p.mu.Unlock()
	<-ended
	if p.failure != nil {
		return p.failure
	}
	return err
}

// retire kills the process for good.
func (p *process) retire() error {
	p.mu.Lock()
	p.retired = true
	p.mu.Unlock()
	return p.kill()
}

// signal sends a signal to the process, if it runs.
func (p *process) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Signal(sig) // one that has ended needs none
	}
}

// pid returns the id of the running process, or 0.
func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || p.cmd.Process == nil {
		return 0
	}
	select {
	case <-p.ended:
		return 0
	default:
		return p.cmd.Process.Pid
	}
}

// stop kills what is running, if anything is.
func (p *process) stop() {
	_ = p.kill() // a failure of its own was, or is, the run's error
}

// err returns why the process ended by itself, or nil.
func (p *process) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failure
}

// said returns the last output.
func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out == nil {
		return ""
	}
	return p.out.String()
}

// tail keeps the last output of a process.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailSize = 8 << 10

// Write keeps the end of what was written.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - tailSize; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(b), nil
}

// String returns what is kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.buf))
}
