package apply

import (
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/batch"
	"freshet/projector/checkpoint"
	"freshet/projector/compile"
	"freshet/projector/migrate/migratetest"
	"freshet/projector/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Runner{M: m}) }

const schema = `
CREATE TABLE tb_owner (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_item (id bigint PRIMARY KEY, owner_id bigint NOT NULL REFERENCES tb_owner, n integer NOT NULL);
CREATE INDEX ON tb_item (owner_id);
INSERT INTO tb_owner SELECT i, 'owner ' || i FROM generate_series(1, 10) AS i;
INSERT INTO tb_item SELECT i, 1 + i % 10, 1 + i % 7 FROM generate_series(1, 100) AS i;`

const file = `
type Owner @table(name: "tb_owner") {
  id: ID!
  name: String!
  items: [Item!]! @hasMany(foreignKey: "owner_id") @embed(fields: "id n")
}
type Item @table(name: "tb_item") {
  id: ID!
  n: Int! @index
  share: Int @computed(sql: "5040 / n")
  owner: Owner! @belongsTo(foreignKey: "owner_id") @embed(fields: "id name")
}`

// fixture is a database whose documents are filled, and an Applier. The test
// plays the stream: it says what each batch's transactions have changed.
type fixture struct {
	t       *testing.T
	url     string
	conn    *pgx.Conn // the applications'
	cfg     *pgx.ConnConfig
	plan    *compile.Plan
	applier *Applier
	number  int64
}

const slot = "freshet_test"

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return newFixtureOf(t, schema, file)
}

func newFixtureOf(t *testing.T, schema, file string) *fixture {
	t.Helper()
	ctx := t.Context()
	f := &fixture{t: t, url: pgtest.Database(t)}
	pgtest.Exec(t, f.url, schema)
	f.conn = pgtest.Connect(t, f.url)
	f.cfg = f.conn.Config()
	f.plan = migratetest.Migrate(t, f.conn, file, slot)
	for _, rm := range f.plan.ReadModels {
		f.exec(rm.Fill, nil, nil, pglogrepl.LSN(1), time.Now())
	}
	id, err := checkpoint.Find(ctx, f.conn, slot)
	must(t, err)
	must(t, checkpoint.Create(ctx, f.conn, id, 1))
	f.applier = f.newApplier(1)
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newApplier returns an Applier of an epoch, on a connection of its own.
func (f *fixture) newApplier(epoch int64) *Applier {
	f.t.Helper()
	conn, err := session.Connect(f.t.Context(), f.cfg, "projector", session.Indexed, session.Unflushed)
	must(f.t, err)
	f.t.Cleanup(func() { session.Close(conn) })
	return New(conn, f.plan, slot, epoch)
}

func (f *fixture) exec(sql string, args ...any) {
	f.t.Helper()
	_, err := f.conn.Exec(f.t.Context(), sql, args...)
	must(f.t, err)
}

func (f *fixture) text(sql string, args ...any) (text string) {
	f.t.Helper()
	must(f.t, f.conn.QueryRow(f.t.Context(), sql, args...).Scan(&text))
	return text
}

func (f *fixture) expect(want, sql string, args ...any) {
	f.t.Helper()
	if got := f.text(sql, args...); got != want {
		f.t.Errorf("got %q, want %q: %s", got, want, sql)
	}
}

func (f *fixture) readModel(name string) *compile.ReadModel {
	for _, rm := range f.plan.ReadModels {
		if rm.Name == name {
			return rm
		}
	}
	f.t.Fatalf("no read model %s", name)
	return nil
}

// path is the one of that name.
func (f *fixture) path(via string) *compile.Path {
	f.t.Helper()
	for _, source := range f.plan.Sources {
		for _, path := range source.Paths {
			if path.Via == via {
				return path
			}
		}
	}
	f.t.Fatalf("no path %s", via)
	return nil
}

// dirty is what changes on the path of that name make dirty.
func (f *fixture) dirty(via string, values ...string) *batch.Dirty {
	f.t.Helper()
	d := &batch.Dirty{}
	found := false
	for _, source := range f.plan.Sources {
		for _, path := range source.Paths {
			if path.Via == via {
				found = true
				for _, v := range values {
					d.Add(path.ID, batch.Value(v))
				}
			}
		}
	}
	if !found {
		f.t.Fatalf("no path %s", via)
	}
	return d
}

// work is the next batch, of one transaction.
func (f *fixture) work() Work {
	f.number++
	lsn := pglogrepl.LSN(1000 * f.number)
	return Work{Number: f.number, Batch: batch.Batch{
		Transactions: 1, Changes: 1, XIDs: []batch.FullXID{7}, FirstLSN: lsn, LastLSN: lsn, LastCommit: time.Now(), Watermark: lsn + 5, Resume: lsn + 3,
	}}
}

// apply does a whole batch of what is dirty.
func (f *fixture) apply(careful bool, dirty ...*batch.Dirty) (Result, error) {
	f.t.Helper()
	if _, err := f.applier.Begin(f.t.Context()); err != nil {
		return Result{}, err
	}
	for _, d := range dirty {
		must(f.t, f.applier.Resolve(f.t.Context(), d))
	}
	return f.applier.Apply(f.t.Context(), f.work(), careful)
}

// wrongDocuments counts the documents that do not equal their definition.
func (f *fixture) wrongDocuments(name string) string {
	f.t.Helper()
	rm := f.readModel(name)
	return f.text("SELECT count(*)::text FROM ("+rm.Differences+") AS d", f.keys(rm))
}

func (f *fixture) keys(rm *compile.ReadModel) []string {
	f.t.Helper()
	rows, err := f.conn.Query(f.t.Context(), rm.Keys)
	must(f.t, err)
	keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(f.t, err)
	return keys
}
