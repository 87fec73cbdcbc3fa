package apply

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/batch"
	"freshet/projector/compile"
)

// TestABatchIsOnItsSnapshot leaves what is committed after Begin to the next
// batch.
func TestABatchIsOnItsSnapshot(t *testing.T) {
	f := newFixture(t)
	snapshot, err := f.applier.Begin(t.Context())
	must(t, err)
	f.exec("UPDATE tb_item SET n = 42 WHERE id = 7")
	if snapshot.Xmax < snapshot.Xmin {
		t.Errorf("%+v", snapshot)
	}
	must(t, f.applier.Resolve(t.Context(), f.dirty("Item", "7")))
	r, err := f.applier.Apply(t.Context(), f.work(), false)
	if err != nil || r.Unchanged != 1 || r.Upserted != 0 {
		t.Errorf("%+v %v", r, err)
	}
	r, err = f.apply(false, f.dirty("Item", "7"))
	if err != nil || r.Upserted != 1 {
		t.Errorf("%+v %v", r, err)
	}
	f.expect("42", "SELECT data->>'n' FROM tv_item WHERE id = 7")
	f.expect("0/7D5", "SELECT freshet_lsn::text FROM tv_item WHERE id = 7")
	f.expect("0", "SELECT count(*)::text FROM tv_item WHERE freshet_lsn = '0/3ED'") // what the first batch found unchanged
}

// TestACommit writes documents, log and place together, and wakes the readers.
func TestACommit(t *testing.T) {
	f := newFixture(t)
	listener := pgtest.Connect(t, f.url)
	if _, err := listener.Exec(t.Context(), "LISTEN freshet"); err != nil {
		t.Fatal(err)
	}
	f.exec("UPDATE tb_owner SET name = 'renamed' WHERE id = 3")
	f.exec("DELETE FROM tb_item WHERE id = 12") // of owner 3
	f.exec("INSERT INTO tb_item VALUES (200, 3, 1)")
	_, err := f.applier.Begin(t.Context())
	must(t, err)
	must(t, f.applier.Early(t.Context(), f.dirty("Item", "12", "200", "50"), 77))
	must(t, f.applier.Resolve(t.Context(), f.dirty("Item.owner", "3")))
	must(t, f.applier.Resolve(t.Context(), f.dirty("Owner.items", "3")))
	f.expect("0", "SELECT count(*)::text FROM freshet.sync_log")
	f.expect("1", "SELECT count(*)::text FROM tv_item WHERE id = 12") // not committed
	r, err := f.applier.Apply(t.Context(), f.work(), false)
	must(t, err)
	if r.Upserted != 11 || r.Deleted != 1 || r.Unchanged != 2 || r.End == 0 || len(r.Quarantined) != 0 {
		t.Errorf("%+v", r)
	}
	f.expect("0", "SELECT count(*)::text FROM tv_item WHERE id = 12")
	f.expect("0/4D", "SELECT freshet_lsn::text FROM tv_item WHERE id = 200")
	f.expect("0", "SELECT $1::text", f.wrongDocuments("Item"))
	f.expect("0", "SELECT $1::text", f.wrongDocuments("Owner"))
	f.expect("12 11 1 2", "SELECT concat_ws(' ', sum(cardinality(keys) + cardinality(deleted_keys)), sum(upserted), sum(deleted), sum(unchanged)) FROM freshet.sync_log WHERE success AND batch = 1 AND watermark = '0/3ED' AND xids = '{7}'")
	f.expect("streaming 1 0/3EB 0/3ED 0/3ED", "SELECT concat_ws(' ', state, batch, applied_lsn, watermark, complete) FROM freshet.checkpoint")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if n, err := listener.WaitForNotification(ctx); err != nil || n.Payload != "0/3ED" {
		t.Errorf("%+v %v", n, err)
	}
}

// TestWholeModel rebuilds all of it, and removes what should not be there.
func TestWholeModel(t *testing.T) {
	f := newFixture(t)
	f.exec("UPDATE tb_item SET n = 9")
	f.exec("INSERT INTO tv_item SELECT (jsonb_populate_record(i, '{\"id\": 999}')).* FROM tv_item AS i WHERE id = 1")
	whole := &batch.Dirty{}
	whole.AddWhole(f.readModel("Item").ID)
	r, err := f.apply(false, whole)
	if err != nil || r.Upserted != 100 || r.Deleted != 1 {
		t.Errorf("%+v %v", r, err)
	}
	f.expect("0", "SELECT $1::text", f.wrongDocuments("Item"))
}

// TestADocumentThatCannotBeBuilt fails the batch as a whole, and sets only
// that document aside when the batch is done with care.
func TestADocumentThatCannotBeBuilt(t *testing.T) {
	f := newFixture(t)
	f.exec("UPDATE tb_item SET n = CASE WHEN id IN (3, 40) THEN 0 ELSE 8 END WHERE id <= 50")
	var keys []string
	for i := range 50 {
		keys = append(keys, string(rune('0'+(i+1)/10))+string(rune('0'+(i+1)%10)))
	}
	for i := range keys {
		keys[i] = strings.TrimLeft(keys[i], "0")
	}
	_, err := f.applier.Begin(t.Context())
	must(t, err)
	if err = f.applier.Early(t.Context(), f.dirty("Item", keys...), 5); !errors.Is(err, ErrCareful) {
		t.Fatalf("early: %v", err)
	}
	if _, err = f.apply(false, f.dirty("Item", keys...)); !errors.Is(err, ErrCareful) {
		t.Fatalf("not careful: %v", err)
	}
	f.expect("0", "SELECT count(*)::text FROM tv_item WHERE n = 8")
	r, err := f.apply(true, f.dirty("Item", keys...))
	must(t, err)
	if r.Upserted != 48 || len(r.Quarantined) != 2 || r.Quarantined[0].Model != "Item" {
		t.Fatalf("%+v", r)
	}
	if text := r.Quarantined[0].Err.Error(); strings.Count(text, "division by zero") != 1 {
		t.Errorf("the error is said more than once: %s", text)
	}
	f.expect("3,40 quarantine 1 true", `SELECT string_agg(key, ',' ORDER BY key) || ' ' || min(reason) || ' ' || sum(attempts) / 2 || ' ' || bool_and(error LIKE 'division by zero (SQLSTATE 22012)%' AND next_try_at > now()) FROM freshet.pending`)
	f.expect("3,40", "SELECT string_agg(k, ',' ORDER BY k) FROM freshet.sync_log, unnest(keys) AS k WHERE NOT success AND error LIKE 'division%'")

	r, err = f.apply(true, f.dirty("Item", "3"))
	must(t, err)
	f.expect("2 2", `SELECT attempts || ' ' || round(extract(epoch FROM next_try_at - $1::timestamptz)) FROM freshet.pending WHERE key = '3'`, f.applier.started)
	f.exec("UPDATE tb_item SET n = 1 WHERE id = 3")
	if r, err = f.apply(false, f.dirty("Item", "3")); err != nil || r.Upserted != 1 {
		t.Errorf("%+v %v", r, err)
	}
	f.expect("40", "SELECT string_agg(key, ',') FROM freshet.pending")
}

// aPoisonRow has item 3, which waits with its error already.
func aPoisonRow(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	f.exec("UPDATE tb_item SET n = 0 WHERE id = 3")
	r, err := f.apply(true, f.dirty("Item", "3"))
	if err != nil || len(r.Quarantined) != 1 {
		t.Fatalf("%+v %v", r, err)
	}
	return f
}

// TestARowThatIsKnownToFail changes in each of two parts of a batch: the others
// are written without a second try, and it is tried once more, until it heals.
func TestARowThatIsKnownToFail(t *testing.T) {
	f := aPoisonRow(t)
	for round, restarted := range []bool{false, true} {
		if restarted {
			f.applier = f.newApplier(1)
			must(t, f.applier.Load(t.Context()))
		}
		f.exec("UPDATE tb_item SET n = n + 1 WHERE id IN (2, 4, 5, 6)")
		_, err := f.applier.Begin(t.Context())
		must(t, err)
		must(t, f.applier.Early(t.Context(), f.dirty("Item", "2", "3", "4"), 77))
		must(t, f.applier.Resolve(t.Context(), f.dirty("Item", "3", "5", "6")))
		r, err := f.applier.Apply(t.Context(), f.work(), false)
		must(t, err)
		if r.Upserted != 4 || len(r.Quarantined) != 1 || r.Quarantined[0].Key != "3" {
			t.Errorf("%+v", r)
		}
		f.expect(strconv.Itoa(2+round), "SELECT attempts::text FROM freshet.pending WHERE key = '3'")
		f.expect("3 0", "SELECT string_agg(k, ',') || ' ' || max(upserted) FROM freshet.sync_log, unnest(keys) AS k WHERE NOT success AND batch = $1", f.number)
	}
	f.expect("4", "SELECT data->>'n' FROM tv_item WHERE id = 3") // as it was
	f.exec("UPDATE tb_item SET n = 1 WHERE id = 3")
	_, err := f.applier.Begin(t.Context())
	must(t, err)
	must(t, f.applier.Early(t.Context(), f.dirty("Item", "2", "3"), 77))
	r, err := f.applier.Apply(t.Context(), f.work(), false)
	if err != nil || r.Upserted != 1 || r.Unchanged != 1 || len(r.Quarantined) != 0 {
		t.Errorf("%+v %v", r, err)
	}
	f.expect("0", "SELECT count(*)::text FROM freshet.pending")
	f.expect("0", "SELECT $1::text", f.wrongDocuments("Item"))
	// It is known to fail no more: failing again is news.
	f.exec("UPDATE tb_item SET n = 0 WHERE id = 3")
	if _, err = f.apply(false, f.dirty("Item", "3")); !errors.Is(err, ErrCareful) {
		t.Errorf("a row that fails again: %v", err)
	}
}

// TestARowThatIsKnownToFailAmongMany is in a whole read model, in a chunk of a
// fan-out that patches, beside a document that fails for the first time, and
// among keys that were asked for.
func TestARowThatIsKnownToFailAmongMany(t *testing.T) {
	f := aPoisonRow(t)
	whole := &batch.Dirty{}
	whole.AddWhole(f.readModel("Item").ID)
	f.exec("UPDATE tb_item SET n = n + 1 WHERE n > 0")
	r, err := f.apply(false, whole)
	if err != nil || r.Upserted != 99 || len(r.Quarantined) != 1 {
		t.Errorf("whole: %+v %v", r, err)
	}

	f.exec("UPDATE tb_owner SET name = 'renamed' WHERE id = 4") // of items 3, 13, 23, ...
	_, err = f.applier.Begin(t.Context())
	must(t, err)
	work := f.work()
	work.Chunk = &Chunk{Model: f.readModel("Item"), Path: f.path("Item.owner"), Keys: []string{"13", "23", "3"}}
	if work.Chunk.Path.Patch == "" {
		t.Fatal("the path has no patch")
	}
	r, err = f.applier.Apply(t.Context(), work, false)
	if err != nil || r.Upserted != 2 || len(r.Quarantined) != 1 {
		t.Errorf("fan-out: %+v %v", r, err)
	}
	f.expect("renamed", "SELECT data->'owner'->>'name' FROM tv_item WHERE id = 13")

	f.exec("UPDATE tb_item SET n = 0 WHERE id = 40")
	if _, err = f.apply(false, f.dirty("Item", "3", "40", "41")); !errors.Is(err, ErrCareful) {
		t.Errorf("beside a new one: %v", err)
	}
	// Keys that were asked for may be many: they are done together until one fails.
	_, err = f.applier.Begin(t.Context())
	must(t, err)
	work = f.work()
	work.Pending = []PendingKey{{"Item", "3"}, {"Item", "40"}, {"Item", "41"}}
	if _, err = f.applier.Apply(t.Context(), work, false); !errors.Is(err, ErrCareful) {
		t.Errorf("among keys that were asked for: %v", err)
	}
	r, err = f.apply(true, f.dirty("Item", "3", "40", "41"))
	if err != nil || len(r.Quarantined) != 2 {
		t.Errorf("%+v %v", r, err)
	}
	if r, err = f.apply(false, f.dirty("Item", "3", "40", "41")); err != nil || len(r.Quarantined) != 2 {
		t.Errorf("%+v %v", r, err)
	}
}

// TestPending rebuilds keys that were asked for, and takes them off the queue,
// after a start as well.
func TestPending(t *testing.T) {
	f := newFixture(t)
	f.exec("UPDATE tv_item SET data = '{}' WHERE id IN (1, 2)")
	f.exec(`INSERT INTO freshet.pending (model, key, reason, since_lsn, next_try_at, priority) VALUES
		('Item', '1', 'resync', '0/1', now() - interval '1 hour', 0), ('Item', '2', 'resync', '0/1', now(), 1),
		('Item', '3', 'resync', '0/1', now() + interval '1 hour', 1), ('Gone', '1', 'resync', '0/1', now(), 0)`)
	f.exec("UPDATE freshet.pending SET reason = 'quarantine', error = 'it failed' WHERE key = '3'")
	must(t, f.applier.Load(t.Context()))
	due, err := Due(t.Context(), f.conn, f.plan)
	must(t, err)
	if want := []PendingKey{{"Item", "2"}, {"Item", "1"}}; !slices.Equal(due, want) {
		t.Fatalf("%v are due, want %v", due, want)
	}
	_, err = f.applier.Begin(t.Context())
	must(t, err)
	work := f.work()
	work.Pending, work.Batch = due, batch.Batch{Watermark: 1005}
	r, err := f.applier.Apply(t.Context(), work, false)
	if err != nil || r.Upserted != 2 {
		t.Errorf("%+v %v", r, err)
	}
	f.expect("Gone 1,Item 3", "SELECT string_agg(model || ' ' || key, ',' ORDER BY model) FROM freshet.pending")
	f.expect("resync", "SELECT string_agg(DISTINCT operation, ',') FROM freshet.sync_log")
	// Key 3 comes by for another reason.
	if _, err = f.apply(false, f.dirty("Item", "3")); err != nil {
		t.Fatal(err)
	}
	f.expect("Gone 1", "SELECT string_agg(model || ' ' || key, ',' ORDER BY model) FROM freshet.pending")
}

const words = `
CREATE TABLE tb_word (key text PRIMARY KEY, n integer NOT NULL)`

const wordsFile = `
type Word @table(name: "tb_word") {
  id: ID! @column(name: "key")
  share: Int @computed(sql: "5040 / n")
}`

// TestALongKeyWaits sets aside a document whose key just fits its index.
func TestALongKeyWaits(t *testing.T) {
	f := newFixtureOf(t, words, wordsFile)
	key := f.text("SELECT string_agg(chr(33 + (('x' || substr(md5(i::text), 1, 6))::bit(24)::integer % 94)), '') FROM generate_series(1, 2690) AS i")
	f.exec("INSERT INTO tb_word VALUES ($1, 1), ('short', 1)", key)
	if r, err := f.apply(false, f.dirty("Word", key, "short")); err != nil || r.Upserted != 2 {
		t.Fatalf("%+v %v", r, err)
	}
	f.exec("UPDATE tb_word SET n = 0 WHERE key = $1", key)
	f.exec("UPDATE tb_word SET n = 2 WHERE key = 'short'")
	for range 2 {
		r, err := f.apply(true, f.dirty("Word", key, "short"))
		if err != nil || len(r.Quarantined) != 1 {
			t.Fatalf("%+v %v", r, err)
		}
	}
	f.expect("1 2", "SELECT count(*) || ' ' || max(attempts) FROM freshet.pending WHERE key = $1", key)
	f.exec("UPDATE tb_word SET n = 3")
	if r, err := f.apply(false, f.dirty("Word", key, "short")); err != nil || r.Upserted != 2 {
		t.Fatalf("%+v %v", r, err)
	}
	f.expect("0", "SELECT count(*)::text FROM freshet.pending")
}

// TestFenced has a projector whose epoch has passed write nothing more, however
// far it has come with its batch.
func TestFenced(t *testing.T) {
	f := newFixture(t)
	f.exec("UPDATE tb_item SET n = 9 WHERE id = 1")
	_, err := f.applier.Begin(t.Context())
	must(t, err)
	must(t, f.applier.Early(t.Context(), f.dirty("Item", "1"), 5))
	f.exec("UPDATE freshet.checkpoint SET epoch = 2")
	_, err = f.applier.Apply(t.Context(), f.work(), false)
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "40001" {
		t.Errorf("taken over in the middle of a batch: %v", err)
	}
	if _, err = f.applier.Begin(t.Context()); !errors.Is(err, ErrFenced) {
		t.Errorf("taken over before a batch: %v", err)
	}
	f.expect("0", "SELECT count(*)::text FROM freshet.sync_log")
	f.expect("2", "SELECT data->>'n' FROM tv_item WHERE id = 1")
	f.exec("DELETE FROM freshet.checkpoint")
	if _, err = f.applier.Begin(t.Context()); !errors.Is(err, ErrFenced) {
		t.Errorf("without a checkpoint: %v", err)
	}
	if status := f.applier.conn.PgConn().TxStatus(); status != 'I' {
		t.Errorf("a transaction is open: %c", status)
	}
}

// TestRollback gives a batch up, and the next one begins anew.
func TestRollback(t *testing.T) {
	f := newFixture(t)
	must(t, f.applier.Rollback(t.Context()))
	f.exec("UPDATE tb_item SET n = 9 WHERE id = 1")
	_, err := f.applier.Begin(t.Context())
	must(t, err)
	must(t, f.applier.Early(t.Context(), f.dirty("Item", "1"), 5))
	must(t, f.applier.Rollback(t.Context()))
	must(t, f.applier.Rollback(t.Context()))
	if r, err := f.apply(false); err != nil || r.Upserted+r.Unchanged != 0 {
		t.Errorf("an empty batch: %+v %v", r, err)
	}
	if r, err := f.apply(false, f.dirty("Item", "1")); err != nil || r.Upserted != 1 {
		t.Errorf("%+v %v", r, err)
	}
}

// TestALockOnADocument is an error that passes, and leaves nothing behind.
func TestALockOnADocument(t *testing.T) {
	f := newFixture(t)
	f.exec("UPDATE tb_item SET n = 9 WHERE id = 1")
	if _, err := f.applier.conn.Exec(t.Context(), "SET lock_timeout = '50ms'"); err != nil {
		t.Fatal(err)
	}
	tx, err := f.conn.Begin(t.Context())
	must(t, err)
	_, err = tx.Exec(t.Context(), "SELECT FROM tv_item WHERE id = 1 FOR UPDATE")
	must(t, err)
	_, err = f.apply(false, f.dirty("Item", "1"))
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "55P03" || errors.Is(err, ErrCareful) {
		t.Errorf("%v", err)
	}
	must(t, tx.Rollback(t.Context()))
	if r, err := f.apply(false, f.dirty("Item", "1")); err != nil || r.Upserted != 1 {
		t.Errorf("%+v %v", r, err)
	}
}

// TestATruncateUnderABatch has a table truncated behind the snapshot of a batch:
// it is empty for the batch, whose snapshot knows nothing of that.
func TestATruncateUnderABatch(t *testing.T) {
	f := newFixture(t)
	f.exec("UPDATE tb_owner SET name = 'renamed' WHERE id = 3")
	_, err := f.applier.Begin(t.Context())
	must(t, err)
	f.exec("TRUNCATE tb_item")
	must(t, f.applier.Early(t.Context(), f.dirty("Owner", "3"), 5)) // without its items
	if _, err = f.applier.Apply(t.Context(), f.work(), false); !errors.Is(err, ErrMoved) {
		t.Errorf("%v, want ErrMoved", err)
	}
	f.expect("0", "SELECT count(*)::text FROM tv_owner WHERE data->>'name' = 'renamed' OR data->'items' = '[]'")
	f.expect("0", "SELECT count(*)::text FROM freshet.sync_log")
	before := f.applier.files.known
	_, err = f.applier.Begin(t.Context())
	must(t, err)
	if f.applier.files.known == before {
		t.Error("the new file was not noted")
	}
	must(t, f.applier.Early(t.Context(), f.dirty("Owner", "3"), 5))
	if _, err = f.applier.Apply(t.Context(), f.work(), false); err != nil {
		t.Error(err)
	}
	f.expect("1", "SELECT count(*)::text FROM tv_owner WHERE data->>'name' = 'renamed' AND data->'items' = '[]'")
}

// TestAValueThatReadsLikeOurOwnError fails a document by a text that looks as if
// a table had been truncated: it is set aside like any other, not tried for ever.
func TestAValueThatReadsLikeOurOwnError(t *testing.T) {
	f := newFixtureOf(t, `
CREATE TABLE tb_note (id bigint PRIMARY KEY, body text NOT NULL);
INSERT INTO tb_note VALUES (1, '5');`, `
type Note @table(name: "tb_note") {
  id: ID!
  n: Int @computed(sql: "body::integer")
}`)
	f.exec("UPDATE tb_note SET body = 'freshet: moved 1'")
	if _, err := f.apply(false, f.dirty("Note", "1")); !errors.Is(err, ErrCareful) {
		t.Fatalf("%v, want ErrCareful", err)
	}
	if r, err := f.apply(true, f.dirty("Note", "1")); err != nil || len(r.Quarantined) != 1 {
		t.Errorf("%+v %v", r, err)
	}
}

// TestASelfCheckOfAChangedTable says which read model it is of, so that this one
// alone is paused.
func TestASelfCheckOfAChangedTable(t *testing.T) {
	f := newFixture(t)
	f.check(1, 1, nil)
	f.check(2, 1, nil) // each read model's keys are read
	f.exec("ALTER TABLE tb_item RENAME n TO m")
	_, err := f.applier.Begin(t.Context())
	must(t, err)
	work := f.work()
	work.Check, work.Skip = 1, func(model string) bool { return model != "Item" }
	_, err = f.applier.Apply(t.Context(), work, false)
	var of *compile.ModelError
	if !errors.As(err, &of) || of.Model != "Item" {
		t.Errorf("%v is of no read model", err)
	}
}
