package apply

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/projector/compile"
)

// check does calls to selfCheck, each in a batch of its own, and returns what
// was compared and what was wrong, each once.
func (f *fixture) check(calls, n int, skip func(string) bool) (checked int, wrong []string) {
	f.t.Helper()
	for range calls {
		_, err := f.applier.Begin(f.t.Context())
		must(f.t, err)
		c, found, err := f.applier.selfCheck(f.t.Context(), n, skip)
		must(f.t, err)
		checked += c
		for _, w := range found {
			text := strings.Join([]string{w.Model, w.Key, w.Kind, w.Path, w.Stored, w.Defined}, " ")
			if !slices.Contains(wrong, text) {
				wrong = append(wrong, text)
			}
		}
		_, err = f.applier.Apply(f.t.Context(), f.work(), false)
		must(f.t, err)
	}
	slices.Sort(wrong)
	return checked, wrong
}

func TestSelfCheckOfWhatIsRight(t *testing.T) {
	f := newFixture(t)
	checked, wrong := f.check(60, 5, nil)
	// 30 calls each: of 10 owners and 100 items all were compared, one call is
	// spent on reading the first keys, and one in three or 21 at the end.
	if checked < 200 || len(wrong) > 0 {
		t.Errorf("%d compared, wrong: %q", checked, wrong)
	}
	checked, _ = f.check(10, 5, func(model string) bool { return true })
	if checked != 0 {
		t.Errorf("%d compared of read models to be skipped", checked)
	}
}

// TestSelfCheckFinds has every kind of fault found in one round, and a fault
// of the definition leaves the batch whole.
func TestSelfCheckFinds(t *testing.T) {
	f := newFixture(t)
	f.exec(`UPDATE tv_item SET data = jsonb_set(data, '{owner,name}', '"by hand"') WHERE id = 55`)
	f.exec(`UPDATE tv_item SET n = 77 WHERE id = 56`)
	f.exec(`DELETE FROM tv_item WHERE id = 57`)
	f.exec(`DELETE FROM tv_owner WHERE id = 10`)
	f.exec(`INSERT INTO tv_item SELECT (jsonb_populate_record(i, '{"id": 999}')).* FROM tv_item AS i WHERE id = 1`)
	f.exec(`UPDATE tb_item SET n = 0 WHERE id = 100`) // and no batch was told of it
	f.exec(`UPDATE tb_item SET n = 0 WHERE id = 99`)
	f.exec(`INSERT INTO freshet.pending (model, key, reason, error, since_lsn) VALUES ('Item', '99', 'quarantine', 'known', '0/1')`)
	must(t, f.applier.Load(t.Context()))
	f.exec(`UPDATE tv_item SET data = '{}' WHERE id = 20`)
	f.exec(`INSERT INTO freshet.pending (model, key, reason, since_lsn) VALUES ('Item', '20', 'resync', '0/1')`) // after the start
	_, wrong := f.check(60, 5, func(model string) bool { return model == "Owner" })
	want := []string{
		"Item 100 error   division by zero (SQLSTATE 22012)",
		"Item 55 data $.owner.name \"by hand\" \"owner 6\"",
		"Item 56 columns   ",
		"Item 57 missing   ",
		"Item 999 extra   ",
	}
	if !slices.Equal(wrong, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(wrong, "\n"), strings.Join(want, "\n"))
	}
	if _, wrong = f.check(8, 5, nil); !slices.Contains(wrong, "Owner 10 missing   ") {
		t.Errorf("%q", wrong)
	}
}

// TestSelfCheckIsOnTheBatch finds nothing wrong with what the batch has
// written, and not with what was committed since.
func TestSelfCheckIsOnTheBatch(t *testing.T) {
	f := newFixture(t)
	f.check(1, 100, nil) // owners
	f.check(1, 100, nil) // items: their keys are read
	f.exec("UPDATE tb_item SET n = n + 1 WHERE id <= 50")
	_, err := f.applier.Begin(t.Context())
	must(t, err)
	f.exec("UPDATE tb_item SET n = n + 1 WHERE id > 50")
	var keys []string
	for i := range 50 {
		keys = append(keys, fmt.Sprint(i+1))
	}
	must(t, f.applier.Early(t.Context(), f.dirty("Item", keys...), 5))
	owners := func(model string) bool { return model == "Owner" }
	f.applier.w.overflows = []overflow{{path: &compile.Path{Model: f.readModel("Item")}}}
	if checked, _, _ := f.applier.selfCheck(t.Context(), 100, owners); checked != 0 {
		t.Errorf("%d compared of a read model that the batch puts off", checked)
	}
	f.applier.w.overflows = nil
	checked, wrong, err := f.applier.selfCheck(t.Context(), 100, owners)
	if err != nil || checked != 100 || len(wrong) > 0 {
		t.Errorf("%d %+v %v", checked, wrong, err)
	}
	must(t, f.applier.Rollback(t.Context()))
}

// TestSelfCheckMends has what is wrong rebuilt by a later batch.
func TestSelfCheckMends(t *testing.T) {
	f := newFixture(t)
	f.exec(`UPDATE tv_item SET data = '{}' WHERE id = 55`)
	_, err := f.applier.Begin(t.Context())
	must(t, err)
	f.applier.w.work = f.work()
	var b pgx.Batch
	f.applier.w.queueWrong(&b, []Wrong{{Model: "Item", Key: "55"}})
	b.Queue("COMMIT")
	must(t, f.applier.conn.SendBatch(t.Context(), &b).Close())
	due, err := Due(t.Context(), f.conn, f.plan)
	if err != nil || !slices.Equal(due, []PendingKey{{"Item", "55"}}) {
		t.Errorf("%v %v", due, err)
	}
}

// TestSelfCheckCost says what it costs; the bound is generous, since tests
// share a small machine.
func TestSelfCheckCost(t *testing.T) {
	f := newFixture(t)
	f.check(4, 2, nil)
	_, err := f.applier.Begin(t.Context())
	must(t, err)
	const calls = 400
	start := time.Now()
	for range calls {
		if _, _, err := f.applier.selfCheck(t.Context(), 2, nil); err != nil {
			t.Fatal(err)
		}
	}
	each := time.Since(start) / calls
	must(t, f.applier.Rollback(t.Context()))
	t.Logf("%v for two documents", each)
	if each > 20*time.Millisecond {
		t.Errorf("a self-check takes %v", each)
	}
}
