package trials

import (
	"context"
	"runtime"
	"testing"
	"time"

	"freshet/projector"
)

// heap is what the process uses, after a collection.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// peak samples the heap until the returned function is called, which returns
// the highest.
func peak(t *testing.T) (stop func() int) {
	highest := 0
	end := background(t, func(ctx context.Context) error {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			highest = max(highest, int(m.HeapAlloc))
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return nil
			}
		}
	})
	return func() int { end(); return highest }
}

// TestHugeTransaction changes very many rows in one transaction: it comes
// whole, and memory does not grow with it.
func TestHugeTransaction(t *testing.T) {
	rows := sized(300_000, 5_000_000)
	w := newWorld(t)
	w.exec("DROP INDEX IF EXISTS tv_book_pages_id_idx")
	w.exec("INSERT INTO tb_book SELECT i, 1 + i % 50, 'book ' || i, 1 + i % 7 FROM generate_series(1001, $1::bigint) AS i", rows)
	r := w.start()
	r.streams(1)
	before, stop, began := heap(), peak(t), time.Now()
	w.exec("UPDATE tb_book SET pages = pages % 7 + 1")
	written := time.Since(began)
	w.settle()
	grown := stop() - before
	t.Logf("%d rows written in %s, and in their documents %s later; the heap grew by %d MB", rows, written.Round(time.Millisecond),
		(time.Since(began) - written).Round(time.Millisecond), grown>>20)
	if grown > 400<<20 {
		t.Errorf("the heap grew by %d MB", grown>>20)
	}
	wrong := ask[int](w, "SELECT count(*) FROM tb_book AS s FULL JOIN tv_book AS d USING (id) WHERE (d.data->>'pages')::int IS DISTINCT FROM s.pages")
	if wrong != 0 {
		t.Errorf("%d documents are wrong", wrong)
	}
	if told := r.told(); told.rebuilt > rows+1000 {
		t.Errorf("%d documents were rebuilt for %d rows", told.rebuilt, rows)
	}
	r.stop()
	w.nothingWaits()
}

// TestBacklogOfFewRows changes few rows very often while the engine is down:
// each is rebuilt once.
func TestBacklogOfFewRows(t *testing.T) {
	rounds := sized(100, 1000) // of a thousand changes
	w := newWorld(t)
	r := w.start()
	w.settled(r)
	r.stop()
	for range rounds {
		w.exec("UPDATE tb_book SET pages = pages % 7 + 1")
	}
	before, stop, began := heap(), peak(t), time.Now()
	r = w.start()
	r.streams(1)
	w.settle()
	told := r.told()
	t.Logf("%d changes of 1,000 rows: %d documents rebuilt in %s; the heap grew by %d MB", told.changes, told.rebuilt,
		time.Since(began).Round(time.Millisecond), (stop()-before)>>20)
	if told.changes != rounds*1000 {
		t.Errorf("%d changes, want %d", told.changes, rounds*1000)
	}
	if told.rebuilt > 1000+50+50 { // books, their authors, and what a batch checks by the way
		t.Errorf("%d documents were rebuilt for 1,000 books of 50 authors", told.rebuilt)
	}
	w.exact()
	r.stop()
	w.nothingWaits()
}

// TestNothingGrows makes very many small batches: the checkpoint, which every
// one of them updates, stays small, and so does what the engine remembers.
func TestNothingGrows(t *testing.T) {
	w := newWorld(t)
	r := w.start()
	r.streams(1)
	const size = "SELECT pg_total_relation_size('freshet.' || $1)::int"
	many := sized(1500, 25_000)
	w.batches(r, many)
	first, checkpoint, pending := heap(), ask[int](w, size, "checkpoint"), ask[int](w, size, "pending")
	w.batches(r, many)
	second := heap()
	t.Logf("after %d batches: heap %d KB, then %d KB; checkpoint %d KB, then %d KB", r.told().batches, first>>10, second>>10,
		checkpoint>>10, ask[int](w, size, "checkpoint")>>10)
	if second > first+4<<20 {
		t.Errorf("the heap grew from %d to %d bytes", first, second)
	}
	if n := ask[int](w, size, "checkpoint"); n > 512<<10 || n > 2*checkpoint+64<<10 {
		t.Errorf("the checkpoint's table grew from %d to %d bytes", checkpoint, n)
	}
	if n := ask[int](w, size, "pending"); n > pending+64<<10 {
		t.Errorf("freshet.pending grew to %d bytes", n)
	}
	w.exact()
	r.stop()
	w.nothingWaits()
}

// batches makes this many batches, one after the other.
func (w *world) batches(r *run, n int) {
	w.t.Helper()
	until := r.told().batches + n
	for i := 0; r.told().batches < until; i++ {
		had := r.told().batches
		w.exec("UPDATE tb_book SET title = 'growth ' || $1::text WHERE id = 1 + $1 % 1000", i)
		r.await("a batch", func(v *seen) bool { return v.batches > had })
	}
}

// TestLogIsTrimmed finds far more old entries than one trimming removes: all of
// them go, and what is young stays.
func TestLogIsTrimmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec(`INSERT INTO freshet.sync_log (slot, batch, model, operation, watermark, started_at, logged_at, duration_ms)
		SELECT $1, 0, 'Book', 'rebuild', '0/0', now(), now() - CASE WHEN i <= 35000 THEN interval '8 days' ELSE interval '6 days' END, 1
		FROM generate_series(1, 35100) AS i`, w.slot)
	r := w.start(func(c *projector.Config) { c.Retention = 7 * 24 * time.Hour })
	r.streams(1)
	eventually(w, 0, "SELECT count(*)::int FROM freshet.sync_log WHERE logged_at < now() - interval '7 days'")
	if n := ask[int](w, "SELECT count(*) FROM freshet.sync_log WHERE logged_at < now() - interval '5 days'"); n != 100 {
		t.Errorf("%d of 100 young entries are left", n)
	}
	r.stop()
}
