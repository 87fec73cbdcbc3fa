package cache

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// gate is a load that waits to be let through.
type gate struct {
	calls chan *call
}

type call struct {
	ctx   context.Context
	keys  []string
	reply chan reply
}

type reply struct {
	loaded Loaded[string]
	err    error
}

func newGate() *gate { return &gate{calls: make(chan *call, 100)} }

func (g *gate) load(ctx context.Context, keys []string) (Loaded[string], error) {
	c := &call{ctx, slices.Clone(keys), make(chan reply)}
	g.calls <- c
	select {
	case r := <-c.reply:
		return r.loaded, r.err
	case <-ctx.Done():
		return Loaded[string]{}, ctx.Err()
	}
}

func (c *call) answer(w lsn, docs map[string]string) {
	c.reply <- reply{loaded: Loaded[string]{Values: docs, Watermark: w}}
}

type answer struct {
	res Result[string]
	err error
}

// async starts a Fetch and returns where its answer will come.
func async(ctx context.Context, c *Cache[string], req Request, load Load[string]) <-chan answer {
	out := make(chan answer, 1)
	go func() {
		res, err := c.Fetch(ctx, req, load)
		out <- answer{res, err}
	}()
	return out
}

func posts(keys ...string) Request { return Request{Model: "Post", Keys: keys} }

func TestManyReadersOneLoad(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, g := newCache(t, 1<<20, nil), newGate()
		var answers []<-chan answer
		for range 100 {
			answers = append(answers, async(t.Context(), c, posts("1", "2"), g.load))
		}
		synctest.Wait()
		if len(g.calls) != 1 {
			t.Fatalf("%d loads, want 1", len(g.calls))
		}
		(<-g.calls).answer(5, map[string]string{"1": "one"})
		for _, a := range answers {
			if got := <-a; got.err != nil || !got.res.Docs[0].Present || got.res.Docs[1].Present {
				t.Errorf("answer = %+v", got)
			}
		}
		if st := c.Total(); st.Joins != 198 || st.Fills != 2 {
			t.Errorf("stats = %+v", st)
		}
	})
}

func TestPartOfTheKeysIsJoined(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, g := newCache(t, 1<<20, nil), newGate()
		c.Put(c.Begin(), "Post", "0", "zero", 9)
		first := async(t.Context(), c, posts("1", "2"), g.load)
		synctest.Wait()
		second := async(t.Context(), c, posts("0", "2", "3", "4"), g.load)
		synctest.Wait()
		a, b := <-g.calls, <-g.calls
		if !slices.Equal(b.keys, []string{"3", "4"}) {
			t.Errorf("the second load has keys %v, want 3 and 4 in one call", b.keys)
		}
		b.answer(8, map[string]string{"3": "three"})
		a.answer(7, map[string]string{"1": "one", "2": "two"})
		<-first
		got := <-second
		if got.err != nil || got.res.Watermark != 7 && got.res.Watermark != 0 || got.res.Loaded != 3 {
			t.Errorf("answer = %+v", got)
		}
		if d := got.res.Docs; d[0].Value != "zero" || d[1].Value != "two" || d[2].Value != "three" || d[3].Present {
			t.Errorf("docs = %v", d)
		}
	})
}

// Nobody joins a load that an invalidation of its key has overtaken.
func TestOvertakenFlightIsNotJoined(t *testing.T) {
	overtake := map[string]func(c *Cache[string]){
		"key":   func(c *Cache[string]) { c.Invalidate("Post", []string{"1"}, 20) },
		"model": func(c *Cache[string]) { c.InvalidateModel("Post", 20) },
		"purge": func(c *Cache[string]) { c.Purge() },
	}
	for name, invalidate := range overtake {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c, g := newCache(t, 1<<20, nil), newGate()
				first := async(t.Context(), c, posts("1"), g.load)
				synctest.Wait()
				invalidate(c)
				second := async(t.Context(), c, posts("1"), g.load)
				synctest.Wait()
				third := async(t.Context(), c, posts("1"), g.load)
				synctest.Wait()
				if len(g.calls) != 2 {
					t.Fatalf("%d loads, want 2: the third reader joins the second", len(g.calls))
				}
				old, fresh := <-g.calls, <-g.calls
				fresh.answer(20, map[string]string{"1": "new"})
				if a, b := <-second, <-third; a.res.Docs[0].Value != "new" || b.res.Docs[0].Value != "new" {
					t.Errorf("answers = %v, %v", a, b)
				}
				old.answer(10, map[string]string{"1": "old"})
				if a := <-first; a.res.Docs[0].Value != "old" || a.res.Watermark != 10 {
					t.Errorf("first answer = %+v", a)
				}
				expect(t, c, "Post", "1", "new", Present)
			})
		})
	}
}

func TestFlightOfAnotherKeyGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, g := newCache(t, 1<<20, nil), newGate()
		async(t.Context(), c, posts("1", "2"), g.load)
		synctest.Wait()
		c.Invalidate("Post", []string{"1"}, 20)
		async(t.Context(), c, posts("1", "2"), g.load)
		synctest.Wait()
		a, b := <-g.calls, <-g.calls
		if !slices.Equal(b.keys, []string{"1"}) {
			t.Errorf("second load has %v, want key 1 alone", b.keys)
		}
		a.answer(10, nil)
		b.answer(20, nil)
		synctest.Wait()
		expect(t, c, "Post", "2", "", Absent)
	})
}

func TestLeavingDoesNotFailOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, g := newCache(t, 1<<20, nil), newGate()
		ctx, leave := context.WithCancel(t.Context())
		first := async(ctx, c, posts("1"), g.load)
		synctest.Wait()
		second := async(t.Context(), c, posts("1"), g.load)
		synctest.Wait()
		leave()
		if a := <-first; !errors.Is(a.err, context.Canceled) {
			t.Errorf("the one who left has %v", a.err)
		}
		(<-g.calls).answer(5, map[string]string{"1": "one"})
		if a := <-second; a.err != nil || a.res.Docs[0].Value != "one" {
			t.Errorf("the one who stayed has %+v", a)
		}
	})
}

func TestLoadErrorIsSharedAndNotCached(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, g := newCache(t, 1<<20, nil), newGate()
		boom := errors.New("boom")
		first := async(t.Context(), c, posts("1"), g.load)
		synctest.Wait()
		second := async(t.Context(), c, posts("1"), g.load)
		synctest.Wait()
		(<-g.calls).reply <- reply{err: boom}
		for _, a := range []answer{<-first, <-second} {
			if !errors.Is(a.err, boom) {
				t.Errorf("error = %v, want %v", a.err, boom)
			}
		}
		mustFetch(t, c, posts("1"), from(5, map[string]string{"1": "one"}))
		expect(t, c, "Post", "1", "one", Present)
	})
}

func TestLoadHasADeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, g := newCache(t, 1<<20, nil), newGate()
		a := <-async(t.Context(), c, posts("1"), g.load)
		if !errors.Is(a.err, context.DeadlineExceeded) {
			t.Errorf("error = %v, want that of the load's deadline", a.err)
		}
	})
}

func TestPanicInALoadIsAnError(t *testing.T) {
	c := newCache(t, 1<<20, nil)
	_, err := c.Fetch(t.Context(), posts("1"), func(context.Context, []string) (Loaded[string], error) { panic("boom") })
	if err == nil || !strings.Contains(err.Error(), "panic: boom") {
		t.Errorf("error = %v", err)
	}
}

func TestCloseCancelsLoads(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, g := New(Options[string]{Bytes: 1 << 20, Cost: cost}), newGate()
		first := async(t.Context(), c, posts("1"), g.load)
		synctest.Wait()
		for range 2 {
			if err := c.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if a := <-first; !errors.Is(a.err, context.Canceled) {
			t.Errorf("error = %v", a.err)
		}
		if _, err := c.Fetch(t.Context(), posts("1"), g.load); !errors.Is(err, ErrClosed) {
			t.Errorf("error after Close = %v", err)
		}
	})
}

// A reader with a demand does not share a load whose snapshot may be older.
func TestMinLSNDoesNotJoinOlderFlights(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := lsn(10)
		c, g := newCache(t, 1<<20, &w), newGate()
		async(t.Context(), c, posts("1"), g.load)
		synctest.Wait()
		joined := async(t.Context(), c, Request{Model: "Post", Keys: []string{"1"}, MinLSN: 10}, g.load)
		synctest.Wait()
		w = 20
		apart := async(t.Context(), c, Request{Model: "Post", Keys: []string{"1"}, MinLSN: 15}, g.load)
		synctest.Wait()
		if len(g.calls) != 2 {
			t.Fatalf("%d loads, want 2", len(g.calls))
		}
		(<-g.calls).answer(12, nil)
		(<-g.calls).answer(20, nil)
		if a := <-joined; a.err != nil || a.res.Watermark != 12 {
			t.Errorf("joined = %+v", a)
		}
		if a := <-apart; a.err != nil || a.res.Watermark != 20 {
			t.Errorf("apart = %+v", a)
		}
	})
}

func TestMinLSNAndWhatIsCached(t *testing.T) {
	w := lsn(10)
	c := newCache(t, 1<<20, &w)
	c.Put(c.Begin(), "Post", "1", "one", 12)
	demand := func(min lsn) Request { return Request{Model: "Post", Keys: []string{"1"}, MinLSN: min} }

	if res := mustFetch(t, c, demand(12), nil); res.Watermark != 12 || res.Loaded != 0 {
		t.Errorf("a fill as fresh as asked was not served: %+v", res)
	}
	_, err := c.Fetch(t.Context(), demand(15), from(14, nil))
	var old *TooOldError
	if !errors.As(err, &old) || !errors.Is(err, ErrTooOld) || old.Want != 15 || old.Have != 14 {
		t.Errorf("error = %v, want a TooOldError", err)
	}
	w = 20
	c.Put(c.Begin(), "Post", "2", "two", 3)
	res := mustFetch(t, c, Request{Model: "Post", Keys: []string{"2"}, MinLSN: 20}, nil)
	if res.Watermark != 20 || res.Loaded != 0 {
		t.Errorf("an entry no invalidation has touched reflects the watermark: %+v", res)
	}
}

func TestBypassLoadsAndFills(t *testing.T) {
	c := newCache(t, 1<<20, nil)
	c.Put(c.Begin(), "Post", "1", "old", 1)
	res := mustFetch(t, c, Request{Model: "Post", Keys: []string{"1"}, Bypass: true}, from(2, map[string]string{"1": "new"}))
	if res.Docs[0].Value != "new" {
		t.Errorf("Fetch = %+v", res)
	}
	expect(t, c, "Post", "1", "new", Present)
}

func TestFetchOfNothing(t *testing.T) {
	w := lsn(10)
	c := newCache(t, 1<<20, &w)
	if res := mustFetch(t, c, posts(), nil); len(res.Docs) != 0 || res.Watermark != 10 {
		t.Errorf("Fetch = %+v", res)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	if _, err := c.Fetch(ctx, posts("1"), nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v", err)
	}
}
