package batch

import (
	"time"

	"github.com/jackc/pglogrepl"
)

// How much of its transactions a Batch names.
const (
	MaxXIDs    = 100
	MaxCommits = 1000
)

// Batch is a set of transactions that are visible in one snapshot.
type Batch struct {
	Dirty        Dirty
	Transactions int
	Changes      int
	XIDs         []FullXID     // the first MaxXIDs of them
	FirstLSN     pglogrepl.LSN // the lowest commit LSN
	LastLSN      pglogrepl.LSN // the highest
	LastCommit   time.Time     // the commit time of the one at LastLSN
	Commits      []time.Time   // the commit times of the first MaxCommits
	// Watermark: once the batch is applied, every commit that ends at or
	// before it is reflected.
	Watermark pglogrepl.LSN
	// Resume: once the batch is durable, it may be confirmed to the slot:
	// every transaction that ends at or before it is applied, and a stream that
	// resumes there begins with one that is not.
	Resume pglogrepl.LSN
}

// Empty says whether the batch has no transaction.
func (b *Batch) Empty() bool { return b.Transactions == 0 }

// add merges a transaction and takes over its Dirty.
func (b *Batch) add(tx *Transaction, xid FullXID) {
	b.Dirty.Merge(tx.Dirty)
	b.Changes += tx.Changes
	b.Transactions++
	b.extend(tx.CommitLSN, tx.CommitLSN, tx.CommitTime)
	if len(b.XIDs) < MaxXIDs {
		b.XIDs = append(b.XIDs, xid)
	}
	if len(b.Commits) < MaxCommits {
		b.Commits = append(b.Commits, tx.CommitTime)
	}
}

// extend widens the range of commits.
func (b *Batch) extend(first, last pglogrepl.LSN, lastCommit time.Time) {
	if b.FirstLSN == 0 || first < b.FirstLSN {
		b.FirstLSN = first
	}
	if last > b.LastLSN {
		b.LastLSN, b.LastCommit = last, lastCommit
	}
}

// Join returns the two batches as one, and takes them over. Watermark and
// Resume are those of the later, which was taken from the queue after b.
func (b Batch) Join(later Batch) Batch {
	b.Watermark, b.Resume = later.Watermark, later.Resume
	if later.Empty() { // it may hold a model to be rebuilt whole all the same
		b.Dirty.Merge(later.Dirty)
		return b
	}
	b.merge(later)
	return b
}

// merge adds the transactions of another batch.
func (b *Batch) merge(other Batch) {
	if other.Empty() {
		return
	}
	b.Dirty.Merge(other.Dirty)
	b.Changes += other.Changes
	b.Transactions += other.Transactions
	b.extend(other.FirstLSN, other.LastLSN, other.LastCommit)
	b.XIDs = append(b.XIDs, other.XIDs[:min(len(other.XIDs), MaxXIDs-len(b.XIDs))]...)
	b.Commits = append(b.Commits, other.Commits[:min(len(other.Commits), MaxCommits-len(b.Commits))]...)
}

// Queue holds the transactions that were received and not yet taken as a
// batch. It is for one goroutine.
//
// What nothing in a read model depends on is not held: a transaction that made
// nothing dirty only moves the received position.
type Queue struct {
	spill     *Spill
	waiting   []waiting // in commit order
	ready     Batch
	held      int           // values in waiting
	received  pglogrepl.LSN // end of what was received
	watermark pglogrepl.LSN // the last one given out
}

type waiting struct {
	tx    *Transaction
	prior pglogrepl.LSN // the received position before it: where a stream resumes that must begin with it
}

// NewQueue returns an empty queue. Everything that ends at or before from,
// where the stream resumes, counts as received and applied.
func NewQueue(spill *Spill, from pglogrepl.LSN) *Queue {
	return &Queue{spill: spill, received: from}
}

// Add adds the next transaction of the stream, in commit order, and takes it
// over. Where a snapshot has been taken already it is merged into the coming
// batch at once if the snapshot sees it, so that catching up over a long
// backlog takes little memory; snap may be nil. That snapshot, or a later one,
// must be the one that is then given to Take.
//
// A transaction that ends at or before the received position is one that a
// reconnected stream sends again: it is left out, and Add returns false.
func (q *Queue) Add(tx *Transaction, snap *Snapshot) bool {
	if tx.EndLSN <= q.received {
		return false
	}
	prior := q.received
	q.received = tx.EndLSN
	switch {
	case tx.Dirty.Empty():
	case snap != nil && snap.Visible(tx.XID):
		q.merge(tx, snap)
	default:
		q.waiting = append(q.waiting, waiting{tx, prior})
		q.held += tx.Dirty.Size()
	}
	return true
}

func (q *Queue) merge(tx *Transaction, snap *Snapshot) {
	q.ready.add(tx, snap.Widen(tx.XID))
	if q.ready.Dirty.Size() > q.spill.Limit() {
		q.spill.Trim(&q.ready.Dirty)
	}
}

// Idle notes that everything up to lsn has been received: the stream said so
// by a keepalive.
func (q *Queue) Idle(lsn pglogrepl.LSN) {
	q.received = max(q.received, lsn)
}

// Take returns the batch of all received transactions that the snapshot sees;
// the others wait for the next. marker is the end of the marker's transaction:
// it was committed after the snapshot had been taken, and has been received, so
// that every transaction visible in the snapshot has been received too.
//
// The batch may be empty. Its Watermark and Resume hold nonetheless.
func (q *Queue) Take(snap *Snapshot, marker pglogrepl.LSN) Batch {
	b := q.TakeVisible(snap)
	b.Watermark = q.advance(marker)
	b.Resume = q.resume()
	return b
}

// TakeVisible returns what has been received and the snapshot sees, before the
// marker has come: a part of the batch, whose rest is then given by Take. It
// says nothing of how far the batch reaches.
func (q *Queue) TakeVisible(snap *Snapshot) Batch {
	rest := q.waiting[:0]
	for _, w := range q.waiting {
		if snap.Visible(w.tx.XID) {
			q.held -= w.tx.Dirty.Size()
			q.merge(w.tx, snap)
		} else {
			rest = append(rest, w)
		}
	}
	clear(q.waiting[len(rest):])
	q.waiting = rest
	b := q.ready
	q.ready = Batch{}
	return b
}

// advance returns the watermark: the marker's, or just below the lowest commit
// that waits, and never below one given out before: what was reflected once
// is reflected for good.
func (q *Queue) advance(marker pglogrepl.LSN) pglogrepl.LSN {
	if len(q.waiting) > 0 {
		marker = min(marker, q.waiting[0].tx.CommitLSN-1)
	}
	q.watermark = max(q.watermark, marker)
	return q.watermark
}

func (q *Queue) resume() pglogrepl.LSN {
	if len(q.waiting) > 0 {
		return q.waiting[0].prior
	}
	return q.received
}

// Restore puts back a batch that could not be applied: the next one holds it
// too.
func (q *Queue) Restore(b Batch) {
	b.merge(q.ready)
	q.ready = b
	q.spill.Trim(&q.ready.Dirty)
}

// Received is the position up to which everything has been received.
func (q *Queue) Received() pglogrepl.LSN { return q.received }

// Empty says whether nothing is held: with no batch under way, everything up
// to Received is then reflected, and may be confirmed.
func (q *Queue) Empty() bool { return len(q.waiting) == 0 && q.ready.Empty() }

// Transactions is the number of transactions held.
func (q *Queue) Transactions() int { return len(q.waiting) + q.ready.Transactions }

// Values is the number of values held, a measure of its memory.
func (q *Queue) Values() int { return q.held + q.ready.Dirty.Size() }
