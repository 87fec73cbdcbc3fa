package apply

import (
	"testing"

	"freshet/projector/batch"
)

// ownDirty is what an update of an owner's own row makes dirty that leaves all
// else as it was.
func (f *fixture) ownDirty(keys ...string) *batch.Dirty {
	f.t.Helper()
	path := f.path("Owner")
	if len(path.Kept) == 0 {
		f.t.Fatal("an owner's own row has no patch")
	}
	d := &batch.Dirty{}
	for _, k := range keys {
		d.Add(path.PatchID, batch.Value(k))
	}
	return d
}

// TestAPatchOfTheOwnRow tells patches from rebuilds by a stored list that is
// wrong: a patch leaves it alone.
func TestAPatchOfTheOwnRow(t *testing.T) {
	const state = "SELECT (data ->> 'name') || ' ' || jsonb_array_length(data -> 'items') FROM tv_owner WHERE id = $1"
	f := newFixture(t)
	f.exec("UPDATE tb_owner SET name = 'new ' || id")
	f.exec(`UPDATE tv_owner SET data = data || '{"items": []}'`)

	_, err := f.apply(false, f.ownDirty("1", "2"))
	must(t, err)
	f.expect("new 1 0", state, 1)
	f.expect("{1,2} {}", "SELECT keys::text || ' ' || moved::text FROM freshet.sync_log WHERE batch = $1 AND model = 'Owner'", f.number)

	// The same batch has it rebuilt by another change, in any order.
	_, err = f.apply(false, f.ownDirty("2"), f.dirty("Owner", "2"))
	must(t, err)
	f.expect("new 2 10", state, 2)

	// A document that waits is tried as a whole, and a careful try rebuilds all.
	f.applier.held[PendingKey{"Owner", "3"}] = true
	_, err = f.apply(false, f.ownDirty("3", "4"))
	must(t, err)
	f.expect("new 3 10", state, 3)
	f.expect("new 4 0", state, 4)
	_, err = f.apply(true, f.ownDirty("4"))
	must(t, err)
	f.expect("new 4 10", state, 4)

	// Inserted and updated in one batch; the patch of what is gone writes nothing.
	f.exec("INSERT INTO tb_owner VALUES (11, 'eleven')")
	res, err := f.apply(false, f.ownDirty("11", "99"), f.dirty("Owner", "11"))
	must(t, err)
	f.expect("eleven 0", state, 11)
	if res.Upserted != 1 || res.Deleted != 0 {
		t.Errorf("%d written, %d deleted", res.Upserted, res.Deleted)
	}
}

// TestMovedColumns reads from the log which columns behind indexes have changed
// in what a batch has updated.
func TestMovedColumns(t *testing.T) {
	const moved = "SELECT string_agg(model || ' ' || moved::text, ', ' ORDER BY id) FROM freshet.sync_log WHERE batch = $1 AND success"
	f := newFixture(t)
	apply := func(want string, dirty ...*batch.Dirty) {
		t.Helper()
		_, err := f.apply(false, dirty...)
		must(t, err)
		f.expect(want, moved, f.number)
	}
	f.exec("UPDATE tb_item SET n = n + 1 WHERE id = 1")
	apply("Owner {}, Item {n}", f.dirty("Item", "1", "2"), f.dirty("Owner.items", "2"))
	f.exec("UPDATE tb_owner SET name = name || '!' WHERE id = 2")
	apply("Owner {}, Item {}", f.ownDirty("2"), f.dirty("Item.owner", "2"))
	f.exec("UPDATE tb_item SET owner_id = 5 WHERE id = 1") // no column is behind that
	apply("Item {}", f.dirty("Item", "1"))
	f.exec("INSERT INTO tb_item VALUES (1000, 1, 1)")
	apply("Item {*}", f.dirty("Item", "1000", "2"))
	f.exec("DELETE FROM tb_item WHERE id = 1000")
	apply("Item {*}", f.dirty("Item", "1000"))
	f.exec("UPDATE tb_item SET n = 0 WHERE id = 7")
	_, err := f.apply(true, f.dirty("Item", "7"))
	must(t, err)
	f.expect("{*}", "SELECT moved::text FROM freshet.sync_log WHERE batch = $1 AND NOT success", f.number)
}
