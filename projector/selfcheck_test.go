package projector_test

import (
	"sync"
	"testing"

	"freshet/projector"
)

// A document that was changed by hand is found in passing, told, and rebuilt.
func TestADocumentChangedByHandIsFoundAndMended(t *testing.T) {
	w := newWorld(t)
	w.exec("DELETE FROM tb_item WHERE id > 12")
	w.exec("DELETE FROM tb_owner WHERE id > 13") // 1 + id % 100: those that are left have none else
	out := w.eye()
	var mu sync.Mutex
	var found []projector.Divergence
	r := w.start(func(c *projector.Config) {
		c.Events.Diverged = func(d projector.Divergence) {
			mu.Lock()
			defer mu.Unlock()
			found = append(found, d)
		}
	})
	w.reach(r, projector.Streaming)
	w.exec(`UPDATE tv_item SET data = jsonb_set(data, '{n}', '99') WHERE id = 7`)
	w.until(r, func() bool {
		w.exec("UPDATE tb_item SET n = 1 + n % 7 WHERE id = 1") // the self-check goes along with batches
		mu.Lock()
		defer mu.Unlock()
		return len(found) > 0
	})
	w.until(r, func() bool {
		var n int
		must(t, out.conn.QueryRow(t.Context(), "SELECT count(*) FROM tv_item WHERE data->>'n' = '99'").Scan(&n))
		return n == 0
	})
	w.stop(r)
	if d := found[0]; d.Model != "Item" || d.Key != "7" || d.Kind != "data" || d.Path != "$.n" {
		t.Errorf("%+v", d)
	}
	if s := r.engine.Status(); s.Diverged != int64(len(found)) || s.Checked == 0 {
		t.Errorf("%d of %d", s.Diverged, s.Checked)
	}
	var logged int
	must(t, out.conn.QueryRow(t.Context(), "SELECT count(*) FROM freshet.sync_log WHERE NOT success AND operation = 'repair' AND keys = '{7}' AND error LIKE '%data $.n'").Scan(&logged))
	if logged != len(found) {
		t.Errorf("%d of %d in the log", logged, len(found))
	}
	w.exact()
}
