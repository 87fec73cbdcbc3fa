package faults_test

import (
	"testing"
)

// Where a clock decides something, and what becomes of it when the clock is set
// back (or on):
//
//   - who leads: a standby compares the leader's last sign of life, a time of
//     the server's, only for being another than before, and counts the seconds
//     by its own monotonic clock (session.Still and its test). Setting any clock
//     changes nothing.
//   - watchdogs, deadlines, back-off, the cache's freshness: monotonic.
//   - when a key in freshet.pending is tried next: written and compared by the
//     server's clock, so that the projector's does not count. After that one
//     was set back the next try would lie in the future for as long: no wait is
//     longer than an hour, so one that seems longer is over (the test below).
//   - what is trimmed from sync_log: by the server's clock. Set on, rows go
//     early; an API that had not read them starts over and says so. Set back,
//     they stay longer.
//   - the place in the stream, visibility and the order of batches are LSNs and
//     transaction ids: no clock.
//   - commit times, durations and freshness in logs and metrics are what the
//     clocks say, and nothing is decided by them.
func TestAClockSetBackDelaysNoPendingKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start(nil)
	r.streams()
	w.exec("UPDATE tb_item SET n = 0 WHERE id = 77") // its share cannot be computed
	w.settle()
	w.eventually("it is quarantined", 1, "SELECT count(*) FROM freshet.pending WHERE model = 'Item' AND key = '77'")
	attempts := w.count("SELECT attempts FROM freshet.pending WHERE key = '77'")
	r.stop()
	// As if the server's clock had been a year ahead until now. A projector that
	// starts looks at it at once, and then once a minute.
	w.exec("UPDATE freshet.pending SET next_try_at = now() + interval '1 year'")
	r = w.start(nil)
	w.eventually("it is tried again", 1, "SELECT count(*) FROM freshet.pending WHERE key = '77' AND attempts > $1", attempts)
	w.eventually("and then at its time", 1, "SELECT count(*) FROM freshet.pending WHERE key = '77' AND next_try_at < now() + interval '1 hour'")
	w.exec("UPDATE tb_item SET n = 3 WHERE id = 77")
	w.exact()
	r.stop()
}
