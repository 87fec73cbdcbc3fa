package trials

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver"
	"freshet/deploy/pgserver/pgtest"
)

// The change that a copy of the database knows and its documents do not.
const behindItsBack = `
UPDATE tb_book SET title = 'behind its back' WHERE id % 10 = 0;
DELETE FROM tb_author WHERE id = 5;
INSERT INTO tb_author VALUES (1000, 'new')`

// settled has the engine's documents right, and looks.
func (w *world) settled(r *run) {
	w.t.Helper()
	r.streams(1)
	w.settle()
	w.exact()
	w.exec("UPDATE tb_book SET title = 'and it goes on' WHERE id = 3")
	w.settle()
	w.exact()
}

// TestCopyWithinTheCluster copies the database by CREATE DATABASE … TEMPLATE,
// checkpoint and documents included: its place is that of another database's
// slot.
func TestCopyWithinTheCluster(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start()
	w.settled(r)
	r.stop()
	name := w.cfg.Database + "_copy"
	must(t, w.conn.Close(context.Background()))
	pgtest.Exec(t, w.server.URL("postgres"), fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s",
		pgx.Identifier{name}.Sanitize(), pgx.Identifier{w.cfg.Database}.Sanitize()))
	w.connect()
	t.Cleanup(func() {
		pgtest.Exec(t, w.server.URL("postgres"), "DROP DATABASE "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
	})
	c := w.at(w.server, name)
	c.exec(behindItsBack)

	c.refuses(w.slot, "belongs to database", "--slot") // the original's slot
	r = w.start()                                      // which is none the worse
	w.settled(r)
	r.stop()

	other := *c
	other.slot += "_b" // a slot of its own, as it says: no place is taken over, all is filled again
	r = other.start()
	other.settled(r)
	r.stop()
	other.exec("SELECT pg_drop_replication_slot($1)", other.slot)

	w.exec("SELECT pg_drop_replication_slot($1)", w.slot) // the original is gone
	c.exec("UPDATE tb_book SET title = 'again' WHERE id % 7 = 0")
	c.refuses("another database", "--recreate-slot")
	r = c.start(afresh)
	c.settled(r)
	r.stop()
	c.exec("SELECT pg_drop_replication_slot($1)", c.slot)
}

// TestRestoredBackup restores a physical backup beside the original: slots
// are in no backup, so its place has none; one that somebody makes by hand
// begins too late.
func TestRestoredBackup(t *testing.T) {
	t.Parallel()
	w := newServer(t, nil)
	r := w.start()
	w.settled(r)
	dir := w.backup()
	w.settled(r)
	r.stop()
	c := w.at(serve(t, dir, 0), w.cfg.Database)
	c.exec(behindItsBack)

	c.refuses("is gone", "backup", "--recreate-slot")
	c.exec("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", c.slot)
	c.refuses("begins at", "--recreate-slot")
	if n := ask[int](c, "SELECT count(*) FROM tv_book"); n != 1000 {
		t.Errorf("%d documents are left to serve", n)
	}
	r = c.start(afresh)
	c.settled(r)
	r.stop()
	r = c.start() // and without it, from now on
	c.settled(r)
	r.stop()
}

// TestFailover promotes a physical standby in the place of its primary, under
// a running engine: it must not go on as if nothing had been lost.
func TestFailover(t *testing.T) {
	t.Parallel()
	w := newServer(t, nil)
	t.Cleanup(func() { must(t, w.server.Resume(context.Background())) }) // its database is dropped at the end
	dir := w.backup("--write-recovery-conf")
	standby := serve(t, dir, 0)
	s := w.at(standby, w.cfg.Database)
	r := w.start()
	w.settled(r)
	mark := w.settle()
	eventually(s, true, "SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn", mark)

	// A projector that is led to the standby too early.
	says(t, s.start().fails(), "standby", "primary")

	must(t, standby.Halt(pgserver.Fast))
	w.exec("UPDATE tb_book SET title = 'never replicated' WHERE id = 4")
	w.settle()
	must(t, w.server.Halt(pgserver.Immediate)) // the primary is gone, with what the standby does not have
	r.await("it tells of the outage", func(v *seen) bool { return len(v.retries) > 0 })
	promoted := serve(t, dir, w.server.Port())
	p := w.at(promoted, w.cfg.Database)
	r.retried("standby") // it is led there before the promotion, and waits
	p.exec("SELECT pg_promote()")
	eventually(p, false, "SELECT pg_is_in_recovery()")
	p.exec(behindItsBack)
	err := r.fails()
	says(t, err, "another timeline", "promoted from a standby", "--recreate-slot")
	p.refuses("another timeline")
	r = p.start(afresh)
	p.settled(r)
	r.stop()
	if n := ask[int](p, "SELECT count(*) FROM tv_book WHERE data->>'title' = 'never replicated'"); n != 0 {
		t.Error("a document shows what only the old primary had")
	}
}
