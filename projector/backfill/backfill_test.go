package backfill_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/backfill"
	"freshet/projector/checkpoint"
	"freshet/projector/migrate/migratetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Runner{M: m}) }

const (
	schema = `
CREATE TABLE tb_item (id bigint PRIMARY KEY, n integer NOT NULL);
INSERT INTO tb_item SELECT i, i % 7 FROM generate_series(1, 12001) AS i;`
	file = `
type Item @table(name: "tb_item") {
  id: ID!
  n: Int! @index
}`
	slot = "fill_test"
)

// fixture is a database with an empty read model.
type fixture struct {
	t    *testing.T
	url  string
	conn *pgx.Conn
	cfg  backfill.Config
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return newFixtureOf(t, file)
}

// newFixtureOf is newFixture with another model file.
func newFixtureOf(t *testing.T, file string) *fixture {
	t.Helper()
	ctx := t.Context()
	f := &fixture{t: t, url: pgtest.Database(t)}
	pgtest.Exec(t, f.url, schema)
	f.conn = pgtest.Connect(t, f.url)
	plan := migratetest.Migrate(t, f.conn, file, slot)
	id, err := checkpoint.Find(ctx, f.conn, slot)
	must(t, err)
	must(t, checkpoint.Create(ctx, f.conn, id, 100))
	f.cfg = backfill.Config{ConnConfig: f.conn.Config(), Models: plan.ReadModels, Slot: slot, Workers: 2, Start: 100}
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) exec(sql string) {
	f.t.Helper()
	_, err := f.conn.Exec(f.t.Context(), sql)
	must(f.t, err)
}

func (f *fixture) expect(want, sql string) {
	f.t.Helper()
	var got string
	must(f.t, f.conn.QueryRow(f.t.Context(), sql).Scan(&got))
	if got != want {
		f.t.Errorf("got %q, want %q: %s", got, want, sql)
	}
}

func (f *fixture) unfilled() bool {
	f.t.Helper()
	names, err := backfill.Unfilled(f.t.Context(), f.conn)
	must(f.t, err)
	return names["Item"]
}

// TestFillThenReady fills every document, with the indexes; but the read model is
// late until somebody says that a batch has followed.
func TestFillThenReady(t *testing.T) {
	f := newFixture(t)
	if !f.unfilled() {
		t.Fatal("filled already")
	}
	released := false
	f.cfg.Release = func() { released = true }
	must(t, backfill.Run(t.Context(), f.cfg))
	if f.unfilled() || !released {
		t.Error("not filled, or the snapshot is held")
	}
	f.expect("12001 12001", "SELECT count(*) || ' ' || count(*) FILTER (WHERE data = jsonb_build_object('id', id::text, 'n', n)) FROM tv_item")
	f.expect("1", "SELECT count(*)::text FROM pg_indexes WHERE tablename = 'tv_item' AND indexname LIKE '%n_id_idx'")
	f.expect("backfilling Item", "SELECT state || ' ' || (SELECT string_agg(model, ',') FROM freshet.lag) FROM freshet.models")
	names, err := backfill.Ready(t.Context(), f.conn)
	if err != nil || !slices.Equal(names, []string{"Item"}) {
		t.Errorf("%v %v", names, err)
	}
	f.expect("ready 0", "SELECT state || ' ' || (SELECT count(*) FROM freshet.lag) FROM freshet.models")
	if names, err = backfill.Ready(t.Context(), f.conn); err != nil || len(names) > 0 {
		t.Errorf("ready again: %v %v", names, err)
	}
}

// TestRefillIsLoggedAtTheWatermark: a cache may be about to store a document that
// it read at the watermark, which lies far behind the slot's start by now.
func TestRefillIsLoggedAtTheWatermark(t *testing.T) {
	f := newFixture(t)
	f.exec("UPDATE freshet.checkpoint SET watermark = '0/5000', batch = 17")
	must(t, backfill.Run(t.Context(), f.cfg))
	f.expect("0/5000 17 t backfill", "SELECT concat_ws(' ', watermark, batch, whole, operation) FROM freshet.sync_log")
}

// TestAnInterruptedFillGoesOn does each range once, over however many starts,
// and removes what is not defined any more.
func TestAnInterruptedFillGoesOn(t *testing.T) {
	f := newFixture(t)
	f.exec(`INSERT INTO tv_item (id, data, freshet_lsn, freshet_time) VALUES (99999, '{}', '0/1', now())`)
	ctx, stop := context.WithCancel(t.Context())
	f.cfg.Workers = 1
	var mu sync.Mutex
	var last int64
	f.cfg.Progress = func(p backfill.Progress) {
		mu.Lock()
		defer mu.Unlock()
		if last = p.Documents; p.Documents == 5000 {
			stop()
		}
	}
	if err := backfill.Run(ctx, f.cfg); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	f.expect("5000", "SELECT sum(documents)::text FROM freshet.backfill_done")
	f.exec("UPDATE tb_item SET n = 6 WHERE id = 1") // of the range that is done: the stream brings it, not the fill
	must(t, backfill.Run(t.Context(), f.cfg))
	if last != 12001 {
		t.Errorf("%d documents at the end", last)
	}
	f.expect("12001 1", "SELECT count(*) || ' ' || max(n) FILTER (WHERE id = 1) FROM tv_item")
	f.expect("0", "SELECT count(*)::text FROM freshet.backfill")
}

// TestTheExportedSnapshotHolds fills under a snapshot, whatever was written since.
func TestTheExportedSnapshotHolds(t *testing.T) {
	f := newFixture(t)
	holder, err := pgtest.Connect(t, f.url).BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	must(t, err)
	must(t, holder.QueryRow(t.Context(), "SELECT pg_export_snapshot()").Scan(&f.cfg.Snapshot))
	f.exec("UPDATE tb_item SET n = 100")
	f.exec("DELETE FROM tb_item WHERE id > 6000")
	f.cfg.Start = pglogrepl.LSN(77)
	must(t, backfill.Run(t.Context(), f.cfg))
	must(t, holder.Rollback(t.Context()))
	// What is gone since is pruned; it is in the stream as well.
	f.expect("6000 6 0/4D", "SELECT concat_ws(' ', count(*), max(n), max(freshet_lsn)) FROM tv_item")
}
