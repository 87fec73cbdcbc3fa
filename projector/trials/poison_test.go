package trials

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/status"
	"freshet/projector/synclog"
)

// TestPoisonIsToldAndTriedAgain makes rows that have no document, of several
// kinds: each waits with its own error, is tried again after longer and longer
// waits, is seen in status and log, stops nobody, and heals by itself.
func TestPoisonIsToldAndTriedAgain(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	r := w.start()
	r.streams(1)
	// Division by zero, and an overflow of the type that the model declares.
	w.exec("UPDATE tb_book SET pages = 0 WHERE id = 7")
	r.await("the quarantine is told", func(v *seen) bool { return v.quarantined > 0 })
	w.exec("UPDATE tb_book SET title = 'others go on' WHERE id <> 7 AND id < 100")
	w.settle()
	if n := ask[int](w, "SELECT count(*) FROM tv_book WHERE id < 100 AND data->>'title' = 'others go on'"); n != 98 {
		t.Errorf("%d of 98 other books are right", n)
	}
	if title := ask[string](w, "SELECT data->>'title' FROM tv_book WHERE id = 7"); title != "book 7" {
		t.Errorf("the last good document is not served, but %q", title)
	}
	eventually(w, true, "SELECT attempts >= 3 FROM freshet.pending WHERE model = 'Book' AND key = '7'")
	if waits := ask[float64](w, "SELECT extract(epoch FROM next_try_at - clock_timestamp())::float8 FROM freshet.pending WHERE key = '7'"); waits < 2 {
		t.Errorf("after three tries the next comes in %.1f s", waits)
	}
	state, err := status.Read(ctx, w.conn, w.slot)
	must(t, err)
	if len(state.Pending) != 1 || state.Pending[0].Key != "7" || state.Pending[0].Error == nil || !strings.Contains(*state.Pending[0].Error, "division by zero") ||
		state.Pending[0].Attempts < 3 {
		t.Errorf("status says of it: %+v", state.Pending)
	}
	log, err := synclog.Query(ctx, w.conn, synclog.Filter{Model: "Book", Key: "7", Failed: true})
	must(t, err)
	if len(log) < 3 || log[0].Error == nil || !strings.Contains(*log[0].Error, "division by zero") {
		t.Errorf("the log has %d failures of it", len(log))
	}
	r.stop() // it is remembered over a restart
	r = w.start()
	r.streams(1)
	w.exec("UPDATE tb_book SET pages = 3 WHERE id = 7")
	w.settle()
	w.exact()
	w.nothingWaits()
	r.stop()
}

const oddities = `
CREATE TABLE tb_odd (id bigint PRIMARY KEY, name text NOT NULL, price numeric, factor double precision, at timestamptz, day date, span interval, extra jsonb);
INSERT INTO tb_odd (id, name) SELECT i, 'odd ' || i FROM generate_series(1, 20) AS i`

const odditiesFile = `
type Odd @table(name: "tb_odd") {
  id: ID!
  name: String! @index
  price: Decimal
  factor: Float
  at: DateTime
  day: Date
  extra: JSON
}`

// TestValuesThatJSONCannotHold writes what has no place in JSON, or in an
// index: it becomes a document that is right, or it is set aside alone.
func TestValuesThatJSONCannotHold(t *testing.T) {
	t.Parallel()
	w := worldOf(t, pgtest.Server(t), oddities, odditiesFile)
	r := w.start()
	r.streams(1)
	for i, set := range []string{
		"price = 'NaN'", "price = 'Infinity'", "price = '-Infinity'", "price = 1e130000", "price = 1e-16000",
		"factor = 'NaN'", "factor = 'Infinity'", "factor = 5e-324", "factor = 1.7976931348623157e308",
		"at = 'infinity'", "at = '-infinity'", "at = '4000-01-01 BC'", "at = '290000-01-01'", "day = 'infinity'", "day = '4000-01-01 BC'",
		`extra = '{"n": 1e1000, "t": "\\u00e4", "deep": ` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}'`,
		"name = (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 300) AS i)", // longer than an index can hold
	} {
		w.exec("UPDATE tb_odd SET "+set+" WHERE id = $1", 1+i)
	}
	w.exec("UPDATE tb_odd SET name = 'after all of them' WHERE id = 20")
	w.settle()
	if name := ask[string](w, "SELECT data->>'name' FROM tv_odd WHERE id = 20"); name != "after all of them" {
		t.Errorf("the row behind them is %q", name)
	}
	for _, p := range w.pending() {
		t.Logf("set aside: %s", p)
	}
	if n := ask[int](w, "SELECT count(*) FROM freshet.pending WHERE key = '17' AND error LIKE '%index row%'"); n != 1 {
		t.Error("a name that the index cannot hold is not set aside")
	}
	if n := ask[int](w, "SELECT count(*) FROM freshet.pending"); n != 1 {
		t.Errorf("%d documents are set aside", n)
	}
	w.exec("UPDATE tb_odd SET name = 'short' WHERE id = 17")
	w.settle()
	w.exact()
	w.nothingWaits()
	r.stop()
}

func (w *world) pending() []string {
	return ask[[]string](w, "SELECT coalesce(array_agg(format('%s %s: %s', model, left(key, 40), error)), '{}') FROM freshet.pending")
}

// TestManyPoisonRows has one poison row change all the time, and then sets very
// many rows aside at once: others must not become slow.
func TestManyPoisonRows(t *testing.T) {
	w := newWorld(t)
	w.exec("INSERT INTO tb_book SELECT i, 1 + i % 50, 'book ' || i, 1 + i % 7 FROM generate_series(1001, 10000) AS i")
	r := w.start()
	r.streams(1)
	w.settle()
	const change = "UPDATE tb_book SET title = title || '.' WHERE id IN (9001, $1)"
	healthy, _ := w.pace(100, change, 4)
	w.exec("UPDATE tb_book SET pages = 0 WHERE id = 4")
	hot, _ := w.pace(100, change, 4)
	t.Logf("%s without poison, %s with a poison row in each batch", healthy, hot)
	began := time.Now()
	w.exec("UPDATE tb_book SET pages = 0 WHERE id % 2 = 0")
	r.await("all are set aside", func(v *seen) bool { return v.quarantined >= 5000 })
	aside := time.Since(began)
	w.settle()
	if n := ask[int](w, "SELECT count(*) FROM freshet.pending"); n != 5000 {
		t.Errorf("%d of 5,000 are pending", n)
	}
	beside, worst := w.pace(200, change, 9003) // while they are tried again and again
	t.Logf("a change until it is in its document: %s without poison, %s with a poison row in each batch, %s (%s at worst) beside 5,000 of them",
		healthy, hot, beside, worst)
	if limit := max(10*healthy, 200*time.Millisecond); hot > limit || beside > limit {
		t.Errorf("poison rows make others slow: more than %s", limit)
	}
	began = time.Now()
	w.exec("UPDATE tb_book SET pages = 1 WHERE pages = 0")
	w.settle()
	t.Logf("5,000 of 10,000 rows set aside in %s, healed in %s", aside.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	w.exact()
	w.nothingWaits()
	r.stop()
}

// pace is how long a change takes until it is in its document: on average, and
// at worst.
func (w *world) pace(n int, sql string, args ...any) (average, worst time.Duration) {
	w.t.Helper()
	began := time.Now()
	for range n {
		one := time.Now()
		w.exec(sql, args...)
		want := ask[string](w, "SELECT title FROM tb_book WHERE id = 9001")
		for time.Since(one) < deadline() && ask[string](w, "SELECT data->>'title' FROM tv_book WHERE id = 9001") != want {
			time.Sleep(time.Millisecond)
		}
		worst = max(worst, time.Since(one))
	}
	return (time.Since(began) / time.Duration(n)).Round(100 * time.Microsecond), worst.Round(time.Millisecond)
}

// TestTextTooLargeForJSON is for a long run: a quarter of a gigabyte in a
// column cannot be a JSON string. It is set aside, and the stream goes on.
func TestTextTooLargeForJSON(t *testing.T) {
	if !*full {
		t.Skip("only with -trials.full: it takes a gigabyte of memory")
	}
	w := worldOf(t, pgtest.Server(t), oddities, strings.Replace(odditiesFile, " @index", "", 1))
	r := w.start()
	r.streams(1)
	w.exec(fmt.Sprintf("UPDATE tb_odd SET name = repeat('x', %d) WHERE id = 1", 270_000_000))
	w.exec("UPDATE tb_odd SET name = 'after' WHERE id = 2")
	w.settle()
	if n := ask[int](w, "SELECT count(*) FROM freshet.pending WHERE key = '1'"); n != 1 {
		t.Errorf("it is not set aside: %v", w.pending())
	}
	w.exec("UPDATE tb_odd SET name = 'short' WHERE id = 1")
	w.settle()
	w.exact()
	w.nothingWaits()
	r.stop()
}
