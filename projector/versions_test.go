package projector_test

import (
	"strings"
	"testing"
	"time"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector"
)

// since skips a test on servers older than a version such as 180000.
func since(t *testing.T, version int, what string) {
	t.Helper()
	var is int
	must(t, pgtest.Connect(t, pgtest.Server(t).URL("postgres")).QueryRow(t.Context(), "SELECT current_setting('server_version_num')::int").Scan(&is))
	if is < version {
		t.Skipf("%s came with Postgres %d", what, version/10000)
	}
}

const newSchema = `
CREATE TABLE tb_shelf (id uuid PRIMARY KEY DEFAULT uuidv7(), label text CONSTRAINT shelf_label NOT NULL);
CREATE TABLE tb_book (id uuid PRIMARY KEY DEFAULT uuidv7(), shelf_id uuid NOT NULL REFERENCES tb_shelf, pages integer, words integer,
    per_page integer GENERATED ALWAYS AS (words / pages) VIRTUAL,
    thick boolean GENERATED ALWAYS AS (pages > 500) STORED,
    isbn text);
CREATE INDEX ON tb_book (shelf_id);
WITH s AS (INSERT INTO tb_shelf (label) SELECT 'shelf ' || i FROM generate_series(1, 5) i RETURNING id)
INSERT INTO tb_book (shelf_id, pages, words, isbn) SELECT id, 100 * n, 30000, n FROM s, generate_series(1, 10) n;`

const newFile = `
type Shelf @table(name: "tb_shelf") {
  id: ID!
  label: String!
  books: [Book!]! @hasMany(foreignKey: "shelf_id", orderBy: {id: ASC}) @embed(fields: "id perPage thick")
}
type Book @table(name: "tb_book") {
  id: ID!
  perPage: Int
  thick: Boolean
}`

// Generated columns are not in the stream: a virtual one is in no row either.
// What they are made of tells of their change, though no definition reads it.
// And keys may be of version 18's own kind.
func TestVirtualGeneratedColumns(t *testing.T) {
	since(t, 180000, "virtual generated columns")
	w := newWorldAt(t, pgtest.Database(t), newSchema, newFile)
	r := w.start(nil)
	w.reach(r, projector.Streaming)
	w.exec("UPDATE tb_book SET words = words * 2 WHERE isbn::int % 2 = 0")
	w.exec("UPDATE tb_book SET pages = 501 WHERE isbn = '3'")
	w.exec("DELETE FROM tb_book WHERE isbn = '4'")
	w.exec("INSERT INTO tb_book (shelf_id, pages, words) SELECT id, 300, 90000 FROM tb_shelf")
	w.settle()
	w.exact()
	w.stop(r)
}

// A publication that is away for a moment: versions from 18 on would leave out
// what is committed meanwhile.
func TestPublicationAwayForAMoment(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.reach(r, projector.Streaming)
	w.exec("DROP PUBLICATION freshet")
	w.exec("UPDATE tb_owner SET name = 'unpublished' WHERE id = 1")
	w.exec("CREATE PUBLICATION freshet FOR TABLE tb_owner, tb_item WITH (publish_via_partition_root = true)")
	if err := w.fails(r); !strings.Contains(err.Error(), "publication") {
		t.Errorf("the engine ended with %v", err)
	}
}

// A slot that nobody read from for too long says so, not that WAL is missing.
func TestSlotIdleTooLong(t *testing.T) {
	since(t, 180000, "idle_replication_slot_timeout")
	server := pgtest.Start(t, map[string]string{"idle_replication_slot_timeout": "1s"})
	w := newWorldAt(t, pgtest.DatabaseOn(t, server), schema, file)
	r := w.start(nil)
	w.reach(r, projector.Streaming)
	w.stop(r)
	lost := func() (is bool) {
		w.exec("CHECKPOINT")
		must(t, w.conn.QueryRow(t.Context(), "SELECT wal_status = 'lost' FROM pg_replication_slots WHERE slot_name = $1", w.slot).Scan(&is))
		return is
	}
	for deadline := time.Now().Add(30 * time.Second); !lost(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the slot was not lost")
		}
	}
	if err := w.fails(w.start(nil)); !strings.Contains(err.Error(), "idle_replication_slot_timeout") {
		t.Errorf("the engine ended with %v", err)
	}
}
