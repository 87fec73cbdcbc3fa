package api

import (
	"flag"
	"strings"
	"testing"

	"github.com/jackc/pglogrepl"

	"freshet/cache"
)

var (
	listSeed = flag.Uint64("lists.seed", 0, "run TestListsFromTheCache with this seed alone")
	listRuns = flag.Int("lists.runs", 12, "seeds that TestListsFromTheCache runs with")
)

// TestListsFromTheCache asks random questions about lists while random batches
// are committed and the feed carries them out row by row, also between the
// snapshot of a statement and its return. What must hold of each answer: it is
// what some state answers that is at least as fresh as what the feed has told,
// and as the LSN that the answer says: so page and documents are never of
// different states where one could tell. And once the feed has come to the end
// the answer is that of a server without a cache.
func TestListsFromTheCache(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	seeds := []uint64{*listSeed}
	if *listSeed == 0 {
		seeds = nil
		for i := range *listRuns {
			seeds = append(seeds, uint64(i+1))
		}
	}
	var pages cache.Stats
	ahead := 0
	for _, seed := range seeds {
		s := newListSim(t, seed, m)
		ahead += s.play(700)
		pages = pages.Add(s.cached.PageStats()["Order"])
		if t.Failed() {
			t.Fatalf("replay with -lists.seed=%d", seed)
		}
	}
	t.Logf("%d seeds: %+v; %d answers from a state that the feed had not come to", len(seeds), pages, ahead)
	if *listSeed == 0 && (pages.Hits < 100 || pages.Misses == 0 || pages.Rejected == 0 || ahead == 0) {
		t.Error("the questions do not reach every case")
	}
}

// play takes steps, and returns how many answers were ahead of the feed.
func (s *listSim) play(steps int) (ahead int) {
	var recent []string // questions that were asked before are asked again
	for range steps {
		switch s.r.IntN(12) {
		case 0:
			s.commit()
		case 1, 2, 3, 4:
			s.tail()
		case 5:
			if s.r.IntN(8) == 0 {
				s.settle()
			}
		default:
			if len(recent) < 12 {
				recent = append(recent, s.question(false))
			} else if s.r.IntN(20) == 0 {
				recent[s.r.IntN(len(recent))] = s.question(false)
			}
			if s.check(recent[s.r.IntN(len(recent))]) {
				ahead++
			}
		}
		if s.t.Failed() {
			return ahead
		}
	}
	s.settle()
	return ahead
}

// check asks a question, and looks for the state that the answer is of.
func (s *listSim) check(query string) (ahead bool) {
	least := s.fed
	w := ask(s.t, s.cached, query, "")
	lsn, err := pglogrepl.ParseLSN(w.Header().Get(HeaderLSN))
	if err != nil {
		s.t.Fatalf("%s\nLSN: %v in %s", query, err, w.Body)
	}
	for s.states[least].lsn < lsn {
		least++
	}
	got := w.Body.String()
	for state := least; state < len(s.states); state++ {
		if s.at(state, query) == got {
			return state > s.fed
		}
	}
	s.t.Errorf("%s\nat %s, the feed at batch %d of %d\ngot  %s\nis of no state; the first is\n     %s", query, lsn, s.fed, len(s.states)-1, got, s.at(least, query))
	return false
}

// settle lets the feed come to the end, and compares all there is to know.
func (s *listSim) settle() {
	for s.fed < len(s.states)-1 || s.target != s.fed {
		s.tail()
	}
	for range 4 {
		query := s.question(true)
		for range 2 { // read, and from the cache
			if s.fed < len(s.states)-1 {
				return // a batch came between
			}
			now := len(s.states) - 1
			got := ask(s.t, s.cached, query, "").Body.String()
			if now != len(s.states)-1 {
				return
			}
			if want := s.at(now, query); got != want || strings.Contains(got, `"errors"`) {
				s.t.Errorf("%s\ngot  %s\nwant %s", query, got, want)
			}
		}
	}
}
