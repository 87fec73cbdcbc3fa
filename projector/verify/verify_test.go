package verify_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"freshet/projector/verify"
)

// TestFindsAndRepairs has each kind of difference found, with its place, and
// mended by the engine.
func TestFindsAndRepairs(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.right(2700)
	w.exec(`UPDATE tv_item SET data = jsonb_set(data, '{owner,name}', '"by hand"') WHERE id = 'item 1'`)
	w.exec(`UPDATE tv_item SET data = data - 'n' WHERE id = 'item 2'`)
	w.exec(`UPDATE tv_item SET data = jsonb_set(data, '{meta}', '{"a": 1.00}') WHERE id = 'item 3'`)
	w.exec(`UPDATE tv_item SET n = 99 WHERE id = 'item 4'`)
	w.exec(`DELETE FROM tv_item WHERE id = 'item 5'`)
	w.exec(`INSERT INTO tv_item SELECT (jsonb_populate_record(i, '{"id": "no such"}')).* FROM tv_item AS i WHERE id = 'item 6'`)
	w.exec(`UPDATE tv_owner SET data = jsonb_set(data, '{items}', (data->'items') - 19) WHERE id = 1`)
	want := map[string]string{
		"item 1": `data $.owner.name "by hand" "owner 3"`, "item 2": "data $.n absent 3", "item 3": "data $.meta.a 1.00 1.0",
		"item 4": "columns column n 99 5", "item 5": "missing   ", "no such": "extra   ", "1": "data $.items.length 19 20",
	}
	r := w.verify(func(c *verify.Config) { c.Repair = true })
	got := 0
	for _, m := range r.Models {
		for _, d := range m.Differences {
			got++
			if text := strings.Join([]string{d.Kind, d.Path, d.Stored, d.Defined}, " "); text != want[d.Key] {
				t.Errorf("%s: got %q, want %q", d.Key, text, want[d.Key])
			}
			if d.LSN == "" || d.Watermark == "" || d.Complete == "" || (d.StoredLSN == "" || d.StoredTime == nil) != (d.Kind == "missing") || d.Unproven {
				t.Errorf("%s: %+v", d.Key, d)
			}
		}
	}
	if got != len(want) || r.Differ != 7 || r.Repaired != 7 || r.Unproven != 0 || r.Compared != 2701 || r.Right() {
		t.Fatalf("%d differences: %+v", got, r)
	}
	w.until("the repair", func() bool {
		var n int
		must(t, w.conn.QueryRow(t.Context(), "SELECT count(*) FROM freshet.pending").Scan(&n))
		return n == 0
	})
	w.right(2700)
}

// TestManyDiffer counts all of them, and keeps a few.
func TestManyDiffer(t *testing.T) {
	w := newWorld(t)
	w.exec(`INSERT INTO tb_item SELECT 'more ' || i, 1 + i % 20, 1, NULL FROM generate_series(1, 10100) AS i`)
	w.start()
	w.exec(`UPDATE tv_item SET data = '{}'`)
	r := w.verify(func(c *verify.Config) { c.Models, c.Keep = w.only("Item"), 3 })
	if r.Differ != 12600 || len(r.Models[0].Differences) != 3 || r.Repaired != 0 || r.Unproven != 0 {
		t.Errorf("%+v", r)
	}
}

// TestWithoutAProjector calls nothing wrong that may only be late.
func TestWithoutAProjector(t *testing.T) {
	w := newWorld(t)
	stop := w.start()
	w.settle()
	stop()
	w.right(2700)
	w.exec("UPDATE tb_item SET n = n + 7 WHERE id IN ('item 1', 'item 9')")
	r := w.verify(func(c *verify.Config) { c.Patience = 50 * time.Millisecond })
	if !r.Behind || r.Differ != 0 || r.Unproven != 4 || r.Right() || !r.Untold() {
		t.Errorf("%+v", r)
	}
	if d := r.Models[1].Differences; len(d) != 2 || !d[0].Unproven || d[0].Path != "$.n" {
		t.Errorf("%+v", d)
	}
	w.start()
	w.right(2700)
}

// TestSetAside names what could not be built, whether or not the projector
// knows already, and nothing else is missed for it.
func TestSetAside(t *testing.T) {
	w := newWorld(t)
	stop := w.start()
	w.exec("UPDATE tb_item SET n = 0 WHERE id IN ('item 7', 'item 8')")
	w.exec(`UPDATE tv_item SET data = '{}' WHERE id = 'item 9'`)
	r := w.verify(nil)
	m := r.Models[1]
	if r.Differ != 1 || r.SetAside != 2 || r.Compared != 2698 || len(m.Aside) != 2 || !strings.Contains(m.Aside[0].Error, "division by zero") || m.Aside[0].Tries == 0 {
		t.Fatalf("%+v", r)
	}
	stop()
	w.exec("UPDATE tb_item SET n = 0 WHERE id = 'item 10'")
	r = w.verify(func(c *verify.Config) { c.Patience = 50 * time.Millisecond; c.Models = w.only("Item") })
	if r.Differ != 0 || r.Unproven != 2 || r.SetAside != 2 {
		t.Fatalf("%+v", r)
	}
	if d := r.Models[0].Differences[0]; d.Key != "item 10" || d.Kind != "error" || !strings.Contains(d.Defined, "division by zero") {
		t.Errorf("%+v", d)
	}
}

// TestPaused leaves paused read models out, and says so.
func TestPaused(t *testing.T) {
	w := newWorld(t)
	stop := w.start()
	w.settle()
	stop()
	w.exec(`UPDATE freshet.models SET state = 'paused', error = 'column n is gone', paused_lsn = pg_current_wal_lsn() WHERE name = 'Item'`)
	w.exec(`UPDATE tv_item SET data = '{}' WHERE id = 'item 9'`)
	r := w.verify(nil)
	if m := r.Models[1]; m.State != verify.Paused || m.Reason != "column n is gone" || m.Compared != 0 || r.Differ != 0 || r.Right() || !r.Untold() {
		t.Errorf("%+v", r)
	}
	w.exec(`UPDATE freshet.checkpoint SET watermark = 'F/0', complete = 'F/0'`)
	r = w.verify(func(c *verify.Config) { c.IncludePaused = true })
	if m := r.Models[1]; m.State != verify.Compared || m.Compared != 2500 || r.Differ != 1 {
		t.Errorf("%+v", r)
	}
	w.exec(`UPDATE freshet.models SET state = 'backfilling' WHERE name = 'Item'`)
	if m := w.verify(nil).Models[1]; m.State != verify.Filling {
		t.Errorf("%+v", m)
	}
}

// TestSample compares about as many as it is told, the same for a seed, and
// finds what is missing as well as what is too much.
func TestSample(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.exec(`UPDATE tv_item SET data = '{}' WHERE id <> 'item 1'`)
	take := func(seed int64) (keys string) {
		r := w.verify(func(c *verify.Config) { c.Models, c.Sample, c.Seed = w.only("Item"), 60, seed })
		if r.Compared < 50 || r.Compared > 60 || r.Differ < r.Compared-1 {
			t.Errorf("%+v", r)
		}
		for _, d := range r.Models[0].Differences {
			keys += d.Key + ","
		}
		return keys
	}
	if a, b, c := take(1), take(1), take(2); a != b || a == c {
		t.Errorf("seed 1 took %s and %s, seed 2 %s", a, b, c)
	}
	w.exec(`DELETE FROM tv_item`)
	if r := w.verify(func(c *verify.Config) { c.Models, c.Sample = w.only("Item"), 20 }); r.Differ != 10 || r.Models[0].Differences[0].Kind != "missing" {
		t.Errorf("%+v", r)
	}
}

func TestKeys(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.exec(`UPDATE tv_owner SET data = '{}'`)
	r := w.verify(func(c *verify.Config) { c.Models, c.Keys = w.only("Owner"), []string{"07", "7", " 3", "999"} })
	if r.Compared != 3 || r.Differ != 2 || r.Models[0].Differences[0].Key != "3" {
		t.Errorf("%+v", r)
	}
	var key *verify.KeyError
	_, err := verify.Run(t.Context(), verify.Config{ConnConfig: w.conn.Config(), Models: w.only("Owner"), Slot: w.slot, Keys: []string{"x"}})
	if !errors.As(err, &key) || key.Type != "bigint" {
		t.Errorf("%v", err)
	}
}

// TestStructure finds what somebody has done to the tables.
func TestStructure(t *testing.T) {
	w := newWorld(t)
	stop := w.start()
	w.settle()
	stop()
	w.exec("DROP INDEX " + w.plan.ReadModels[1].Indexes[0].Name)
	w.exec("ALTER TABLE tv_item ALTER COLUMN n TYPE bigint")
	w.exec("ALTER TABLE tb_item REPLICA IDENTITY NOTHING")
	w.exec("ALTER PUBLICATION freshet DROP TABLE tb_owner")
	w.exec("ALTER TABLE tv_owner DROP COLUMN data")
	r := w.verify(func(c *verify.Config) { c.Patience = time.Millisecond })
	all := fmt.Sprintf("%+v", r.Structure)
	for _, want := range []string{"warning Where:public.tv_item What:its index", "column n is of type bigint", "fault Where:public.tb_item What:it has no replica identity",
		"changes of public.tb_owner are not all published", "was not made for read model Owner"} {
		if !strings.Contains(all, want) {
			t.Errorf("want %q in %s", want, all)
		}
	}
	if len(r.Structure) != 5 || len(r.Faults()) != 4 || r.Right() {
		t.Errorf("%s", all)
	}
	if m := r.Models[0]; m.State != verify.Failed || m.Reason == "" {
		t.Errorf("%+v", m)
	}
	if m := r.Models[1]; m.State != verify.Compared || m.Compared != 2500 {
		t.Errorf("%+v", m)
	}
}

// TestInterrupted tells of what was compared so far.
func TestInterrupted(t *testing.T) {
	w := newWorld(t)
	w.start()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var of int64
	r, err := verify.Run(ctx, verify.Config{ConnConfig: w.conn.Config(), Plan: w.plan, Models: w.plan.ReadModels, Slot: w.slot,
		Progress: func(model string, _, n int64) {
			if model == "Item" {
				of = n
				cancel()
			}
		}})
	if !errors.Is(err, context.Canceled) || !r.Interrupted || r.Right() || r.Compared != 1200 || r.Models[1].State != verify.Interrupted || of < 1000 {
		t.Errorf("%v %+v of %d", err, r, of)
	}
}
