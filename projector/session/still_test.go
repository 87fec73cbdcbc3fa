package session

import (
	"testing"
	"time"
)

func TestStill(t *testing.T) {
	const most = 2 * time.Second
	start := time.Unix(1000, 0)
	type look struct {
		at    time.Duration // after start
		value string
		want  time.Duration
	}
	for name, looks := range map[string][]look{
		"what moves is never still":             {{0, "a", 0}, {1e9, "b", 0}, {2e9, "c", 0}},
		"what stands still adds up":             {{0, "a", 0}, {1e9, "a", 1e9}, {2e9, "a", 2e9}, {3e9, "b", 0}, {4e9, "b", 1e9}},
		"the observer was frozen for an hour":   {{0, "a", 0}, {1e9, "a", 1e9}, {3600e9, "a", 3e9}, {3601e9, "b", 0}},
		"a clock that goes back takes nothing":  {{10e9, "a", 0}, {11e9, "a", 1e9}, {1e9, "a", 1e9}, {2e9, "a", 2e9}},
		"a value that comes back is a new one":  {{0, "a", 0}, {1e9, "b", 0}, {2e9, "a", 0}, {3e9, "a", 1e9}},
		"the server's clock set back is a move": {{0, "12:00:01", 0}, {1e9, "11:00:02", 0}, {2e9, "11:00:03", 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var s Still
			for i, l := range looks {
				if got := s.Observe(l.value, start.Add(l.at), most); got != l.want {
					t.Errorf("look %d: %s, want %s", i, got, l.want)
				}
			}
		})
	}
}
