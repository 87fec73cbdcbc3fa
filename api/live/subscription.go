package live

import (
	"sync"

	"github.com/jackc/pglogrepl"
)

// Message is an answer for one subscriber.
type Message struct {
	Body  []byte // not to be changed
	ID    ID     // where the subscriber then is
	Final bool   // there will be none after it
}

// Subscription is one subscriber's. It holds the newest answer until it is
// taken, and none besides.
type Subscription struct {
	hub    *Hub
	query  *query
	notify func()
	joined uint64 // evaluations of the query that had begun before

	mu      sync.Mutex
	pending *Message
	sent    Tag           // of the message taken last, or what the subscriber had before
	lsn     pglogrepl.LSN // of it
}

// offer replaces what waits to be taken, unless the subscriber has it already.
// It says whether an answer was left out thereby.
func (s *Subscription) offer(m Message) (coalesced bool) {
	s.mu.Lock()
	old := s.pending
	coalesced = old != nil && old.ID.Tag != m.ID.Tag
	s.pending = nil
	if m.ID.Tag != s.sent || m.Final {
		s.pending = &m
	}
	fresh := s.pending != nil
	s.mu.Unlock()
	if fresh && s.notify != nil {
		s.notify()
	}
	return coalesced
}

// Take returns the newest answer, if it was not taken yet and is another one
// than the last.
func (s *Subscription) Take() (Message, bool) {
	s.mu.Lock()
	if s.pending == nil {
		s.mu.Unlock()
		return Message{}, false
	}
	m := *s.pending
	s.pending = nil
	s.sent = m.ID.Tag
	s.lsn = max(s.lsn, m.ID.LSN)
	m.ID.LSN = s.lsn
	s.mu.Unlock()
	s.hub.taken()
	return m, true
}

// startOver forgets the LSN: the feed follows another history.
func (s *Subscription) startOver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lsn = 0
}

// End ends the subscription. It may be called more than once.
func (s *Subscription) End() { s.hub.unsubscribe(s) }

func (h *Hub) taken() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stats.Messages++
}
