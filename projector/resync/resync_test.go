package resync_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"freshet/deploy/pgserver/pgtest"
	"freshet/migrations"
	"freshet/projector/apply"
	"freshet/projector/catalog"
	"freshet/projector/compile"
	"freshet/projector/resync"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Runner{M: m}) }

// models has a read model with uuid keys and one with int keys.
const models = `
INSERT INTO freshet.models (name, hash, layout, sources, state, filled_at) VALUES
  ('Post', 'h', '{"key": {"base": "uuid"}}', '[]', 'ready', now()),
  ('Item', 'h', '{"key": {"base": "int2"}}', '[]', 'ready', now()),
  ('Odd',  'h', '{"key": {"base": "text; DROP TABLE freshet.models"}}', '[]', 'ready', now());
INSERT INTO freshet.backfill VALUES ('Item', 1, NULL, NULL), ('Post', 1, NULL, NULL);
INSERT INTO freshet.backfill_done VALUES ('Item', 1, 5), ('Post', 1, 5);
INSERT INTO freshet.pending (model, key, reason, error, attempts, since_lsn, next_try_at)
  VALUES ('Item', '7', 'quarantine', 'division by zero', 9, '0/1', now() + interval '1 hour')`

func database(t *testing.T) *pgx.Conn {
	t.Helper()
	url := pgtest.Database(t)
	conn := pgtest.Connect(t, url)
	if err := migrations.Apply(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, url, models)
	return conn
}

func pending(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT model || ':' || key || ' ' || reason || ' ' || attempts || CASE WHEN next_try_at <= now() THEN ' due' ELSE ' later' END
		FROM freshet.pending ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestKeys(t *testing.T) {
	conn := database(t)
	for range 2 {
		got, err := resync.Keys(t.Context(), conn, "Post", []string{"0000000000004000800000000000000A", "00000000-0000-4000-8000-00000000000a"})
		if err != nil || !slices.Equal(got, []string{"00000000-0000-4000-8000-00000000000a"}) {
			t.Fatalf("%v %v", got, err)
		}
	}
	if _, err := resync.Keys(t.Context(), conn, "Item", []string{"+7", " 8 "}); err != nil {
		t.Fatal(err)
	}
	want := []string{"Item:7 resync 9 due", "Item:8 resync 0 due", "Post:00000000-0000-4000-8000-00000000000a resync 0 due"}
	if got := pending(t, conn); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	p, err := resync.Look(t.Context(), conn, "freshet", "Item", []string{"7", "9"})
	if err != nil || p.Waiting != 1 || p.Failed != 0 || p.Projector {
		t.Errorf("%+v %v", p, err)
	}
}

func TestKeysRefuses(t *testing.T) {
	conn := database(t)
	var key *resync.KeyError
	for _, wrong := range []string{"x", "99999", "1.5", ""} {
		if _, err := resync.Keys(t.Context(), conn, "Item", []string{"1", wrong}); !errors.As(err, &key) || key.Type != "smallint" {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	if _, err := resync.Keys(t.Context(), conn, "Nobody", []string{"1"}); !errors.Is(err, resync.ErrUnknownModel) {
		t.Error(err)
	}
	if _, err := resync.Keys(t.Context(), conn, "Odd", []string{"1"}); err == nil || !strings.Contains(err.Error(), "does not know") {
		t.Error(err)
	}
	if got := pending(t, conn); !slices.Equal(got, []string{"Item:7 quarantine 9 later"}) {
		t.Errorf("got %q", got)
	}
}

// item is a read model of 20,000 rows, with a document too many.
func item(t *testing.T, conn *pgx.Conn) *compile.ReadModel {
	t.Helper()
	_, err := conn.Exec(t.Context(), `CREATE TABLE tb_item AS SELECT n::int2 AS id FROM generate_series(1, 20000) AS n;
		CREATE UNIQUE INDEX ON tb_item (id); CREATE TABLE tv_item AS SELECT id FROM tb_item WHERE id < 7; INSERT INTO tv_item VALUES (-5), (30000)`)
	if err != nil {
		t.Fatal(err)
	}
	return &compile.ReadModel{
		Name: "Item", Table: catalog.Name{Schema: "public", Name: "tv_item"}, Key: compile.KeyColumn{Column: "id", SQL: "smallint", Base: "int2"},
		Root: &compile.Source{Table: &catalog.Table{Name: catalog.Name{Schema: "public", Name: "tb_item"}}},
	}
}

func TestAll(t *testing.T) {
	conn := database(t)
	n, err := resync.All(t.Context(), conn, item(t, conn))
	if err != nil || n != 20002 {
		t.Fatalf("%d %v", n, err)
	}
	p, err := resync.Look(t.Context(), conn, "freshet", "Item", nil)
	if err != nil || p.Waiting != 20002 || p.Failed != 0 {
		t.Errorf("%+v %v", p, err)
	}
}

// TestKeysComeBeforeAll has keys asked for after a whole read model come
// first, and the others after them, each once.
func TestKeysComeBeforeAll(t *testing.T) {
	conn := database(t)
	rm := item(t, conn)
	if _, err := resync.All(t.Context(), conn, rm); err != nil {
		t.Fatal(err)
	}
	if _, err := resync.Keys(t.Context(), conn, "Item", []string{"19999", "25000"}); err != nil {
		t.Fatal(err)
	}
	if _, err := resync.All(t.Context(), conn, rm); err != nil {
		t.Fatal(err)
	}
	plan := &compile.Plan{ReadModels: []*compile.ReadModel{rm}}
	seen := map[string]bool{}
	for round := 0; ; round++ {
		due, err := apply.Due(t.Context(), conn, plan)
		if err != nil {
			t.Fatal(err)
		}
		if len(due) == 0 {
			break
		}
		if round == 0 && !slices.Contains([]string{"1999925000", "2500019999"}, due[0].Key+due[1].Key) {
			t.Errorf("%v come first", due[:3])
		}
		keys := make([]string, len(due))
		for i, k := range due {
			keys[i] = k.Key
			if seen[k.Key] {
				t.Fatalf("%s came twice", k.Key)
			}
			seen[k.Key] = true
		}
		if _, err := conn.Exec(t.Context(), "DELETE FROM freshet.pending WHERE model = 'Item' AND key = ANY ($1)", keys); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 20003 {
		t.Errorf("%d keys came, want 20003", len(seen))
	}
}

func TestLookNamesFaults(t *testing.T) {
	conn := database(t)
	p, err := resync.Look(t.Context(), conn, "freshet", "Item", nil)
	if err != nil || p.Failed != 1 || len(p.Faults) != 1 || p.Faults[0] != (resync.Failure{Key: "7", Error: "division by zero"}) {
		t.Errorf("%+v %v", p, err)
	}
}

func TestRefill(t *testing.T) {
	conn := database(t)
	if err := resync.Refill(t.Context(), conn, "Nobody"); !errors.Is(err, resync.ErrUnknownModel) {
		t.Error(err)
	}
	if err := resync.Refill(t.Context(), conn, "Item"); err != nil {
		t.Fatal(err)
	}
	var state string
	var filled bool
	var ranges, done int
	err := conn.QueryRow(t.Context(), `SELECT state, filled_at IS NOT NULL, (SELECT count(*) FROM freshet.backfill WHERE model = name), (SELECT count(*) FROM freshet.backfill_done WHERE model = name)
		FROM freshet.models WHERE name = 'Item'`).Scan(&state, &filled, &ranges, &done)
	if err != nil || state != "backfilling" || filled || ranges != 0 || done != 0 {
		t.Errorf("%s %v %d %d %v", state, filled, ranges, done, err)
	}
	var others int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM freshet.backfill_done WHERE model = 'Post'").Scan(&others); err != nil || others != 1 {
		t.Errorf("%d %v", others, err)
	}
}
