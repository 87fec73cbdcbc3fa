package trials

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"freshet/deploy/pgserver"
	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/compile"
	"freshet/projector/migrate/migratetest"
	"freshet/projector/session"
	"freshet/projector/soak/oracle"
)

// full asks for the large sizes.
var full = flag.Bool("trials.full", false, "take the large sizes: five million rows, 50,000 batches")

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Runner{M: m}) }

// sized is how large a test is.
func sized(usual, large int) int {
	if *full {
		return large
	}
	return usual
}

// deadline bounds each wait for something that must happen.
func deadline() time.Duration {
	if *full {
		return 20 * time.Minute
	}
	return 3 * time.Minute
}

const library = `
CREATE TABLE tb_author (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_book (id bigint PRIMARY KEY, author_id bigint NOT NULL REFERENCES tb_author ON DELETE CASCADE,
                      title text NOT NULL, pages integer NOT NULL);
CREATE INDEX ON tb_book (author_id);
CREATE TABLE tb_noise (id bigint, t text);
INSERT INTO tb_author SELECT i, 'author ' || i FROM generate_series(1, 50) AS i;
INSERT INTO tb_book SELECT i, 1 + i % 50, 'book ' || i, 1 + i % 7 FROM generate_series(1, 1000) AS i;`

const libraryFile = `
type Author @table(name: "tb_author") {
  id: ID!
  name: String!
  books: [Book!]! @hasMany(foreignKey: "author_id", orderBy: {id: DESC}, limit: 20) @embed(fields: "id title")
  pages: BigInt @aggregate(fn: SUM, of: "books", field: "pages")
}
type Book @table(name: "tb_book") {
  id: ID!
  title: String!
  pages: Int! @index
  rate: Int @computed(sql: "5040 / pages")
  author: Author! @belongsTo(foreignKey: "author_id") @embed(fields: "id name")
}`

// world is a database with source tables and read models.
type world struct {
	t      *testing.T
	server *pgserver.Server
	url    string
	conn   *pgx.Conn
	cfg    *pgx.ConnConfig
	plan   *compile.Plan
	slot   string
}

// newWorld makes the library on the shared server.
func newWorld(t *testing.T) *world {
	t.Helper()
	return worldOf(t, pgtest.Server(t), library, libraryFile)
}

// newServer makes the library on a server of its own, with these settings.
func newServer(t *testing.T, settings map[string]string) *world {
	t.Helper()
	return worldOf(t, pgtest.Start(t, settings), library, libraryFile)
}

func worldOf(t *testing.T, server *pgserver.Server, schema, file string) *world {
	t.Helper()
	w := &world{t: t, server: server, url: pgtest.DatabaseOn(t, server)}
	w.slot = fmt.Sprintf("t_%x", time.Now().UnixNano())
	pgtest.Exec(t, w.url, schema)
	w.connect()
	w.plan = migratetest.Migrate(t, w.conn, file, w.slot)
	return w
}

// at is the same world on another server or in another database.
func (w *world) at(server *pgserver.Server, database string) *world {
	w.t.Helper()
	other := *w
	other.server, other.url = server, server.URL(database)
	other.connect()
	return &other
}

func (w *world) connect() {
	w.t.Helper()
	w.conn = pgtest.Connect(w.t, w.url)
	w.cfg = w.conn.Config()
	w.exec("SET lock_timeout = '30s'") // rather than hang
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	execute(w.t, w.conn, sql, args...)
}

func execute(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%.200s: %v", sql, err)
	}
}

// ask returns the one value that a query yields.
func ask[T any](w *world, sql string, args ...any) (v T) {
	w.t.Helper()
	if err := w.conn.QueryRow(context.Background(), sql, args...).Scan(&v); err != nil {
		w.t.Fatalf("%.200s: %v", sql, err)
	}
	return v
}

// eventually asks until the answer is what is wanted.
func eventually[T comparable](w *world, want T, sql string, args ...any) {
	w.t.Helper()
	var got T
	for began := time.Now(); time.Since(began) < deadline(); time.Sleep(10 * time.Millisecond) {
		if got = ask[T](w, sql, args...); got == want {
			return
		}
	}
	w.t.Fatalf("%.200s: still %v, want %v", sql, got, want)
}

// settle waits until all that is committed is in the documents, fan-outs
// included.
func (w *world) settle() pglogrepl.LSN {
	w.t.Helper()
	mark := ask[pglogrepl.LSN](w, "SELECT pg_logical_emit_message(true, 'freshet', 'trials')")
	eventually(w, true, `SELECT watermark >= $2::pg_lsn AND NOT EXISTS (SELECT FROM freshet.fanout)
		FROM freshet.checkpoint WHERE slot = $1`, w.slot, mark)
	return mark
}

// exact compares every document with the oracle. Nobody may write meanwhile.
func (w *world) exact() {
	w.t.Helper()
	conn, err := session.Connect(context.Background(), w.cfg, "trials")
	must(w.t, err)
	defer session.Close(conn)
	report, err := oracle.Check(context.Background(), conn, w.plan.Model)
	must(w.t, err)
	if report.Documents == 0 {
		w.t.Error("there are no documents")
	}
	for i, d := range report.Differences {
		if i == 5 {
			w.t.Errorf("and %d more", len(report.Differences)-i)
			break
		}
		w.t.Error(d)
	}
}

// nothingWaits fails where a key is pending.
func (w *world) nothingWaits() {
	w.t.Helper()
	if n := ask[int](w, "SELECT count(*) FROM freshet.pending"); n != 0 {
		w.t.Errorf("%d keys are pending: %s", n, ask[string](w, "SELECT left(string_agg(model || ' ' || left(key, 40) || ': ' || coalesce(error, ''), '; '), 1000) FROM freshet.pending"))
	}
}

// says fails unless an error tells the operator all of these.
func says(t *testing.T, err error, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}
