package projector

import (
	"context"
	"time"
)

// A batch costs something however little is in it: a snapshot, a marker, a
// commit. Where few transactions come, that buys freshness. Where many come,
// it takes the processor from those who write them, and from the documents:
// then transactions are gathered for a few milliseconds first.
const (
	// gatherFrom is from how many transactions a second they are gathered, and
	// gatherFull at how many for as long as maxGather.
	gatherFrom, gatherFull = 600, 1000
	maxGather              = 15 * time.Millisecond
	// paceWindow is over how long the rate is taken.
	paceWindow = 500 * time.Millisecond
)

// pace knows how fast transactions come.
type pace struct {
	rate float64 // a second
	last time.Time
}

// took books the transactions of a batch that has committed at now.
func (p *pace) took(transactions int, now time.Time) {
	since := now.Sub(p.last)
	p.last = now
	if since <= 0 {
		return
	}
	weight := min(1, float64(since)/float64(paceWindow))
	p.rate += weight * (float64(transactions)/since.Seconds() - p.rate)
}

// wait is how long to gather.
func (p *pace) wait() time.Duration {
	part := (p.rate - gatherFrom) / (gatherFull - gatherFrom)
	return time.Duration(min(max(part, 0), 1) * float64(maxGather))
}

// gather lets transactions come together. Somebody who waits for the watermark
// is not kept waiting.
func (l *loop) gather(ctx context.Context) {
	wait := l.pace.wait()
	if wait <= 0 || l.asked {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for !l.asked {
		select {
		case ev := <-l.events:
			l.receive(ev, nil)
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
