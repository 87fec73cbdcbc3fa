package soak

import (
	"context"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver/pgtest"
	"freshet/model"
)

const familySchema = `
CREATE TABLE parent (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE child (id int PRIMARY KEY, parent_id int NOT NULL REFERENCES parent, name text NOT NULL);
CREATE INDEX ON child (parent_id);
INSERT INTO parent SELECT g, 'parent ' || g FROM generate_series(1, 3) g;
INSERT INTO child SELECT g, 1 + g % 3, 'child ' || g FROM generate_series(1, 9) g;`

const (
	parentsOnly = `type Parent @table(name: "parent") { id: ID! name: String! }`
	strangers   = parentsOnly + ` type Child @table(name: "child") { id: ID! name: String! }`
	family      = `type Parent @table(name: "parent") { id: ID! name: String!
		children: [Child!]! @hasMany(foreignKey: "parent_id", orderBy: {name: ASC}) @embed(fields: "id name") }
		type Child @table(name: "child") { id: ID! name: String! parent: Parent! @belongsTo(foreignKey: "parent_id") @embed(fields: "id name") }`
)

// remodel replaces the subject's model file and migrates.
func (s *subject) remodel(t *testing.T, sdl string) {
	t.Helper()
	if err := os.WriteFile(s.file, []byte(sdl), 0o600); err != nil {
		t.Fatal(err)
	}
	s.model, _ = model.Parse(s.file, sdl)
	if err := s.migrate(); err != nil {
		t.Fatal(err)
	}
}

// settled waits until the projector has seen everything, and compares.
func settled(t *testing.T, conn *pgx.Conn, s *subject) {
	t.Helper()
	lsn, err := nudge(context.Background(), conn)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, conn, true, `SELECT coalesce((SELECT complete >= $2::pg_lsn FROM freshet.checkpoint WHERE slot = $1), false)
		AND NOT EXISTS (SELECT FROM freshet.lag) AND NOT EXISTS (SELECT FROM freshet.models WHERE state <> 'ready')`, s.slot, lsn)
	exact(t, conn, s)
}

// TestCommitBeforeTheSlot begins with a slot whose consistent point lies
// behind a commit that no snapshot sees yet, since it waits for a standby: it
// is neither in the first fill nor in the stream, unless the fill waits for it.
func TestCommitBeforeTheSlot(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, nil)
	url := pgtest.DatabaseOn(t, server)
	conn := patient(t, url)
	execute(t, conn, familySchema)
	s := prepare(t, url, family)
	execute(t, conn, `SELECT pg_drop_replication_slot($1)`, s.slot) // it is made again below
	standby(t, conn, "'nobody'")

	// A slot becomes consistent after two generations of transactions have
	// ended: those running when it is asked for, and those running then.
	first, second := patient(t, url), patient(t, url)
	execute(t, first, `BEGIN`)
	one := query[string](t, first, `SELECT pg_current_xact_id()::text`)
	migrated := make(chan error, 1)
	go func() { migrated <- s.migrate() }() // ends when the slot is made, or with the server
	awaited(t, conn, one)
	execute(t, second, `BEGIN`)
	two := query[string](t, second, `SELECT pg_current_xact_id()::text`)
	execute(t, first, `COMMIT`)
	awaited(t, conn, two)
	released := stuck(t, url, `UPDATE child SET name = 'waits', parent_id = 3 WHERE id = 1`)
	eventually(t, conn, 1, waitsForStandby)
	execute(t, second, `COMMIT`)
	if err := <-migrated; err != nil {
		t.Fatal(err)
	}

	p := newProcess(s.command)
	start(t, p)
	// Either it fills now, or it waits for the commit: both are right.
	eventually(t, conn, true, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'freshet %' AND datname = current_database())`)
	for range 200 {
		if query[bool](t, conn, `SELECT EXISTS (SELECT FROM freshet.checkpoint WHERE state = 'streaming')`) {
			break
		}
		_ = pause(context.Background(), 10e6)
	}
	standby(t, conn, "''")
	if err := <-released; err != nil {
		t.Fatal(err)
	}
	settled(t, conn, s)
}

// awaited waits until somebody waits for the end of a transaction.
func awaited(t *testing.T, conn *pgx.Conn, xid string) {
	t.Helper()
	eventually(t, conn, true, `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'transactionid' AND transactionid::text = $1 AND NOT granted)`, xid)
}

// TestTableJoinsDuringTransaction adds a table to the publication while a
// transaction that has written to it is open: what it wrote before is not in
// the stream, and not in a fill that begins before it commits.
func TestTableJoinsDuringTransaction(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	conn, open := pgtest.Connect(t, url), pgtest.Connect(t, url)
	execute(t, conn, familySchema)
	s := prepare(t, url, parentsOnly)
	p := newProcess(s.command)
	start(t, p)
	settled(t, conn, s)

	execute(t, open, `BEGIN`)
	execute(t, open, `UPDATE child SET name = 'early' WHERE id = 1`)
	if err := p.kill(); err != nil {
		t.Fatal(err)
	}
	s.remodel(t, strangers)
	start(t, p)
	for range 100 { // it fills now, or waits: both are right
		if query[bool](t, conn, `SELECT NOT EXISTS (SELECT FROM freshet.models WHERE state = 'backfilling')`) {
			break
		}
		_ = pause(context.Background(), 10e6)
	}
	execute(t, open, `UPDATE child SET name = 'late' WHERE id = 2`)
	execute(t, open, `COMMIT`)
	settled(t, conn, s)
}

// TestIdentityChangesOverBacklog changes a table's replica identity while
// changes that were written under the old one are still to be read: they cannot
// be used, so the read models that need them must be filled again.
func TestIdentityChangesOverBacklog(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	conn := pgtest.Connect(t, url)
	execute(t, conn, familySchema)
	s := prepare(t, url, strangers)
	p := newProcess(s.command)
	start(t, p)
	settled(t, conn, s)
	if err := p.kill(); err != nil {
		t.Fatal(err)
	}
	execute(t, conn, `UPDATE child SET parent_id = 3, name = 'moved' WHERE id = 1`)
	execute(t, conn, `DELETE FROM child WHERE id = 2`)
	s.remodel(t, family)
	execute(t, conn, `UPDATE child SET parent_id = 1 WHERE id = 3`)
	start(t, p)
	settled(t, conn, s)
}

// TestTruncatedPartition empties one partition, and drops another. The
// publication goes by the partitioned table, and Postgres replicates neither:
// the projector sees it in the catalog, within seconds, and at a start at once.
func TestTruncatedPartition(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	conn := pgtest.Connect(t, url)
	execute(t, conn, `
CREATE TABLE parent (id int PRIMARY KEY, name text NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE parent_low PARTITION OF parent FOR VALUES FROM (0) TO (100);
CREATE TABLE parent_high PARTITION OF parent FOR VALUES FROM (100) TO (200);
INSERT INTO parent SELECT g, 'parent ' || g FROM generate_series(1, 199) g`)
	s := prepare(t, url, parentsOnly)
	p := newProcess(s.command)
	start(t, p)
	settled(t, conn, s)
	execute(t, conn, `TRUNCATE parent_high`)
	eventually(t, conn, 99, `SELECT count(*)::int FROM tv_parent`)
	settled(t, conn, s)
	if err := p.kill(); err != nil {
		t.Fatal(err)
	}
	execute(t, conn, `DROP TABLE parent_low`)
	execute(t, conn, `INSERT INTO parent VALUES (150, 'new')`)
	start(t, p)
	settled(t, conn, s)
}
