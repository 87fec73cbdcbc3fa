package projector

import "time"

// With some batches the projector looks at documents that the batch does not
// touch: by the argument of the exact batch they equal their definition on its
// snapshot too. One that does not was changed by hand, or is a fault of
// Freshet's: it is told, and rebuilt.
const (
	// checkEvery is how often, and checkSome how many documents: about a
	// millisecond of ten batches' time.
	checkEvery = 200 * time.Millisecond
	checkSome  = 2
)

// checks is how many documents to look at with the batch at hand.
func (l *loop) checks() int {
	if time.Since(l.looked) < checkEvery || l.careful {
		return 0
	}
	l.looked = time.Now()
	return checkSome
}
