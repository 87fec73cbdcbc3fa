package session

import "time"

// Still measures for how long something has stood still, by looking at it now
// and then. It asks no clock that somebody may set: now is only ever compared
// with an earlier now of the same process, and what is looked at only for being
// the same or not.
//
// A gap between two looks counts for at most the given most. So an observer
// that was itself frozen, or cut off, does not take its own absence for the
// silence of the other.
type Still struct {
	value string
	at    time.Time
	total time.Duration
}

// Observe returns for how long value has been the same, by the looks so far.
func (s *Still) Observe(value string, now time.Time, most time.Duration) time.Duration {
	if s.at.IsZero() || value != s.value {
		*s = Still{value: value, at: now}
		return 0
	}
	s.total += max(0, min(now.Sub(s.at), most))
	s.at = now
	return s.total
}
