package main

import (
	"io"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"freshet/projector"
)

// bars show a backfill on a terminal: for each read model rows, rate and time
// left. They are on the screen from its first event until it is over.
type bars struct {
	out  *sink
	mu   sync.Mutex
	all  *mpb.Progress // nil while nothing is shown
	one  map[string]*mpb.Bar
	back io.Writer // where the sink went before
}

func newBars(out *sink) *bars { return &bars{out: out} }

func (b *bars) events() projector.Events {
	return projector.Events{
		Backfill: b.backfill,
		State: func(s projector.State, _ string) {
			if s != projector.Backfilling {
				b.close()
			}
		},
	}
}

func (b *bars) backfill(e projector.BackfillEvent) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all == nil {
		b.open()
	}
	one := b.one[e.Model]
	if one == nil {
		one = b.newBar(e)
		b.one[e.Model] = one
	}
	one.SetCurrent(e.Documents)
	if e.Done {
		one.SetTotal(e.Documents, true)
	}
}

func (b *bars) open() {
	b.back = b.out.through(io.Discard)
	b.all = mpb.New(mpb.WithOutput(b.back), mpb.WithWidth(40), mpb.WithRefreshRate(120*time.Millisecond))
	b.one = map[string]*mpb.Bar{}
	b.out.through(b.all)
}

func (b *bars) newBar(e projector.BackfillEvent) *mpb.Bar {
	p := &pace{began: time.Now().Add(-e.Elapsed), from: e.Documents}
	return b.all.AddBar(max(0, e.Estimate),
		mpb.PrependDecorators(decor.Name(e.Model, decor.WCSyncSpaceR), decor.Any(rows, decor.WCSyncSpace)),
		mpb.AppendDecorators(decor.Any(p.rate, decor.WCSyncSpace), decor.OnComplete(decor.Any(p.left, decor.WCSyncSpace), "done")))
}

func rows(s decor.Statistics) string {
	if s.Total <= 0 {
		return humanize.Comma(s.Current)
	}
	return humanize.Comma(s.Current) + " / " + humanize.Comma(s.Total)
}

// pace is how fast a bar goes on, from the rows that it began with: those
// that an earlier run had done are not its merit.
type pace struct {
	began time.Time
	ended time.Time // once it is complete
	from  int64
}

func (p *pace) perSecond(s decor.Statistics) float64 {
	now := time.Now()
	if s.Completed && p.ended.IsZero() {
		p.ended = now
	}
	if !p.ended.IsZero() {
		now = p.ended
	}
	return float64(s.Current-p.from) / max(now.Sub(p.began).Seconds(), 1e-3)
}

func (p *pace) rate(s decor.Statistics) string {
	if s.Current == p.from {
		return "-"
	}
	return humanize.Comma(int64(p.perSecond(s))) + "/s"
}

func (p *pace) left(s decor.Statistics) string {
	if s.Current == p.from || s.Total <= 0 {
		return "-"
	}
	seconds := float64(s.Total-s.Current) / p.perSecond(s)
	return time.Duration(seconds*float64(time.Second)).Round(time.Second).String() + " left"
}

// close leaves the bars on the screen as they are and gives the terminal
// back. It may be called at any time.
func (b *bars) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all == nil {
		return
	}
	for _, one := range b.one {
		one.Abort(false) // does nothing to one that is complete
	}
	b.out.through(b.back)
	b.all.Wait()
	b.all = nil
}
