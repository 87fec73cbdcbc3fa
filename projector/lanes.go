package projector

import (
	"time"

	"github.com/jackc/pglogrepl"

	"freshet/projector/apply"
	"freshet/projector/compile"
)

// lanes are the two kinds of work that is done in chunks beside the batches:
// changes that lead to very many documents, and read models that are filled.
// Each has a cursor of its own, so that a large change does not wait for the
// end of a fill. A batch takes one chunk along; where both have some they take
// turns.
type lanes struct {
	changes, fills *fanOuts
	open           bool     // fills may begin
	hand           *fanOuts // whose chunk is at hand; nil: none is
	last           *fanOuts // whose chunk was the last
}

func newLanes(known []apply.FanOut) *lanes {
	changes, fills := splitFills(known)
	return &lanes{changes: newFanOuts(changes, spreadPace), fills: newFanOuts(fills, fillPace)}
}

// since is the first commit that a change put off; 0 is none. What a fill has
// yet to do is only told by freshet.lag: before it, it was not told here either.
func (s *lanes) since() pglogrepl.LSN { return s.changes.since() }

// sinceAfter is the same once the chunk at hand is committed.
func (s *lanes) sinceAfter() pglogrepl.LSN { return s.changes.sinceAfter() }

// count is how many changes are put off.
func (s *lanes) count() int { return s.changes.count() }

// lagging says whether some documents of a read model are put off.
func (s *lanes) lagging(model string) bool {
	return s.changes.lagging(model) || s.fills.lagging(model)
}

// begin has the readers of keys begin what waits.
func (s *lanes) begin(plan *compile.Plan) {
	s.changes.begin(plan)
	if s.open {
		s.fills.begin(plan)
	}
}

// offers are where the next chunk comes from, and how long to wait for the
// first that rests.
func (s *lanes) offers(now time.Time) (changes, fills <-chan apply.Chunk, rest time.Duration) {
	if s.hand != nil {
		return nil, nil, 0
	}
	changes, rest = s.changes.offered(now)
	fills, later := s.fills.offered(now)
	if rest == 0 || later > 0 && later < rest {
		rest = later
	}
	return changes, fills, rest
}

// hold keeps a chunk for the next batch.
func (s *lanes) hold(lane *fanOuts, c apply.Chunk) {
	lane.hold(c)
	s.hand = lane
}

// cut leaves little of the chunk at hand for a careful try.
func (s *lanes) cut() {
	if s.hand != nil {
		s.hand.cut()
	}
}

// take takes the next chunk for a batch that is about to begin, if it is time
// for one and none is at hand. It must be before the batch's snapshot: a row
// that has left since is not among the keys of a cursor that is younger than the
// snapshot, and yet its document is to be as the snapshot has it.
func (s *lanes) take() {
	first, second := s.changes, s.fills
	if s.last == s.changes {
		first, second = second, first
	}
	for _, lane := range []*fanOuts{first, second} {
		if s.hand == nil && lane.take() != nil {
			s.hand = lane
		}
	}
}

// atHand is the chunk that the batch takes along; nil: none.
func (s *lanes) atHand() *apply.Chunk {
	if s.hand == nil {
		return nil
	}
	return s.hand.chunk
}

// done books a batch that was committed: what it has put off, and its chunk,
// which took so long. Transactions come at this rate a second.
func (s *lanes) done(added []apply.FanOut, took time.Duration, rate float64, plan *compile.Plan) {
	s.changes.waiting = append(s.changes.waiting, added...)
	if s.hand != nil {
		s.hand.book(took, rate)
		s.fills.next = s.hand.next // a fill rests after the chunk of a change as well
		s.last, s.hand = s.hand, nil
	}
	s.begin(plan)
}
