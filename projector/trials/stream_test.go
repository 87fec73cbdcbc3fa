package trials

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver"
	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/session"
)

// TestQuietTablesHoldNoWAL leaves the source tables alone while another table
// and another database write: the slot must advance by itself, and the WAL go.
func TestQuietTablesHoldNoWAL(t *testing.T) {
	t.Parallel()
	w := newServer(t, map[string]string{"min_wal_size": "32MB", "max_wal_size": "64MB"})
	r := w.start()
	r.streams(1)
	w.settle()
	elsewhere := pgtest.Connect(t, pgtest.DatabaseOn(t, w.server))
	execute(t, elsewhere, "CREATE TABLE tb_noise (id bigint, t text)")
	batches := r.told().batches
	before := w.confirmed()
	for _, conn := range []*pgx.Conn{w.conn, elsewhere} {
		execute(t, conn, "INSERT INTO tb_noise SELECT i, repeat('x', 1000) FROM generate_series(1, 100000) AS i")
	}
	for began := time.Now(); w.confirmed()-before < 200e6 || w.retained() > 32<<20; time.Sleep(time.Second) {
		w.exec("CHECKPOINT") // writes the record by which a slot's restart_lsn moves
		if time.Since(began) > deadline() {
			t.Fatalf("the slot moved by %d bytes while 200 MB were written, and holds %d", w.confirmed()-before, w.retained())
		}
	}
	if told := r.told(); len(told.retries) > 0 || told.batches > batches+2 {
		t.Errorf("%d batches for nothing; it told %v", told.batches-batches, told.retries)
	}
	w.exec("UPDATE tb_book SET title = 'after' WHERE id = 1")
	w.settle()
	w.exact()
	r.stop()
}

func (w *world) confirmed() int {
	return ask[int](w, "SELECT (confirmed_flush_lsn - '0/0')::bigint FROM pg_replication_slots WHERE slot_name = $1", w.slot)
}

func (w *world) retained() int {
	return ask[int](w, "SELECT (pg_current_wal_lsn() - restart_lsn)::bigint FROM pg_replication_slots WHERE slot_name = $1", w.slot)
}

// open begins a transaction on a connection of its own.
func (w *world) open(sql string, args ...any) *pgx.Conn {
	w.t.Helper()
	conn := pgtest.Connect(w.t, w.url)
	execute(w.t, conn, "BEGIN")
	execute(w.t, conn, sql, args...)
	return conn
}

// TestResumeAmidInterleavedTransactions stops the engine between the parts of
// transactions that overlap: those that began before its place and end behind
// it must come whole, those that ended before it must not come again as
// changes that were missed. The server spills each of them to disk.
func TestResumeAmidInterleavedTransactions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec(fmt.Sprintf("ALTER DATABASE %s SET logical_decoding_work_mem = '64kB'", pgx.Identifier{w.cfg.Database}.Sanitize()))
	for round := range 3 {
		r := w.start()
		r.streams(1)
		early := w.open("UPDATE tb_book SET title = title || $1 WHERE id <= 600", fmt.Sprintf(" e%d", round))
		late := w.open("UPDATE tb_author SET name = name || $1 WHERE id > 25", fmt.Sprintf(" l%d", round))
		w.exec("UPDATE tb_book SET pages = pages % 7 + 1 WHERE id > 900")
		w.settle()
		execute(t, late, "UPDATE tb_book SET author_id = author_id % 50 + 1 WHERE id BETWEEN 700 AND 800")
		r.stop()
		w.exec("UPDATE tb_book SET title = 'while down' WHERE id = 901")
		execute(t, early, "DELETE FROM tb_book WHERE id = $1", 600-round)
		execute(t, early, "COMMIT")
		r = w.start()
		r.streams(1)
		w.settle()
		w.exact() // late has not committed: none of it may show
		execute(t, late, "UPDATE tb_author SET name = 'late' WHERE id = $1", 1+round)
		r.stop()
		execute(t, late, "COMMIT")
		r = w.start()
		r.streams(1)
		w.settle()
		w.exact()
		if n := ask[int](w, "SELECT count(*) FROM tv_book WHERE data->'author'->>'name' LIKE $1", fmt.Sprintf("%% l%d", round)); n == 0 {
			t.Error("the late transaction is not in the documents")
		}
		r.stop()
	}
	w.nothingWaits()
}

// TestAbortedPartsLeaveNoTrace rolls back parts of transactions in every way
// there is: what was undone must not show, and what was not must.
func TestAbortedPartsLeaveNoTrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start()
	r.streams(1)
	w.exec(`
BEGIN;
UPDATE tb_book SET title = 'kept' WHERE id = 1;
SAVEPOINT a;
UPDATE tb_book SET title = 'undone' WHERE id IN (1, 2);
SAVEPOINT b;
DELETE FROM tb_author WHERE id = 3;
ROLLBACK TO a;
UPDATE tb_book SET author_id = 7 WHERE id = 4;
SAVEPOINT c;
TRUNCATE tb_book;
ROLLBACK TO c;
RELEASE a;
COMMIT`)
	w.exec(`
DO $$ BEGIN
  FOR i IN 1..200 LOOP
    BEGIN
      UPDATE tb_book SET title = 'try ' || i WHERE id = 100 + i;
      UPDATE tb_book SET pages = CASE WHEN i % 2 = 0 THEN 1 / (i - i) ELSE pages % 7 + 1 END WHERE id = 100 + i;
    EXCEPTION WHEN division_by_zero THEN
      INSERT INTO tb_book VALUES (20000 + i, 1 + i % 50, 'instead', 1);
    END;
  END LOOP;
END $$`)
	w.exec("BEGIN; DELETE FROM tb_author; ROLLBACK")
	w.settle()
	w.exact()
	if title := ask[string](w, "SELECT data->>'title' FROM tv_book WHERE id = 1"); title != "kept" {
		t.Errorf("book 1 is %q", title)
	}
	if n := ask[int](w, "SELECT count(*) FROM tv_book WHERE data->>'title' = 'instead'"); n != 100 {
		t.Errorf("%d of 100 books that an exception handler inserted", n)
	}
	r.stop()
	w.nothingWaits()
}

// TestPreparedTransactions commits and rolls back prepared ones: with the
// engine running, over a restart of it, and over one of the server.
func TestPreparedTransactions(t *testing.T) {
	t.Parallel()
	w := newServer(t, nil)
	r := w.start()
	r.streams(1)
	prepare := func(gid, sql string) {
		t.Helper()
		execute(t, w.open(sql), "PREPARE TRANSACTION '"+gid+"'")
	}
	unchanged := func() {
		t.Helper()
		w.settle()
		w.exact()
		if n := ask[int](w, "SELECT count(*) FROM tv_book WHERE data->>'title' LIKE 'prepared%'"); n != 0 {
			t.Errorf("%d books show what is only prepared", n)
		}
	}
	prepare("now", "UPDATE tb_book SET title = 'prepared now', author_id = 9 WHERE id < 50")
	prepare("never", "UPDATE tb_book SET title = 'prepared never' WHERE id BETWEEN 50 AND 60")
	prepare("engine", "UPDATE tb_book SET title = 'prepared engine' WHERE id BETWEEN 100 AND 150")
	prepare("server", "UPDATE tb_author SET name = 'prepared server' WHERE id > 40")
	prepare("server never", "DELETE FROM tb_book WHERE id > 950; UPDATE tb_author SET name = 'prepared never' WHERE id <= 5")
	w.exec("UPDATE tb_book SET pages = 6 WHERE id = 900")
	unchanged()
	w.exec("COMMIT PREPARED 'now'")
	w.exec("ROLLBACK PREPARED 'never'")
	w.settle()
	w.exact()
	r.stop()
	w.exec("COMMIT PREPARED 'engine'")
	r = w.start()
	r.streams(1)
	w.settle()
	w.exact()
	if err := w.server.Restart(pgserver.Immediate); err != nil {
		t.Fatal(err)
	}
	w.connect()
	r.streams(2)
	w.settle()
	w.exact()
	w.exec("COMMIT PREPARED 'server'")
	w.exec("ROLLBACK PREPARED 'server never'")
	w.settle()
	w.exact()
	if n := ask[int](w, "SELECT count(*) FROM tv_author WHERE data->>'name' = 'prepared server'"); n != 10 {
		t.Errorf("%d of 10 authors show what was prepared before the restart", n)
	}
	r.stop()
	w.nothingWaits()
}

// writes changes books at random until it is told to stop.
func (w *world) writes(ctx context.Context, url string, settings string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer session.Close(conn)
	if _, err := conn.Exec(ctx, settings); err != nil {
		return err
	}
	for i := 0; ctx.Err() == nil; i++ {
		_, err := conn.Exec(ctx, "UPDATE tb_book SET title = 'load ' || $1::text, author_id = 1 + $1 % 50 WHERE id = 1 + $1 * 7919 % 1000", i)
		if err != nil {
			return nil // the server went down, which is what the test is about
		}
	}
	return nil
}
