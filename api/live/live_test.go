package live

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"go.uber.org/goleak"

	"freshet/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// data is what fake queries answer from: a value of each document.
type data struct {
	mu     sync.Mutex
	values map[string]string
	lsn    pglogrepl.LSN
	err    error
	runs   int
	// during is called while a query is evaluated, after it has read.
	during func()
}

func (d *data) set(key, value string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.values[key] = value
	d.lsn++
}

func (d *data) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.runs
}

// documents is a query for some documents of M.
type documents struct {
	d    *data
	keys []string
}

func (q documents) Evaluate(context.Context) (Answer, error) {
	q.d.mu.Lock()
	a, during := Answer{LSN: q.d.lsn}, q.d.during
	var body []string
	for _, key := range q.keys {
		body = append(body, q.d.values[key])
		a.Depends.Documents = append(a.Depends.Documents, Document{"M", key})
	}
	a.Body = []byte(strings.Join(body, ","))
	err := q.d.err
	q.d.runs++
	q.d.mu.Unlock()
	if during != nil {
		during()
	}
	return a, err
}

// list is a query for a page that depends on columns.
type list struct {
	d       *data
	columns []string
}

func (q list) Evaluate(context.Context) (Answer, error) {
	q.d.mu.Lock()
	defer q.d.mu.Unlock()
	q.d.runs++
	return Answer{Body: []byte("page"), LSN: q.d.lsn, Depends: Dependencies{Pages: []Page{{Model: "M", Columns: q.columns}}}}, nil
}

// world is a hub with a feed that the test moves.
type world struct {
	*data
	t    *testing.T
	hub  *Hub
	feed cache.Listener
}

func newWorld(t *testing.T, cfg Config) *world {
	t.Helper()
	w := &world{data: &data{values: map[string]string{}, lsn: 100}, t: t, hub: New(cfg)}
	w.feed = w.hub.Listener()
	t.Cleanup(func() {
		if err := w.hub.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return w
}

// tell has the feed tell of a change.
func (w *world) tell(ch cache.Change) {
	ch.Model = "M"
	w.feed.Change(ch)
	w.feed.Advanced(w.lsn)
}

// reader is a subscriber.
type reader struct {
	t    *testing.T
	sub  *Subscription
	wake chan struct{}
}

func (w *world) subscribe(name string, q Query, o Options) *reader {
	w.t.Helper()
	r := &reader{t: w.t, wake: make(chan struct{}, 1)}
	o.Notify = func() {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
	var key Key
	copy(key[:], name)
	sub, err := w.hub.Subscribe(key, q, o)
	if err != nil {
		w.t.Fatal(err)
	}
	r.sub = sub
	w.t.Cleanup(sub.End)
	return r
}

// expect waits for a message.
func (r *reader) expect(want string) Message {
	r.t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		if m, ok := r.sub.Take(); ok {
			if string(m.Body) != want {
				r.t.Fatalf("got %q, want %q", m.Body, want)
			}
			return m
		}
		select {
		case <-r.wake:
		case <-deadline:
			r.t.Fatalf("no message; want %q", want)
		}
	}
}

// quiet waits until nothing is evaluated, and checks that there is no message.
func (w *world) quiet(readers ...*reader) {
	w.t.Helper()
	w.idle()
	for _, r := range readers {
		if m, ok := r.sub.Take(); ok {
			w.t.Errorf("a message: %q", m.Body)
		}
	}
}

func (w *world) idle() {
	w.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		w.hub.mu.Lock()
		idle := len(w.hub.queue) == 0 && len(w.hub.running) == 0
		w.hub.mu.Unlock()
		if idle {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatal("it is never idle")
		}
	}
}

// TestEvaluatesWhatIsTouched: changes of other documents and columns cost
// nothing, and those who ask the same share one evaluation.
func TestEvaluatesWhatIsTouched(t *testing.T) {
	w := newWorld(t, Config{})
	w.set("1", "a")
	one := w.subscribe("one", documents{w.data, []string{"1"}}, Options{})
	one.expect("a")
	same := w.subscribe("one", documents{w.data, []string{"1"}}, Options{})
	same.expect("a")
	absent := w.subscribe("two", documents{w.data, []string{"2"}}, Options{})
	absent.expect("")
	page := w.subscribe("page", list{w.data, []string{"at"}}, Options{})
	page.expect("page")
	w.quiet(one, same, absent, page)
	if s := w.hub.Stats(); s.Queries != 3 || s.Subscriptions != 4 {
		t.Errorf("%+v", s)
	}
	for i, c := range []struct {
		change cache.Change
		runs   int
	}{
		{cache.Change{Keys: []string{"3"}}, 0},
		{cache.Change{Keys: []string{"3"}, Moved: []string{"by"}}, 0},
		{cache.Change{Keys: []string{"3"}, Moved: []string{"by", "at"}}, 1},
		{cache.Change{Keys: []string{"3"}, Moved: []string{cache.AnyColumn}}, 1},
		{cache.Change{Keys: []string{"1"}}, 1},
		{cache.Change{DeletedKeys: []string{"2", "1"}, Moved: []string{cache.AnyColumn}}, 3},
		{cache.Change{Whole: true}, 3},
	} {
		before := w.count()
		w.tell(c.change)
		w.idle()
		if got := w.count() - before; got != c.runs {
			t.Errorf("%d: %d evaluations, want %d", i, got, c.runs)
		}
	}
	w.quiet(one, same, absent, page) // nothing differs
	w.set("1", "b")
	w.set("2", "c")
	w.feed.Reset(5)
	one.expect("b")
	same.expect("b")
	absent.expect("c")
}

// TestChangeDuringEvaluation: a change that comes after a query has read, and
// before it is known what it depends on, is not lost.
func TestChangeDuringEvaluation(t *testing.T) {
	w := newWorld(t, Config{})
	w.set("1", "old")
	once := sync.OnceFunc(func() {
		w.set("1", "new")
		w.tell(cache.Change{Keys: []string{"1"}})
	})
	w.during = once
	r := w.subscribe("one", documents{w.data, []string{"1"}}, Options{})
	if m, _ := w.take(r); string(m.Body) == "old" {
		r.expect("new")
	} else if string(m.Body) != "new" {
		t.Errorf("%q", m.Body)
	}
}

// take waits for a message, whatever it is.
func (w *world) take(r *reader) (Message, bool) {
	w.t.Helper()
	for deadline := time.After(10 * time.Second); ; {
		if m, ok := r.sub.Take(); ok {
			return m, true
		}
		select {
		case <-r.wake:
		case <-deadline:
			w.t.Fatal("no message")
		}
	}
}

// TestSlowSubscriber: only the newest answer waits, and none if it is the one
// that was taken last.
func TestSlowSubscriber(t *testing.T) {
	w := newWorld(t, Config{})
	w.set("1", "a")
	r := w.subscribe("one", documents{w.data, []string{"1"}}, Options{})
	m := r.expect("a")
	step := func(value string) {
		w.set("1", value)
		w.tell(cache.Change{Keys: []string{"1"}})
		w.idle()
	}
	for i := range 50 {
		step(fmt.Sprint("b", i))
	}
	if n := r.expect("b49"); n.ID.LSN <= m.ID.LSN {
		t.Errorf("%v after %v", n.ID, m.ID)
	}
	if s := w.hub.Stats(); s.Coalesced != 49 || s.Messages != 2 {
		t.Errorf("%+v", s)
	}
	step("c")
	step("b49")
	w.quiet(r)
}

// TestHave: who has an answer gets nothing until there is another; and LSNs
// never go down, but when the feed starts over.
func TestHave(t *testing.T) {
	w := newWorld(t, Config{})
	w.set("1", "a")
	r := w.subscribe("one", documents{w.data, []string{"1"}}, Options{Have: TagOf([]byte("a")), Floor: 500})
	w.quiet(r)
	w.set("1", "b")
	w.tell(cache.Change{Keys: []string{"1"}})
	if m := r.expect("b"); m.ID.LSN != 500 {
		t.Errorf("%v", m.ID)
	}
	w.set("1", "c")
	w.feed.Reset(5)
	if m := r.expect("c"); m.ID.LSN != 103 {
		t.Errorf("%v", m.ID)
	}
}

// TestFailures: an evaluation that fails is tried again, and ends nothing.
func TestFailures(t *testing.T) {
	var mu sync.Mutex
	told := 0
	w := newWorld(t, Config{Workers: 2, RetryMin: time.Millisecond, RetryMax: 5 * time.Millisecond, OnError: func(error) {
		mu.Lock()
		defer mu.Unlock()
		told++
	}})
	w.set("1", "a")
	w.err = errors.New("away")
	var readers []*reader
	for i := range 20 {
		readers = append(readers, w.subscribe(fmt.Sprint(i), documents{w.data, []string{"1"}}, Options{}))
	}
	for deadline := time.Now().Add(10 * time.Second); w.hub.Stats().Failures < 10; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is not tried again")
		}
	}
	w.mu.Lock()
	w.err = nil
	w.mu.Unlock()
	for _, r := range readers {
		r.expect("a")
	}
	mu.Lock()
	defer mu.Unlock()
	if told < 10 {
		t.Errorf("%d failures were told", told)
	}
}

// panics is a query that panics.
type panics struct{}

func (panics) Evaluate(context.Context) (Answer, error) { panic("oh") }

// TestLimits: a full hub refuses, one that is closed too, and a panic is an
// error like others.
func TestLimits(t *testing.T) {
	failed := make(chan error, 1)
	w := newWorld(t, Config{Max: 1, OnError: func(err error) {
		select {
		case failed <- err:
		default:
		}
	}})
	r := w.subscribe("panics", panics{}, Options{})
	if err := <-failed; !strings.Contains(err.Error(), "oh") {
		t.Error(err)
	}
	if _, err := w.hub.Subscribe(Key{1}, panics{}, Options{}); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	r.sub.End()
	r.sub.End()
	second := w.subscribe("second", documents{w.data, []string{"1"}}, Options{})
	second.expect("")
	second.sub.End()
	w.idle()
	if len(w.hub.queries) != 0 || len(w.hub.index["M"].documents) != 0 {
		t.Error("something is left of those who have gone")
	}
	w.hub.Shutdown()
	if _, err := w.hub.Subscribe(Key{2}, panics{}, Options{}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	<-w.hub.Context().Done()
}

func TestID(t *testing.T) {
	id := ID{LSN: 0x16B3748, Tag: TagOf([]byte("x"))}
	if got, err := ParseID(id.String()); err != nil || got != id {
		t.Errorf("%v %v", got, err)
	}
	if got, err := ParseID("0/16B3748"); err != nil || got.LSN != id.LSN || got.Tag != (Tag{}) {
		t.Errorf("%v %v", got, err)
	}
	for _, bad := range []string{"", "x", "0/1-", "0/1-zz", id.String() + "00", "-" + id.String()} {
		if _, err := ParseID(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestRecent: changes that nobody needs any more are dropped, and too many are
// as good as a change of everything.
func TestRecent(t *testing.T) {
	var r recent
	deps := Dependencies{Documents: []Document{{"M", "1"}}}
	at := r.now()
	r.add(cache.Change{Model: "M", Keys: []string{"2"}})
	if r.touched(at, &deps) {
		t.Error("another key touches it")
	}
	r.add(cache.Change{Model: "M", Keys: []string{"1"}})
	if !r.touched(at, &deps) || r.touched(r.now(), &deps) {
		t.Error("its own key does not touch it, or one of before does")
	}
	r.forget(r.now())
	if len(r.changes) != 0 || r.keys != 0 {
		t.Errorf("%+v", r)
	}
	at = r.now()
	for range 3 {
		r.add(cache.Change{Model: "N", Keys: make([]string, maxRecent)})
	}
	if !r.touched(at, &deps) || len(r.changes) != 1 {
		t.Errorf("%d changes are kept", len(r.changes))
	}
}
