package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ledger notes in which order parts end.
type ledger struct {
	mu    sync.Mutex
	ended []string
}

func (l *ledger) part(name string, run func(context.Context) error) part {
	return part{name: name, run: func(ctx context.Context) error {
		err := run(ctx)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.ended = append(l.ended, name)
		return err
	}}
}

func untilDone(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestPartsEndInOrder(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var l ledger
	cancel()
	slow := func(ctx context.Context) error {
		<-ctx.Done()
		time.Sleep(20 * time.Millisecond) // drains
		return nil
	}
	if err := supervise(ctx, time.Minute, l.part("api", slow), l.part("projector", slow), l.part("feed", untilDone)); err != nil {
		t.Error(err)
	}
	if got := strings.Join(l.ended, " "); got != "api projector feed" {
		t.Errorf("ended: %s", got)
	}
}

func TestOneFailureEndsAll(t *testing.T) {
	var l ledger
	broken := errors.New("broken")
	err := supervise(t.Context(), time.Minute, l.part("api", untilDone),
		l.part("projector", func(context.Context) error { return broken }))
	if !errors.Is(err, broken) || len(l.ended) != 2 {
		t.Errorf("%v; ended: %v", err, l.ended)
	}
}

func TestFailureWhileDrainingIsTold(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	unconfirmed := errors.New("could not confirm")
	err := supervise(ctx, time.Minute, part{name: "projector", run: func(ctx context.Context) error {
		<-ctx.Done()
		return unconfirmed
	}})
	if !errors.Is(err, unconfirmed) {
		t.Error(err)
	}
}

func TestGraceRunsOut(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	release := make(chan struct{})
	defer close(release)
	err := supervise(ctx, 10*time.Millisecond, part{name: "projector", run: func(context.Context) error {
		<-release
		return nil
	}})
	if err == nil || !strings.Contains(err.Error(), "the projector did not end within") {
		t.Error(err)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	exits := make(chan int, 1)
	m := &Main{Exit: func(code int) { exits <- code }}
	ctx, stop := m.untilSignal(t.Context())
	defer stop()
	interrupt := func() {
		if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
	}
	interrupt()
	<-ctx.Done()
	interrupt()
	select {
	case code := <-exits:
		if code != exitFound {
			t.Errorf("exit code %d", code)
		}
	case <-time.After(10 * time.Second):
		t.Error("still there")
	}
}
