package projector

import (
	"testing"

	"freshet/projector/apply"
)

// TestAChunkIsTakenBeforeItsBatchBegins: a cursor that is opened while a batch
// is under way does not have the keys of rows that have left since the batch's
// snapshot. Were its last chunk to go along, the watermark would vouch for
// documents that were left out.
func TestAChunkIsTakenBeforeItsBatchBegins(t *testing.T) {
	s := newLanes(nil)
	s.changes.current, s.changes.chunks = []apply.FanOut{{Model: "Post"}}, make(chan apply.Chunk, 1)
	s.take() // a batch begins
	s.changes.chunks <- apply.Chunk{Keys: []string{"1"}, Last: true}
	if s.atHand() != nil || s.sinceAfter() != s.since() {
		t.Fatal("the chunk goes along with a batch that began before it")
	}
	s.take() // the next one begins
	if c := s.atHand(); c == nil || !c.Last {
		t.Fatal("the chunk is not at hand")
	}
}
