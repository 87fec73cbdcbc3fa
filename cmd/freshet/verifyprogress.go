package main

import (
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progress shows how far a comparison is: a bar for each read model on a
// terminal, and a line every ten seconds elsewhere. It is used by one
// goroutine.
type progress struct {
	out      io.Writer
	terminal bool

	said  time.Time
	all   *mpb.Progress
	model string
	bar   *mpb.Bar
}

// step tells that so many documents of about so many are compared.
func (p *progress) step(model string, compared, of int64) {
	if !p.terminal {
		p.line(model, compared, of)
		return
	}
	if p.all == nil {
		p.all = mpb.New(mpb.WithOutput(p.out), mpb.WithWidth(40), mpb.WithRefreshRate(120*time.Millisecond))
	}
	if p.model != model {
		p.finish()
		p.model, p.bar = model, p.newBar(model)
	}
	p.bar.SetTotal(of, false)
	p.bar.SetCurrent(compared)
}

func (p *progress) newBar(model string) *mpb.Bar {
	run := &pace{began: time.Now()}
	return p.all.AddBar(0,
		mpb.PrependDecorators(decor.Name(model, decor.WCSyncSpaceR), decor.Any(rows, decor.WCSyncSpace)),
		mpb.AppendDecorators(decor.Any(run.rate, decor.WCSyncSpace), decor.OnComplete(decor.Any(run.left, decor.WCSyncSpace), "done")))
}

func (p *progress) line(model string, compared, of int64) {
	if p.said.IsZero() {
		p.said = time.Now() // it has only begun
	}
	if time.Since(p.said) < 10*time.Second {
		return
	}
	p.said = time.Now()
	fmt.Fprintf(p.out, "%s: %s of about %s compared\n", model, humanize.Comma(compared), humanize.Comma(of))
}

// finish completes the bar of the read model before.
func (p *progress) finish() {
	if p.bar != nil {
		p.bar.SetTotal(p.bar.Current(), true)
	}
}

// close leaves the bars on the screen and gives the terminal back. The last
// one is complete, unless the comparison was interrupted.
func (p *progress) close(interrupted bool) {
	if p.all == nil {
		return
	}
	if interrupted {
		p.bar.Abort(false)
	}
	p.finish()
	p.all.Wait()
}
