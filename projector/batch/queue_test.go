package batch

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pglogrepl"
)

// commit makes a transaction that commits at lsn, 0x10 long, and dirties the
// post of its own id.
func commit(xid XID, lsn pglogrepl.LSN) *Transaction {
	tx := empty(xid, lsn)
	tx.Changes = 1
	tx.Dirty.Add(pathPost, Value(strconv.Itoa(int(xid))))
	return tx
}

func empty(xid XID, lsn pglogrepl.LSN) *Transaction {
	return &Transaction{XID: xid, CommitLSN: lsn, EndLSN: lsn + 0x10, CommitTime: time.Unix(int64(xid), 0)}
}

func snapshot(t *testing.T, text string) *Snapshot {
	t.Helper()
	s, err := ParseSnapshot(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newQueue(limit int) *Queue { return NewQueue(NewSpill(testPlan(), limit), 0x10) }

func TestQueueTake(t *testing.T) {
	q := newQueue(0)
	for i, xid := range []XID{5, 6, 7} {
		if !q.Add(commit(xid, pglogrepl.LSN(0x100*(i+1))), nil) {
			t.Errorf("%d was not added", xid)
		}
	}
	q.Add(empty(9, 0x400), nil)
	b := q.Take(snapshot(t, "6:8:6"), 0x410)
	want := held{Values: map[int][]Value{pathPost: {"5", "7"}}}
	if diff := cmp.Diff(want, contents(&b.Dirty)); diff != "" {
		t.Errorf("dirty: -want +got\n%s", diff)
	}
	b.Dirty = Dirty{}
	wantBatch := Batch{
		Transactions: 2, Changes: 2, XIDs: []FullXID{5, 7}, FirstLSN: 0x100, LastLSN: 0x300,
		LastCommit: time.Unix(7, 0), Commits: []time.Time{time.Unix(5, 0), time.Unix(7, 0)},
		Watermark: 0x1ff, Resume: 0x110, // 6, at 0x200, waits
	}
	if diff := cmp.Diff(wantBatch, b, cmp.AllowUnexported(Dirty{})); diff != "" {
		t.Errorf("batch: -want +got\n%s", diff)
	}
	if q.Empty() || q.Transactions() != 1 || q.Values() != 1 {
		t.Errorf("%d transactions, %d values held", q.Transactions(), q.Values())
	}
	b = q.Take(snapshot(t, "10:10:"), 0x510)
	if b.Transactions != 1 || b.Watermark != 0x510 || b.Resume != 0x410 || !q.Empty() || q.Values() != 0 {
		t.Errorf("second batch %+v", b)
	}
	if b = q.Take(snapshot(t, "10:10:"), 0x610); !b.Empty() || b.Watermark != 0x610 || b.Resume != 0x410 {
		t.Errorf("third batch %+v", b)
	}
}

// The marker is a transaction too, that the snapshot cannot see. It dirties
// nothing, and holds nothing up.
func TestQueueMarkerDoesNotWait(t *testing.T) {
	q := newQueue(0)
	q.Add(commit(5, 0x100), nil)
	q.Add(empty(6, 0x200), nil)
	b := q.Take(snapshot(t, "6:6:"), 0x210)
	if b.Transactions != 1 || b.Watermark != 0x210 || b.Resume != 0x210 || !q.Empty() {
		t.Errorf("%+v", b)
	}
}

// A commit record may begin exactly where the marker ends. That does not take
// back the watermark given out before.
func TestQueueWatermarkNeverFalls(t *testing.T) {
	q := newQueue(0)
	q.Add(empty(5, 0x100), nil)
	if b := q.Take(snapshot(t, "5:5:"), 0x110); b.Watermark != 0x110 {
		t.Errorf("watermark %s", b.Watermark)
	}
	q.Add(commit(6, 0x110), nil)
	if b := q.Take(snapshot(t, "6:7:6"), 0x210); b.Watermark != 0x110 || b.Resume != 0x110 {
		t.Errorf("watermark %s, resume %s", b.Watermark, b.Resume)
	}
}

func TestQueueLeavesOutWhatIsSentAgain(t *testing.T) {
	q := newQueue(0)
	if q.Add(commit(3, 0x00), nil) {
		t.Error("added what ends where the queue began")
	}
	q.Add(commit(5, 0x100), nil)
	q.Add(commit(6, 0x200), nil)
	if q.Add(commit(5, 0x100), nil) || q.Add(commit(6, 0x200), nil) {
		t.Error("added twice")
	}
	q.Idle(0x300)
	q.Idle(0x280)
	if q.Received() != 0x300 || q.Add(commit(7, 0x2f0), nil) {
		t.Errorf("received %s", q.Received())
	}
	if b := q.Take(snapshot(t, "9:9:"), 0x400); b.Transactions != 2 || b.Resume != 0x300 {
		t.Errorf("%+v", b)
	}
}

func TestQueueMergesAtOnce(t *testing.T) {
	q := newQueue(3)
	snap := snapshot(t, "50:50:")
	for i := range 40 {
		q.Add(commit(XID(i+1), pglogrepl.LSN(0x100*(i+1))), snap)
		if q.Values() > 3 {
			t.Fatalf("%d values held", q.Values())
		}
	}
	q.Add(commit(50, 0x5000), snap)
	b := q.Take(snap, 0x6000)
	if diff := cmp.Diff(held{Whole: []int{modelPost}}, contents(&b.Dirty)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if b.Transactions != 40 || b.Watermark != 0x4fff || b.Resume != 0x2810 || q.Transactions() != 1 {
		t.Errorf("%+v", b)
	}
}

func TestQueueRestore(t *testing.T) {
	q := newQueue(0)
	q.Add(commit(5, 0x100), nil)
	q.Add(commit(6, 0x200), nil)
	failed := q.Take(snapshot(t, "6:7:6"), 0x300)
	q.Restore(failed)
	q.Restore(Batch{})
	if q.Empty() || q.Transactions() != 2 {
		t.Errorf("%d transactions held", q.Transactions())
	}
	b := q.Take(snapshot(t, "9:9:"), 0x400)
	want := held{Values: map[int][]Value{pathPost: {"5", "6"}}}
	if diff := cmp.Diff(want, contents(&b.Dirty)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if b.Transactions != 2 || b.FirstLSN != 0x100 || b.LastLSN != 0x200 || b.Resume != 0x210 || len(b.XIDs) != 2 || len(b.Commits) != 2 {
		t.Errorf("%+v", b)
	}
}

func TestBatchNamesTheFirst(t *testing.T) {
	q := newQueue(0)
	for i := range 2500 {
		q.Add(commit(XID(i+3), pglogrepl.LSN(0x100*(i+1))), nil)
		if i == 600 {
			q.Restore(q.Take(snapshot(t, "9000:9000:"), 0x20))
		}
	}
	b := q.Take(snapshot(t, "9000:9000:"), 0x1000000)
	q.Restore(b)
	b = q.Take(snapshot(t, "9000:9000:"), 0x1000000)
	if len(b.XIDs) != MaxXIDs || len(b.Commits) != MaxCommits || b.XIDs[99] != 102 || b.Transactions != 2500 || !b.LastCommit.Equal(time.Unix(2502, 0)) {
		t.Errorf("%d xids, %d commits of %d", len(b.XIDs), len(b.Commits), b.Transactions)
	}
}

// simulation is a history of commits, of which each becomes visible some time
// after it has been received, next to a Queue that follows it.
type simulation struct {
	t       *testing.T
	seed    uint64
	rnd     *rand.Rand
	q       *Queue
	next    FullXID
	lsn     pglogrepl.LSN
	running map[FullXID]bool         // received, but not visible yet
	commits map[FullXID]*Transaction // all of them
	applied map[Value]bool           // of the batches that were applied
	lastW   pglogrepl.LSN
}

// Whatever the order of things: the watermark and the resume position never
// pass a transaction that has not been applied, and in the end all have been.
func TestQueueNeverPassesAWaiting(t *testing.T) {
	for seed := range uint64(300) {
		s := &simulation{t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 3)), q: newQueue(1000), next: 1<<32 - 20,
			lsn: 0x1000, running: map[FullXID]bool{}, commits: map[FullXID]*Transaction{}, applied: map[Value]bool{}}
		for range 60 {
			s.step()
		}
		clear(s.running)
		b := s.q.Take(s.snapshot(), s.lsn)
		s.apply(b)
		s.check(b, s.lsn)
		if !s.q.Empty() {
			t.Fatalf("seed %d: %d transactions left", seed, s.q.Transactions())
		}
		for xid, tx := range s.commits {
			if !tx.Dirty.Empty() && !s.applied[value(xid)] {
				t.Fatalf("seed %d: %d was never applied", seed, xid)
			}
		}
	}
}

func value(xid FullXID) Value { return Value(strconv.FormatUint(uint64(xid), 10)) }

func (s *simulation) step() {
	switch s.rnd.IntN(6) {
	case 0:
		s.batch(s.rnd.IntN(3) > 0)
	case 1:
		for xid := range s.running {
			delete(s.running, xid)
			break
		}
	case 2:
		s.q.Idle(s.lsn)
	default:
		s.receive(nil)
	}
}

// receive commits a transaction; some touch nothing, some commit right behind
// the last one.
func (s *simulation) receive(snap *Snapshot) *Transaction {
	xid := s.next
	s.next++
	tx := empty(XID(xid), s.lsn+pglogrepl.LSN(s.rnd.IntN(2)*0x20))
	s.lsn = tx.EndLSN
	record := *tx
	if s.rnd.IntN(5) > 0 {
		tx.Dirty.Add(pathPost, value(xid))
		record.Dirty.Add(pathPost, value(xid))
	}
	s.commits[xid] = &record
	if s.rnd.IntN(3) == 0 {
		s.running[xid] = true
	}
	s.q.Add(tx, snap)
	return tx
}

// batch takes a snapshot, receives some more, the marker among them, and takes
// the batch, which may fail to be applied.
func (s *simulation) batch(succeeds bool) {
	snap := s.snapshot()
	for range s.rnd.IntN(4) {
		s.receive(snap)
	}
	marker := empty(XID(s.next), s.lsn)
	s.next++
	s.lsn = marker.EndLSN
	s.q.Add(marker, snap)
	for range s.rnd.IntN(3) {
		s.receive(snap)
	}
	visible := s.q.Visible(snap)
	b := s.q.Take(snap, marker.EndLSN)
	if visible == b.Empty() {
		s.t.Fatalf("seed %d: Visible said %v of a batch of %d", s.seed, visible, b.Transactions)
	}
	if !succeeds {
		s.q.Restore(b)
		return
	}
	s.apply(b)
	s.check(b, marker.EndLSN)
}

func (s *simulation) apply(b Batch) {
	for v := range b.Dirty.Values(pathPost) {
		s.applied[v] = true
	}
}

func (s *simulation) snapshot() *Snapshot {
	snap := &Snapshot{Xmin: s.next, Xmax: s.next}
	for xid := range s.running {
		snap.Xmin = min(snap.Xmin, xid)
		snap.Xip = append(snap.Xip, xid)
	}
	parsed, err := ParseSnapshot(full(uint64(snap.Xmin), uint64(snap.Xmax), uints(snap.Xip)...))
	if err != nil {
		s.t.Fatal(err)
	}
	return parsed
}

func uints(xids []FullXID) []uint64 {
	out := make([]uint64, len(xids))
	for i, x := range xids {
		out[i] = uint64(x)
	}
	return out
}

func (s *simulation) check(b Batch, marker pglogrepl.LSN) {
	if b.Watermark > marker || b.Watermark < s.lastW {
		s.t.Fatalf("seed %d: watermark %s, marker %s, before %s", s.seed, b.Watermark, marker, s.lastW)
	}
	s.lastW = b.Watermark
	for xid, tx := range s.commits {
		if tx.Dirty.Empty() || s.applied[value(xid)] {
			continue
		}
		if tx.EndLSN <= b.Watermark {
			s.t.Fatalf("seed %d: watermark %s passes %d, which ends at %s", s.seed, b.Watermark, xid, tx.EndLSN)
		}
		if tx.CommitLSN < b.Resume {
			s.t.Fatalf("seed %d: resuming at %s leaves out %d at %s", s.seed, b.Resume, xid, tx.CommitLSN)
		}
	}
	if s.q.Empty() && b.Resume != s.q.Received() {
		s.t.Fatalf("seed %d: resume %s, received %s with nothing waiting", s.seed, b.Resume, s.q.Received())
	}
}
