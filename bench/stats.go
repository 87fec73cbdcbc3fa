package main

import (
	"slices"
	"time"
)

// median is the middle one of some figures, and 0 of none.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// quantile is the time, in milliseconds, that a share of q did not exceed.
func quantile(v []time.Duration, q float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return milliseconds(v[min(len(v)-1, int(q*float64(len(v))))])
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// sides are what two competitors have reached, round by round.
type sides struct{ ours, theirs []float64 }

// values are the medians.
func (s sides) values() (ours, theirs float64) { return median(s.ours), median(s.theirs) }
