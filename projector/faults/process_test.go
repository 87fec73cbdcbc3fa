package faults_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a projector in a process of its own: this test binary again.
type process struct {
	w    *world
	cmd  *exec.Cmd
	out  *output
	done chan struct{} // closed when it has ended
	err  error         // once done is closed
}

func (w *world) spawn(lease time.Duration) *process {
	w.t.Helper()
	p := &process{w: w, cmd: exec.Command(os.Args[0]), out: &output{moved: make(chan struct{})}, done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), envURL+"="+w.cfg.ConnString(), envSlot+"="+w.slot, envLease+"="+lease.String())
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	must(w.t, p.cmd.Start())
	go func() { // done tells
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	w.t.Cleanup(p.kill)
	return p
}

func (p *process) signal(s syscall.Signal) {
	p.w.t.Helper()
	must(p.w.t, p.cmd.Process.Signal(s))
}

// kill ends it at once, frozen or not.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails when it has ended
	<-p.done
}

// terminate asks it to end, and holds that it does so in order and in time.
func (p *process) terminate() {
	p.w.t.Helper()
	began := time.Now()
	p.signal(syscall.SIGTERM)
	<-p.done
	if took := time.Since(began); p.err != nil || took > deadline {
		p.w.t.Errorf("ended after %s: %v", took, p.err)
	}
}

// hears waits for a line of output, after the first so many bytes, that speaks
// of all of them.
func (p *process) hears(mark int, all ...string) string {
	p.w.t.Helper()
	deadline := time.After(patience)
	for {
		text, moved := p.out.since(mark)
		for line := range strings.Lines(text) {
			if mentions(line, all...) {
				return line
			}
		}
		select {
		case <-moved:
		case <-p.done:
			p.w.t.Fatalf("the process ended before it told %q: %v\n%s", all, p.err, text)
		case <-deadline:
			p.w.t.Fatalf("not told within %s: %q; but\n%s", patience, all, text)
		}
	}
}

// output collects what a process prints.
type output struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	moved chan struct{}
}

// Write keeps what was written.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.moved)
	o.moved = make(chan struct{})
	return o.buf.Write(b)
}

func (o *output) since(mark int) (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.buf.Bytes()[mark:]), o.moved
}

func (o *output) mark() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Len()
}
