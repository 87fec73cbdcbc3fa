package live

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"freshet/cache"
)

// board is a query for a page that only documents with some value concern.
type board struct {
	d     *data
	value string
}

func (q board) Evaluate(context.Context) (Answer, error) {
	q.d.mu.Lock()
	defer q.d.mu.Unlock()
	q.d.runs++
	return Answer{Body: fmt.Append(nil, q.d.values["in "+q.value]), LSN: q.d.lsn, Depends: Dependencies{
		Documents: []Document{{"M", "on " + q.value}},
		Pages:     []Page{{Model: "M", Columns: []string{"by"}, Only: &Only{Column: "by", Values: []string{q.value}}}},
	}}, nil
}

// TestOnly: of many pages those are evaluated that a document has come into, and
// all where that cannot be told.
func TestOnly(t *testing.T) {
	var fail error
	asked := 0
	w := newWorld(t, Config{})
	w.hub.cfg.Values = func(_ context.Context, model string, keys, columns []string) (map[string][]string, error) {
		asked++
		if model != "M" || len(columns) != 1 || columns[0] != "by" {
			t.Errorf("asked for %v of %s", columns, model)
		}
		return map[string][]string{"by": keys}, fail // a key is its own value
	}
	var readers []*reader
	for i := range 10 {
		value := fmt.Sprint(i)
		r := w.subscribe(value, board{w.data, value}, Options{})
		r.expect("")
		readers = append(readers, r)
	}
	w.idle()
	for i, c := range []struct {
		change      cache.Change
		runs, asked int
	}{
		{cache.Change{Keys: []string{"3"}}, 0, 0},                                        // nothing moved
		{cache.Change{Keys: []string{"3", "x"}, Moved: []string{cache.AnyColumn}}, 1, 1}, // came into one
		{cache.Change{Keys: []string{"3", "4"}, Moved: []string{"by"}}, 2, 1},
		{cache.Change{Keys: []string{"on 5"}}, 1, 0},
		{cache.Change{DeletedKeys: []string{"on 6", "3"}, Moved: []string{cache.AnyColumn}}, 1, 0},
		{cache.Change{Whole: true}, 10, 0},
	} {
		runs, was := w.count(), asked
		w.tell(c.change)
		w.settled()
		if w.count()-runs != c.runs || asked-was != c.asked {
			t.Errorf("%d: %d evaluations and %d questions", i, w.count()-runs, asked-was)
		}
	}
	fail = errors.New("away")
	runs := w.count()
	w.tell(cache.Change{Keys: []string{"3"}, Moved: []string{cache.AnyColumn}})
	w.settled()
	if n := w.count() - runs; n != 10 {
		t.Errorf("%d evaluations", n)
	}
	for _, r := range readers {
		r.sub.End()
	}
	if m := w.hub.index["M"]; len(m.only) != 0 || len(m.documents) != 0 {
		t.Errorf("%+v is left", m)
	}
}

// settled waits until strangers were looked at, and nothing is evaluated.
func (w *world) settled() {
	w.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		w.hub.mu.Lock()
		looking := w.hub.looking
		w.hub.mu.Unlock()
		if !looking {
			break
		}
		if time.Now().After(deadline) {
			w.t.Fatal("it looks forever")
		}
	}
	w.idle()
}
