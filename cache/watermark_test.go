package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

func TestWaitWakesInOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var w watermark
		const n = 5000
		woken := make(chan lsn, n)
		for _, i := range rand.Perm(n) {
			go func() {
				if err := w.wait(t.Context(), lsn(i+1)); err != nil {
					t.Error(err)
				}
				woken <- lsn(i + 1)
			}()
		}
		synctest.Wait()
		if w.waiting() != n {
			t.Fatalf("%d wait, want %d", w.waiting(), n)
		}
		for at := lsn(100); at <= n; at += 100 {
			w.set(at)
			synctest.Wait()
			if len(woken) != 100 {
				t.Fatalf("%d woken at %d, want 100", len(woken), at)
			}
			for range 100 {
				if got := <-woken; got > at {
					t.Fatalf("woken for %d at %d", got, at)
				}
			}
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var w watermark
		w.set(100)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		err := w.wait(ctx, 150)
		var behind *BehindError
		if !errors.As(err, &behind) || !errors.Is(err, context.DeadlineExceeded) || behind.Have != 100 || behind.Want != 150 {
			t.Errorf("error = %v, want a BehindError", err)
		}
		if w.waiting() != 0 {
			t.Errorf("%d wait still", w.waiting())
		}
		if err := w.wait(ctx, 100); err != nil {
			t.Errorf("a wait for what is there failed: %v", err)
		}
	})
}

func BenchmarkWatermarkSet(b *testing.B) {
	var w watermark
	for i := range 10_000 {
		w.enlist(&waiter{want: lsn(1<<60 + i), ready: make(chan struct{})})
	}
	for i := range b.N {
		w.set(lsn(i))
	}
}
