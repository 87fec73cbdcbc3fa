package main

import (
	"context"
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestMemoryLimit(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct {
		name               string
		cache, other, want int64
	}{
		{"little beside the cache", 256 * mb, 4 * mb, 256*mb + 256*mb/10 + 32*mb},
		{"the cache counted at more than the heap", 64 * mb, -9 * mb, 64*mb + 64*mb/10 + 32*mb},
		{"much beside the cache", 10 * mb, 300 * mb, 11*mb + 616*mb},
		{"as good as no limit", math.MaxInt64, 0, math.MaxInt64},
	} {
		if got := memoryLimit(c.cache, c.other); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
		if live := c.cache/2 + max(c.other, 0); memoryLimit(c.cache, c.other) < live {
			t.Errorf("%s: the limit is below what lives", c.name)
		}
	}
}

func TestLiveHeap(t *testing.T) {
	block := make([]byte, 32<<20)
	runtime.GC()
	if got := liveHeap(); got < int64(len(block)) {
		t.Errorf("%d bytes live with a block of %d", got, len(block))
	}
	runtime.KeepAlive(block)
}

// What the user has said of memory is left alone, and so is the process once
// the part has ended.
func TestMemoryPart(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	for env, want := range map[string]int64{"": memoryLimit(1<<40, 0), "1GiB": before} {
		a := &app{Main: &Main{Getenv: func(string) string { return env }}}
		ctx, stop := context.WithCancel(t.Context())
		held := func() int64 { return math.MaxInt64 / 2 } // whatever else the tests hold
		done := make(chan error, 1)
		go func() { done <- a.memoryPart(1<<40, held).run(ctx) }()
		for deadline := time.Now().Add(10 * time.Second); debug.SetMemoryLimit(-1) != want; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("GOMEMLIMIT=%s: the limit is %d, want %d", env, debug.SetMemoryLimit(-1), want)
			}
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if after := debug.SetMemoryLimit(-1); after != before {
			t.Errorf("the limit is %d in the end, and was %d", after, before)
		}
	}
}
