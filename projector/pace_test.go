package projector

import (
	"testing"
	"time"
)

func TestPaceFollowsTheRate(t *testing.T) {
	for _, test := range []struct {
		perBatch int
		every    time.Duration
		low, top time.Duration // of the wait
	}{
		{2, 4 * time.Millisecond, 0, 0},                                           // 500 a second
		{3, 4 * time.Millisecond, 4 * time.Millisecond, 7 * time.Millisecond},     // 750
		{15, 15 * time.Millisecond, 14 * time.Millisecond, 15 * time.Millisecond}, // 1,000
		{5000, 50 * time.Millisecond, maxGather, maxGather},
		{1, time.Minute, 0, 0},
	} {
		now := time.Unix(0, 0)
		p := pace{last: now}
		for range 1000 {
			now = now.Add(test.every)
			p.took(test.perBatch, now)
		}
		if w := p.wait(); w < test.low || w > test.top {
			t.Errorf("%d each %s: waits %s, want %s to %s", test.perBatch, test.every, w, test.low, test.top)
		}
	}
}

func TestPaceForgetsABurst(t *testing.T) {
	now := time.Unix(0, 0)
	p := pace{last: now}
	now = now.Add(10 * time.Millisecond)
	p.took(100_000, now)
	if p.wait() != maxGather {
		t.Fatalf("after a burst it waits %s", p.wait())
	}
	for range 3 {
		now = now.Add(time.Second)
		p.took(1, now)
	}
	if p.wait() != 0 {
		t.Fatalf("after three quiet seconds it still waits %s", p.wait())
	}
}
