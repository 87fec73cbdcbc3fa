package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
)

// narrow is a cache with one load of a model at a time; without bytes it keeps
// nothing.
func narrow(t *testing.T, bytes int64, w *lsn) *Cache[string] {
	t.Helper()
	if w == nil {
		w = new(lsn)
	}
	c := New(Options[string]{Bytes: bytes, Cost: cost, Parallel: 1, Watermark: func() lsn { return *w }})
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

// each starts a Fetch for each key, one after the other.
func each(t *testing.T, c *Cache[string], load Load[string], keys ...string) (answers []<-chan answer) {
	t.Helper()
	for _, key := range keys {
		answers = append(answers, async(t.Context(), c, posts(key), load))
		synctest.Wait()
	}
	return answers
}

func TestKeysGatherWhileALoadIsUnderWay(t *testing.T) {
	for name, bytes := range map[string]int64{"with a cache": 1 << 20, "without": 0} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c, g := narrow(t, bytes, nil), newGate()
				answers := each(t, c, g.load, "0", "1", "2", "3")
				if len(g.calls) != 1 {
					t.Fatalf("%d loads, want one at a time", len(g.calls))
				}
				(<-g.calls).answer(5, map[string]string{"0": "zero"})
				synctest.Wait()
				second := <-g.calls
				if !slices.Equal(second.keys, []string{"1", "2", "3"}) {
					t.Errorf("the second load has %v, want all that gathered", second.keys)
				}
				second.answer(6, map[string]string{"1": "one", "3": "three"})
				want := []Doc[string]{{"zero", true}, {"one", true}, {}, {"three", true}}
				for i, ch := range answers {
					a := <-ch
					if a.err != nil || a.res.Docs[0] != want[i] || a.res.Watermark != max(5, min(6, lsn(5+i))) && a.res.Watermark != 0 || a.res.Loaded != 1 {
						t.Errorf("key %d: %+v", i, a)
					}
				}
			})
		})
	}
}

func TestNobodyWaitsWhileThereIsRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, g := newCache(t, 1<<20, nil), newGate()
		c.parallel = 3
		answers := each(t, c, g.load, "0", "1", "2", "3", "4")
		if len(g.calls) != 3 {
			t.Errorf("%d loads at once, want 3", len(g.calls))
		}
		// Another model has a lane of its own.
		user := async(t.Context(), c, Request{Model: "User", Keys: []string{"9"}}, g.load)
		synctest.Wait()
		if len(g.calls) != 4 {
			t.Errorf("%d loads at once, want 3 and that of the other model", len(g.calls))
		}
		for _, want := range [][]string{{"0"}, {"1"}, {"2"}, {"9"}, {"3", "4"}} {
			call := <-g.calls
			if !slices.Equal(call.keys, want) {
				t.Errorf("a load has %v, want %v", call.keys, want)
			}
			call.answer(5, nil)
		}
		for _, ch := range append(answers, user) {
			if a := <-ch; a.err != nil {
				t.Error(a.err)
			}
		}
	})
}

// What waits is not old: it may be joined by anybody, and what it brings is as
// young as its departure.
func TestWhatWaitsIsYoung(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := lsn(10)
		c, g := narrow(t, 1<<20, &w), newGate()
		each(t, c, g.load, "0")
		first := each(t, c, g.load, "1")
		c.Invalidate("Post", []string{"1"}, 20)
		w = 20
		joined := async(t.Context(), c, Request{Model: "Post", Keys: []string{"1"}, MinLSN: 20}, g.load)
		synctest.Wait()
		(<-g.calls).answer(10, nil)
		call := <-g.calls
		if !slices.Equal(call.keys, []string{"1"}) {
			t.Errorf("the load has %v, want key 1 once", call.keys)
		}
		// From here on it is as old as any.
		c.Invalidate("Post", []string{"1"}, 30)
		apart := async(t.Context(), c, posts("1"), g.load)
		synctest.Wait()
		call.answer(20, map[string]string{"1": "new"})
		(<-g.calls).answer(30, map[string]string{"1": "newest"})
		for _, ch := range []<-chan answer{first[0], joined} {
			if a := <-ch; a.err != nil || a.res.Docs[0].Value != "new" || a.res.Watermark != 20 {
				t.Errorf("answer = %+v", a)
			}
		}
		if a := <-apart; a.err != nil || a.res.Docs[0].Value != "newest" {
			t.Errorf("after the invalidation: %+v", a)
		}
		expect(t, c, "Post", "1", "newest", Present)
	})
}

// An invalidation during the wait does not keep a fill out.
func TestWhatHasWaitedIsStored(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, g := narrow(t, 1<<20, nil), newGate()
		each(t, c, g.load, "0", "1")
		c.Invalidate("Post", []string{"1"}, 20)
		(<-g.calls).answer(20, nil)
		(<-g.calls).answer(20, map[string]string{"1": "one"})
		synctest.Wait()
		expect(t, c, "Post", "1", "one", Present)
	})
}

func TestABadKeyFailsWhoAskedForIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, g := narrow(t, 1<<20, nil), newGate()
		loads := 0
		load := func(ctx context.Context, keys []string) (Loaded[string], error) {
			if slices.Contains(keys, "0") {
				return g.load(ctx, keys)
			}
			loads++
			if slices.Contains(keys, "bad") {
				return Loaded[string]{}, fmt.Errorf("%w: no number", ErrBadKey)
			}
			return Loaded[string]{Values: map[string]string{keys[0]: keys[0], keys[len(keys)-1]: keys[len(keys)-1]}, Watermark: 7}, nil
		}
		each(t, c, load, "0")
		keys := []string{"1", "2", "3", "bad", "4", "5"}
		answers := each(t, c, load, keys...)
		(<-g.calls).answer(5, nil)
		for i, ch := range answers {
			a := <-ch
			if keys[i] == "bad" {
				if !errors.Is(a.err, ErrBadKey) {
					t.Errorf("the bad key has %+v", a)
				}
			} else if a.err != nil || a.res.Watermark != 7 {
				t.Errorf("key %s: %+v", keys[i], a)
			}
		}
		if loads < 3 || loads > 2*len(keys) {
			t.Errorf("%d loads for %d keys", loads, len(keys))
		}
		if _, state := c.Get("Post", "bad"); state != Miss {
			t.Error("the bad key is cached")
		}
	})
}

func TestOtherErrorsAreOfAllWhoWentAlong(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, g := narrow(t, 1<<20, nil), newGate()
		boom := errors.New("boom")
		answers := each(t, c, g.load, "0", "1", "2", "3")
		(<-g.calls).answer(5, nil)
		(<-g.calls).reply <- reply{err: boom}
		for i, ch := range answers {
			if a := <-ch; errors.Is(a.err, boom) != (i > 0) {
				t.Errorf("key %d: %+v", i, a)
			}
		}
		if synctest.Wait(); len(g.calls) != 0 {
			t.Error("the load was tried again")
		}
	})
}

func TestLoadsAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, g := narrow(t, 1<<20, nil), newGate()
		var keys []string
		for i := range 2*maxJoined + 51 {
			keys = append(keys, strconv.Itoa(i))
		}
		each(t, c, g.load, keys...)
		// As many keys of one request do not wait, and hold up nobody.
		large := async(t.Context(), c, Request{Model: "Post", Keys: keysFrom(1000, maxJoined)}, g.load)
		synctest.Wait()
		if len(g.calls) != 2 {
			t.Fatalf("%d loads, want the first and the large one", len(g.calls))
		}
		first := <-g.calls
		(<-g.calls).answer(5, nil)
		if a := <-large; a.err != nil {
			t.Error(a.err)
		}
		if synctest.Wait(); len(g.calls) != 0 {
			t.Error("the large load has let more loads run at once than there may be")
		}
		first.answer(5, nil)
		for _, want := range []int{maxJoined, maxJoined, 50} {
			call := <-g.calls
			if len(call.keys) != want || call.keys[0] != keys[1] {
				t.Errorf("a load has %d keys from %s on, want %d from %s", len(call.keys), call.keys[0], want, keys[1])
			}
			keys = keys[want:]
			call.answer(5, nil)
		}
	})
}

func keysFrom(at, n int) (keys []string) {
	for i := range n {
		keys = append(keys, strconv.Itoa(at+i))
	}
	return keys
}

func TestCloseFailsWhoWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, g := New(Options[string]{Bytes: 1 << 20, Cost: cost, Parallel: 1}), newGate()
		answers := each(t, c, g.load, "0", "1", "2")
		if err := c.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, ch := range answers {
			want := ErrClosed
			if i == 0 {
				want = context.Canceled
			}
			if a := <-ch; !errors.Is(a.err, want) {
				t.Errorf("key %d: %v, want %v", i, a.err, want)
			}
		}
	})
}

// Whoever leaves while waiting leaves its keys with the others.
func TestLeavingTheQueue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, g := narrow(t, 1<<20, nil), newGate()
		each(t, c, g.load, "0")
		ctx, leave := context.WithCancel(t.Context())
		gone := async(ctx, c, posts("1"), g.load)
		synctest.Wait()
		stays := async(t.Context(), c, posts("1", "2"), g.load)
		synctest.Wait()
		leave()
		if a := <-gone; !errors.Is(a.err, context.Canceled) {
			t.Errorf("who left has %v", a.err)
		}
		(<-g.calls).answer(5, nil)
		(<-g.calls).answer(6, map[string]string{"1": "one", "2": "two"})
		if a := <-stays; a.err != nil || a.res.Docs[0].Value != "one" || a.res.Docs[1].Value != "two" {
			t.Errorf("who stayed has %+v", a)
		}
	})
}
