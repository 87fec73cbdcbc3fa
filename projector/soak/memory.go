package soak

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// resident returns the resident memory of a process in bytes, as Linux tells
// it; 0 elsewhere, and for a process that is gone.
func resident(pid int) int64 {
	if pid == 0 {
		return 0
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10
		}
	}
	return 0
}

// quarters keeps the most memory seen in each quarter of a run: growth would
// show from one to the next.
type quarters struct {
	began time.Time
	whole time.Duration
	most  [4]int64
}

func (q *quarters) add(bytes int64) {
	n := min(3, max(0, int(4*time.Since(q.began)/max(q.whole, 1))))
	q.most[n] = max(q.most[n], bytes)
}

// String lists the quarters.
func (q *quarters) String() string {
	var parts []string
	for _, n := range q.most {
		parts = append(parts, fmt.Sprintf("%.0f", float64(n)/1e6))
	}
	return strings.Join(parts, ", ") + " MB"
}
