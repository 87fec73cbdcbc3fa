package cache

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seedFlag  = flag.Uint64("cache.seed", 0, "run the interleaving tests with this seed alone")
	runsFlag  = flag.Int("cache.runs", 150, "random interleavings to test")
	stepsFlag = flag.Int("cache.steps", 400, "steps of each")
)

// TestInterleavings runs random interleavings of commits, the feed's steps,
// reads, and fills that stop before and after their snapshot, one step at a
// time, against a model of the database. What must hold after each step: no
// read is answered with less than the feed has told before it, than the
// watermark it is said to be served under, and than it asked for.
func TestInterleavings(t *testing.T) {
	seeds := []uint64{*seedFlag}
	if *seedFlag == 0 {
		seeds = nil
		for i := range *runsFlag {
			seeds = append(seeds, uint64(i+1))
		}
	}
	var total Stats
	largest := 0
	for _, seed := range seeds {
		bubble(t, func(t *testing.T) {
			w := newWorld(t, seed)
			for range *stepsFlag {
				w.step()
			}
			w.settle()
			total = total.Add(w.c.Total())
			largest = max(largest, w.largest)
		})
		if t.Failed() {
			t.Fatalf("replay with -cache.seed=%d", seed)
		}
	}
	t.Logf("%d interleavings, loads of up to %d keys: %+v", len(seeds), largest, total)
	// A request has three keys at most.
	if *seedFlag == 0 && (largest <= 3 || total.Hits == 0 || total.AbsentHits == 0 || total.Joins == 0 || total.Rejected == 0) {
		t.Error("the interleavings do not reach every case")
	}
}

// world is one interleaving.
type world struct {
	t    *testing.T
	r    *rand.Rand
	db   *sim
	c    *Cache[string]
	fed  int // batches the feed has done
	mark lsn // local watermark

	loads   []*load    // before or after their snapshot
	largest int        // keys of the largest load
	arrived chan *load // loads that have just begun
	lists   []list
	reads   sync.WaitGroup
}

type load struct {
	keys []string
	read bool
	got  Loaded[string]
	out  chan Loaded[string]
}

type list struct {
	token Token
	read  bool
	got   Loaded[string]
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, r: rand.New(rand.NewPCG(seed, 1)), db: newSim(), mark: 100, arrived: make(chan *load, 100)}
	// Either all keys share one stamp, or none do: so that a seed replays,
	// though hashes differ from run to run.
	shards, stamps := 1, 1
	if seed%2 == 0 {
		shards, stamps = 2, 4096
	}
	w.c = New(Options[string]{
		Bytes: 1 << 16, Shards: shards, Stamps: stamps, Cost: cost, LoadTimeout: time.Hour,
		Parallel:  int(1 + seed%3), // loads gather more or less often
		Watermark: func() lsn { return w.mark },
	})
	return w
}

func (w *world) step() {
	switch w.r.IntN(12) {
	case 0, 1:
		w.db.commit(w.r)
	case 2, 3:
		w.feed()
	case 4, 5:
		w.fetch()
	case 6, 7, 8:
		w.move()
	case 9:
		w.list()
	case 10:
		w.get()
	case 11:
		if w.r.IntN(40) == 0 {
			w.startOver()
		}
	}
	w.rest()
}

// rest waits until nothing moves any more, and takes over the loads begun.
func (w *world) rest() {
	synctest.Wait()
	for len(w.arrived) > 0 {
		w.loads = append(w.loads, <-w.arrived)
	}
}

// feed does the next batch: invalidations first, then the watermark.
func (w *world) feed() {
	if w.fed == w.db.len()-1 {
		return
	}
	b := w.db.at(w.fed + 1)
	b.apply(w.c)
	w.fed++
	w.mark = b.watermark
}

// startOver is the feed after it has missed rows.
func (w *world) startOver() {
	head := w.db.len() - 1
	if w.r.IntN(2) == 0 {
		w.db.commit(w.r) // after the head was read
	}
	w.c.Purge()
	w.fed, w.mark = head, w.db.at(head).watermark
}

func (w *world) fetch() {
	req := Request{Model: "Post", Bypass: w.r.IntN(10) == 0}
	var ks []int
	for range 1 + w.r.IntN(3) {
		k := w.r.IntN(simKeys)
		ks = append(ks, k)
		req.Keys = append(req.Keys, key(k))
	}
	switch w.r.IntN(4) {
	case 0: // has waited
		req.MinLSN = w.mark - lsn(w.r.IntN(10))
	case 1: // has not
		req.MinLSN = w.mark + lsn(w.r.IntN(20))
	}
	known := w.fed
	w.reads.Go(func() {
		res, err := w.c.Fetch(context.Background(), req, w.load)
		w.judge(req, ks, known, res, err)
	})
}

// load stops before and after its snapshot until it is moved on.
func (w *world) load(_ context.Context, keys []string) (Loaded[string], error) {
	l := &load{keys: keys, out: make(chan Loaded[string])}
	w.arrived <- l
	return <-l.out, nil
}

func (w *world) judge(req Request, ks []int, known int, res Result[string], err error) {
	if err != nil {
		if req.MinLSN == 0 || !errors.Is(err, ErrTooOld) {
			w.t.Errorf("Fetch %+v: %v", req, err)
		}
		return
	}
	if res.Watermark < req.MinLSN {
		w.t.Errorf("answer at %s, asked for %s", res.Watermark, req.MinLSN)
	}
	for i, d := range res.Docs {
		for _, batch := range []int{known, w.db.reached(res.Watermark), w.db.reached(req.MinLSN)} {
			if err := w.db.check(ks[i], d, batch); err != nil {
				w.t.Errorf("Fetch %+v = %+v, fed %d: %v", req, res, known, err)
			}
		}
	}
}

// move lets some load take its snapshot, or return.
func (w *world) move() {
	if len(w.loads) == 0 {
		return
	}
	i := w.r.IntN(len(w.loads))
	l := w.loads[i]
	if !l.read {
		w.largest = max(w.largest, len(l.keys))
		l.got, l.read = w.db.read(l.keys), true
		return
	}
	w.loads = append(w.loads[:i], w.loads[i+1:]...)
	l.out <- l.got
}

// list begins a list query, takes its snapshot, or puts what it has brought.
func (w *world) list() {
	if len(w.lists) < 3 {
		w.lists = append(w.lists, list{token: w.c.Begin()})
		return
	}
	l := &w.lists[w.r.IntN(3)]
	if !l.read {
		l.got, l.read = w.db.read([]string{"0", "1", "2", "3", "4", "5"}), true
		return
	}
	for k, v := range l.got.Values {
		w.c.Put(l.token, "Post", k, v, l.got.Watermark)
	}
	*l = list{token: w.c.Begin()}
}

// get compares all that is cached with what the feed has told.
func (w *world) get() {
	for k := range simKeys {
		v, state := w.c.Get("Post", key(k))
		if state == Miss {
			continue
		}
		if err := w.db.check(k, Doc[string]{v, state == Present}, w.fed); err != nil {
			w.t.Errorf("Get, fed %d: %v", w.fed, err)
		}
	}
}

// settle lets everything come to rest: then what is cached is exact, and a
// fill is stored.
func (w *world) settle() {
	for w.fed < w.db.len()-1 {
		w.feed()
	}
	for len(w.loads) > 0 {
		w.move()
		w.rest()
	}
	w.reads.Wait()
	last := w.db.at(w.db.len() - 1)
	for k := range simKeys {
		w.get()
		req := Request{Model: "Post", Keys: []string{key(k)}, MinLSN: w.mark}
		res, err := w.c.Fetch(context.Background(), req, func(_ context.Context, keys []string) (Loaded[string], error) {
			return w.db.read(keys), nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
		want := last.versions[k]
		if d := res.Docs[0]; d.Present != (want > 0) || d.Present && d.Value != strconv.Itoa(want) {
			w.t.Errorf("at rest key %d is %+v, want version %d", k, d, want)
		}
		if _, state := w.c.Get("Post", key(k)); state == Miss {
			w.t.Errorf("at rest a fill of key %d was not stored", k)
		}
	}
	if err := w.c.Close(context.Background()); err != nil {
		w.t.Error(err)
	}
}

// TestConcurrentReads is the same promise with real concurrency, for the race
// detector and for the windows inside one step.
func TestConcurrentReads(t *testing.T) {
	db := newSim()
	var fed atomic.Int64
	var mark atomic.Uint64
	mark.Store(100)
	c := New(Options[string]{
		Bytes: 1 << 16, Shards: 2, Stamps: 8, Cost: cost, Parallel: 2,
		Watermark: func() lsn { return lsn(mark.Load()) },
	})
	ctx, stop := context.WithTimeout(t.Context(), time.Second)
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() { // the projector and the feed
		r := rand.New(rand.NewPCG(1, 2))
		for ctx.Err() == nil {
			db.commit(r)
			for i := int(fed.Load()) + 1; i < db.len(); i++ {
				b := db.at(i)
				b.apply(c)
				fed.Store(int64(i))
				mark.Store(uint64(b.watermark))
			}
			time.Sleep(time.Duration(r.IntN(200)) * time.Microsecond)
		}
	})
	var reads atomic.Int64
	for n := range 6 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(n), 3))
			for ctx.Err() == nil && !t.Failed() {
				concurrentRead(t, r, db, c, &fed, &mark)
				reads.Add(1)
			}
		})
	}
	wg.Wait()
	if err := c.Close(t.Context()); err != nil {
		t.Error(err)
	}
	t.Logf("%d reads, %d batches: %+v", reads.Load(), db.len(), c.Total())
}

func concurrentRead(t *testing.T, r *rand.Rand, db *sim, c *Cache[string], fed *atomic.Int64, mark *atomic.Uint64) {
	load := func(_ context.Context, keys []string) (Loaded[string], error) {
		pause(r.IntN(3))
		got := db.read(keys)
		pause(len(got.Values) % 3)
		return got, nil
	}
	known := int(fed.Load())
	k := r.IntN(simKeys)
	switch r.IntN(6) {
	case 0:
		token := c.Begin()
		got, _ := load(nil, []string{key(k)})
		if v, ok := got.Values[key(k)]; ok {
			c.Put(token, "Post", key(k), v, got.Watermark)
		}
	case 1, 2:
		if v, state := c.Get("Post", key(k)); state != Miss {
			report(t, db.check(k, Doc[string]{v, state == Present}, known))
		}
	default:
		req := Request{Model: "Post", Keys: []string{key(k), key((k + 1) % simKeys)}, MinLSN: lsn(mark.Load())}
		res, err := c.Fetch(context.Background(), req, load)
		report(t, err)
		for i, d := range res.Docs {
			report(t, db.check((k+i)%simKeys, d, max(known, db.reached(req.MinLSN))))
		}
	}
}

func pause(n int) {
	if n > 0 {
		time.Sleep(time.Duration(n*50) * time.Microsecond)
	}
}

func report(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
