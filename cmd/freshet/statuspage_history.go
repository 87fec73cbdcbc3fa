package main

import (
	"math"
	"time"
)

// historyLength is how many seconds the page looks back.
const historyLength = 300

// sample is what happened in one second. Counts are by the second, whatever
// the sample's exact length.
type sample struct {
	At        time.Time `json:"at"` // its end
	Commits   float64   `json:"commits"`
	Written   float64   `json:"written"`   // documents
	Unchanged float64   `json:"unchanged"` // documents rebuilt and found as they were
	Deleted   float64   `json:"deleted"`
	// P50MS and P99MS are the freshness of the commits applied in it, in
	// milliseconds; null without any.
	P50MS *float64 `json:"p50Ms"`
	P99MS *float64 `json:"p99Ms"`

	received uint64 // position in the stream
	times    histogram
}

// freshness is the time from a source transaction's commit to the commit of
// the batch that applied it, over the last WindowSeconds.
type freshness struct {
	WindowSeconds int      `json:"windowSeconds"`
	Commits       int64    `json:"commits"`
	P50MS         *float64 `json:"p50Ms"`
	P99MS         *float64 `json:"p99Ms"`
}

// histogram counts times in buckets that grow by an eighth of an octave from
// 50 µs: quantiles are right within 5 %, up to a minute and a half.
type histogram [168]uint32

const histogramBase = 50e-6

func (h *histogram) add(d time.Duration) {
	i := 0
	if s := d.Seconds(); s > histogramBase {
		i = min(int(math.Log2(s/histogramBase)*8), len(h)-1)
	}
	h[i]++
}

func (h *histogram) merge(o *histogram) {
	for i, n := range o {
		h[i] += n
	}
}

func (h *histogram) count() (n int64) {
	for _, c := range h {
		n += int64(c)
	}
	return n
}

// quantile is in milliseconds, nil without any times.
func (h *histogram) quantile(q float64) *float64 {
	all := h.count()
	if all == 0 {
		return nil
	}
	rank, seen := max(int64(math.Ceil(q*float64(all))), 1), int64(0)
	for i, c := range h {
		if seen += int64(c); seen >= rank {
			ms := math.Round(histogramBase*math.Exp2((float64(i)+0.5)/8)*1e5) / 100
			return &ms
		}
	}
	return nil // not reached
}

// history is a ring of samples.
type history struct {
	ring [historyLength]sample
	n    int64 // samples ever taken
}

func (h *history) add(s sample) {
	h.ring[h.n%historyLength] = s
	h.n++
}

// since returns the samples from number n on that are still held, the oldest
// first.
func (h *history) since(n int64) []sample {
	n = max(n, h.n-historyLength, 0)
	out := make([]sample, 0, max(h.n-n, 0))
	for ; n < h.n; n++ {
		out = append(out, h.ring[n%historyLength])
	}
	return out
}

// freshness is over the last given number of samples.
func (h *history) freshness(samples int) freshness {
	var sum histogram
	for n := max(h.n-int64(min(samples, historyLength)), 0); n < h.n; n++ {
		sum.merge(&h.ring[n%historyLength].times)
	}
	return freshness{WindowSeconds: samples, Commits: sum.count(), P50MS: sum.quantile(0.5), P99MS: sum.quantile(0.99)}
}

// pace is bytes received by the second over the last ten.
func (h *history) pace() float64 {
	last := h.since(h.n - 11)
	if len(last) < 3 {
		return 0
	}
	a, b := last[0], last[len(last)-1]
	if a.received == 0 || b.received < a.received {
		return 0
	}
	return float64(b.received-a.received) / max(b.At.Sub(a.At).Seconds(), 0.1)
}
