package projector_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector"
)

// place is what the checkpoint and freshet.lag say.
type place struct {
	watermark, complete pglogrepl.LSN
	lagging             bool
}

// eye looks over a connection of its own: those who write go on meanwhile.
type eye struct {
	t    *testing.T
	conn *pgx.Conn
	slot string
}

func (w *world) eye() *eye { return &eye{w.t, pgtest.Connect(w.t, w.url), w.slot} }

func (e *eye) place() place {
	e.t.Helper()
	var p place
	must(e.t, e.conn.QueryRow(context.Background(), `
SELECT watermark, complete, EXISTS (SELECT FROM freshet.lag WHERE model = 'Item' AND reason = 'fan-out') FROM freshet.checkpoint WHERE slot = $1`,
		e.slot).Scan(&p.watermark, &p.complete, &p.lagging))
	return p
}

// crowd gives all items to one owner, whose name is then in 12,000 documents.
func crowd(t *testing.T) *world {
	w := newWorld(t)
	w.exec("UPDATE tb_item SET owner_id = 1")
	return w
}

// hooked starts an engine whose fan-outs are in small chunks; f is called
// after each batch, while the engine waits.
func (w *world) hooked(f func(projector.BatchEvent)) *running {
	return w.start(func(c *projector.Config) {
		c.FanOut = 50
		c.Events.Batch = f
	})
}

// named counts the items whose document has the owner's name.
func (e *eye) exec(sql string) {
	e.t.Helper()
	_, err := e.conn.Exec(context.Background(), sql)
	must(e.t, err)
}

func (e *eye) named(name string) (n int) {
	e.t.Helper()
	must(e.t, e.conn.QueryRow(context.Background(), "SELECT count(*) FROM tv_item WHERE data->'owner'->>'name' = $1", name).Scan(&n))
	return n
}

func TestALargeFanOutDoesNotHoldUpWhatComesBehind(t *testing.T) {
	w := crowd(t)
	in, out := w.eye(), w.eye() // inside the engine's events, and outside
	var seen []place
	fresh := -1 // which batch has the small change
	var r *running
	done := make(chan struct{})
	started := false
	r = w.hooked(func(b projector.BatchEvent) {
		p := in.place()
		if !started && !p.lagging {
			return
		}
		if !started {
			started = true
			in.exec("UPDATE tb_item SET n = 7 WHERE id = 77") // behind it
		}
		var n int
		must(t, in.conn.QueryRow(context.Background(), "SELECT (data->>'n')::int FROM tv_item WHERE id = 77").Scan(&n))
		if n == 7 && fresh < 0 {
			fresh = len(seen)
		}
		if seen = append(seen, p); !p.lagging && fresh >= 0 {
			select {
			case <-done:
			default:
				close(done)
			}
		}
	})
	w.reach(r, projector.Streaming)
	w.exec("UPDATE tb_item SET n = 6 WHERE id = 77")
	w.exec("UPDATE tb_owner SET name = 'renamed' WHERE id = 1")
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatalf("not done in 20 s: %+v", out.place())
	}
	w.stop(r)
	if fresh < 0 || fresh > 2 || !seen[fresh].lagging {
		t.Errorf("the small change came with batch %d of %d after the large one", fresh, len(seen))
	}
	for i, p := range seen[:len(seen)-1] {
		if p.lagging && p.complete >= p.watermark {
			t.Errorf("batch %d: documents are put off, but complete is %s and the watermark %s", i, p.complete, p.watermark)
		}
	}
	if last := seen[len(seen)-1]; last.complete != last.watermark {
		t.Errorf("at the end complete is %s, the watermark %s", last.complete, last.watermark)
	}
	if n := out.named("renamed"); n != 12000 {
		t.Errorf("%d of 12,000 documents have the new name", n)
	}
	w.exact()
}

func TestAFanOutGoesOnAfterACrash(t *testing.T) {
	w := crowd(t)
	in, out := w.eye(), w.eye() // inside the engine's events, and outside
	cut := make(chan struct{})
	chunks := 0
	r := w.hooked(func(projector.BatchEvent) {
		if n := in.named("renamed"); n > 0 && n < 12000 {
			if chunks++; chunks == 2 {
				close(cut)
				// The engine's own connections are gone before it goes on.
				in.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'freshet projector%' AND datname = current_database()")
			}
		}
	})
	w.reach(r, projector.Streaming)
	w.exec("UPDATE tb_owner SET name = 'renamed' WHERE id = 1")
	select {
	case <-cut:
	case <-time.After(20 * time.Second):
		t.Fatal("the fan-out was not seen half done")
	}
	w.stop(r)
	p := out.place()
	if !p.lagging || p.complete >= p.watermark {
		t.Fatalf("after the crash: %+v", p)
	}
	r = w.hooked(nil)
	w.until(r, func() bool { return !out.place().lagging })
	w.stop(r)
	if n := out.named("renamed"); n != 12000 {
		t.Errorf("%d of 12,000 documents have the new name", n)
	}
	w.exact()
}

func TestAWantedDocumentComesBeforeItsTurn(t *testing.T) {
	w := crowd(t)
	in, out := w.eye(), w.eye() // inside the engine's events, and outside
	var asked pglogrepl.LSN
	var name string
	lagging := false
	r := w.hooked(func(b projector.BatchEvent) {
		switch p := in.place(); {
		case asked == 0 && p.lagging:
			in.exec(`SELECT pg_logical_emit_message(true, 'freshet', 'want {"Item": ["11999"], "Nobody": ["1"]}')`)
			must(t, in.conn.QueryRow(context.Background(), "SELECT pg_current_wal_insert_lsn()").Scan(&asked)) // behind its commit
			must(t, in.conn.QueryRow(context.Background(), "SELECT data->'owner'->>'name' FROM tv_item WHERE id = 11999").Scan(&name))
			if name == "renamed" {
				t.Error("the last document was among the first: the test proves nothing")
			}
		case asked != 0 && name != "renamed" && b.Watermark >= asked:
			lagging = p.lagging
			must(t, in.conn.QueryRow(context.Background(), "SELECT data->'owner'->>'name' FROM tv_item WHERE id = 11999").Scan(&name))
			if name != "renamed" {
				t.Errorf("the watermark %s has passed the wish at %s, but the document has the name %q", b.Watermark, asked, name)
			}
		}
	})
	w.reach(r, projector.Streaming)
	w.exec("UPDATE tb_owner SET name = 'renamed' WHERE id = 1")
	w.until(r, func() bool { p := out.place(); return p.complete == p.watermark && out.named("renamed") == 12000 })
	w.stop(r)
	if name != "renamed" || !lagging {
		t.Errorf("name %q, others still put off: %v", name, lagging)
	}
	w.exact()
}

func TestARowThatChangesAgainAndAgainIsNotFannedOutEachTime(t *testing.T) {
	w := crowd(t)
	out := w.eye()
	documents := 0
	r := w.hooked(func(b projector.BatchEvent) { documents += b.Upserted + b.Unchanged })
	w.reach(r, projector.Streaming)
	const times = 40
	for i := range times {
		w.exec("UPDATE tb_owner SET name = $1 WHERE id = 1", fmt.Sprintf("name %d", i))
	}
	last := fmt.Sprintf("name %d", times-1)
	w.until(r, func() bool { return out.named(last) == 12000 && !out.place().lagging })
	w.stop(r)
	w.exact()
	if documents > times*12000/2 {
		t.Errorf("%d documents were rebuilt for %d changes", documents, times)
	}
}

func TestSmallChangesTogetherStayWhole(t *testing.T) {
	w := newWorld(t) // 120 items for each owner
	out := w.eye()
	r := w.start(func(c *projector.Config) { c.FanOut = 200 })
	w.reach(r, projector.Streaming)
	torn := 0
	tx, err := w.conn.Begin(context.Background())
	must(t, err)
	_, err = tx.Exec(context.Background(), "UPDATE tb_owner SET name = 'all'")
	must(t, err)
	must(t, tx.Commit(context.Background()))
	w.until(r, func() bool {
		n := out.named("all")
		if n != 0 && n != 12000 {
			torn++
		}
		return n == 12000
	})
	w.stop(r)
	if torn > 0 {
		t.Errorf("a transaction of many ordinary changes was seen in part %d times", torn)
	}
	w.exact()
}

// until waits for a condition of the database while the engine runs.
func (w *world) until(r *running, ok func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			w.t.Fatalf("not so within 30 s: %+v", r.engine.Status())
		}
		time.Sleep(time.Millisecond)
	}
}
