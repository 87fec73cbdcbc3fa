package stream

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pglogrepl"

	"freshet/projector/batch"
)

func TestTransactionsInOrder(t *testing.T) {
	s := newSource(t).ready()
	f := s.follow(s.config())
	var xids []string
	for i := range 5 {
		var xid string
		err := s.conn.QueryRow(context.Background(), `WITH x AS (INSERT INTO tb_post VALUES ($1, 'a') RETURNING id) SELECT pg_current_xact_id()::text FROM x`, i).Scan(&xid)
		if err != nil {
			t.Fatal(err)
		}
		xids = append(xids, xid)
	}
	end := s.lsn("SELECT pg_current_wal_insert_lsn()")
	began := time.Now()
	var last pglogrepl.LSN
	for i := range 5 {
		tx := f.next()
		if fmt.Sprint(tx.XID) != xids[i] || show(tx) != fmt.Sprintf("post[%d] 1 changes", i) {
			t.Errorf("transaction %d of %s, want %s: %s", tx.XID, show(tx), xids[i], tx.CommitLSN)
		}
		if tx.CommitLSN < last || tx.EndLSN <= tx.CommitLSN || tx.EndLSN > end {
			t.Errorf("commit %s to %s, after %s, before %s", tx.CommitLSN, tx.EndLSN, last, end)
		}
		if age := began.Sub(tx.CommitTime); age < -time.Second || age > patience {
			t.Errorf("committed %s ago", age)
		}
		last = tx.EndLSN
	}
	if f.Received() < last {
		t.Errorf("received %s, delivered %s", f.Received(), last)
	}
}

func TestChanges(t *testing.T) {
	s := newSource(t).ready()
	f := s.follow(s.config())
	s.exec(`INSERT INTO tb_post SELECT i, 'title', repeat('body', 5000), 'draft' FROM generate_series(1, 9) i`)
	s.exec(`INSERT INTO tb_comment SELECT i, 1 + i / 3, 'hi' FROM generate_series(1, 9) i`)
	s.mark("filled")
	f.until("filled")
	for _, c := range []struct{ sql, want string }{
		{"UPDATE tb_post SET draft = 'x' WHERE id = 1", "1 changes"},
		{"UPDATE tb_post SET title = 'x' WHERE id = 1", "post[1] 1 changes"},
		{"UPDATE tb_post SET body = body || '.' WHERE id = 2", "post[2] 1 changes"},
		{"UPDATE tb_post SET id = 20 WHERE id = 9", "post[20 9] 1 changes"},
		{"UPDATE tb_comment SET content = 'x' WHERE id = 1", "comment[1] post.comments[1] 1 changes"},
		{"UPDATE tb_comment SET post_id = 3 WHERE id = 1", "comment[1] post.comments[1 3] 1 changes"},
		{"DELETE FROM tb_comment WHERE id = 1", "comment[1] post.comments[3] 1 changes"},
		{"DELETE FROM tb_post WHERE id = 2", "post[2] comment[3 4 5] post.comments[2] 4 changes"},
		{"INSERT INTO tb_part VALUES (7, 'a'), (107, 'b')", "part[107 7] 2 changes"},
		{"UPDATE tb_part SET id = 108 WHERE id = 7", "part[108 7] 2 changes"}, // a delete and an insert
		{"UPDATE tb_part SET v = 'c' WHERE id = 107", "part[107] 1 changes"},
		{"DELETE FROM tb_part_high WHERE id = 107", "part[107] 1 changes"},
		{"TRUNCATE tb_part", "whole[2] 1 changes"},
		{"TRUNCATE tb_post CASCADE", "whole[0 1] 2 changes"},
		{"BEGIN; INSERT INTO tb_post VALUES (1); SAVEPOINT a; INSERT INTO tb_post VALUES (2); ROLLBACK TO a; INSERT INTO tb_post VALUES (3); SAVEPOINT b; INSERT INTO tb_post VALUES (4); RELEASE b; COMMIT",
			"post[1 3 4] 3 changes"},
		{"INSERT INTO tb_other VALUES (1)", "0 changes"},
		{"ALTER TABLE tb_post ADD COLUMN extra text; ALTER TABLE tb_post DROP COLUMN draft; INSERT INTO tb_post VALUES (5, 't', 'b', 'e')", "post[5] 1 changes"},
	} {
		s.exec(c.sql)
		s.mark(c.sql[:6])
		before, _ := f.until(c.sql[:6])
		if len(before) != 1 || show(before[0]) != c.want {
			t.Errorf("%s: %d transactions, want one of %s", c.sql, len(before), c.want)
			for _, tx := range before {
				t.Log(show(tx))
			}
		}
	}
	s.exec("BEGIN; INSERT INTO tb_post VALUES (50); ROLLBACK")
	s.mark("end")
	if before, _ := f.until("end"); len(before) != 0 {
		t.Errorf("a rolled back transaction came: %s", show(before[0]))
	}
}

// Dates and the like come in the form in which documents are evaluated,
// whatever the database's own settings are.
func TestSessionSettings(t *testing.T) {
	s := newSource(t).ready()
	s.exec(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET datestyle = german', current_database());
		EXECUTE format('ALTER DATABASE %I SET timezone = ''Asia/Tokyo''', current_database()); END $$`)
	s.exec(`ALTER TABLE tb_part DROP CONSTRAINT tb_part_pkey; DROP TABLE tb_part;
		CREATE TABLE tb_part (id timestamptz PRIMARY KEY, v text); ALTER PUBLICATION freshet ADD TABLE tb_part`)
	s.mark("altered")
	cfg := s.config()
	cfg.Conn.RuntimeParams["TimeZone"] = "Asia/Tokyo"
	f := s.follow(cfg)
	f.until("altered")
	s.exec("INSERT INTO tb_part VALUES ('2024-01-02 03:04:05.6+00')")
	if got := show(f.next()); got != "part[2024-01-02 03:04:05.6+00] 1 changes" {
		t.Error(got)
	}
}

func TestConfirmAdvancesTheSlot(t *testing.T) {
	s := newSource(t).ready()
	cfg := s.config()
	cfg.StatusInterval = 10 * time.Millisecond
	f := s.follow(cfg)
	before := s.confirmed()
	if f.Resumed() != before || f.Confirmed() != before {
		t.Errorf("resumed at %s, slot at %s", f.Resumed(), before)
	}
	s.exec("INSERT INTO tb_post VALUES (1)")
	s.exec("INSERT INTO tb_post VALUES (2)")
	first, second := f.next(), f.next()
	go drainEvents(f)
	f.Confirm(first.EndLSN)
	f.Confirm(before) // lower: ignored
	eventually(t, "the slot is at the first transaction", func() bool { return s.confirmed() == first.EndLSN })
	f.Confirm(1 << 60) // beyond what was received
	eventually(t, "the slot is at what was received", func() bool { return s.confirmed() >= second.EndLSN })
	if got := s.confirmed(); got > f.Received() {
		t.Errorf("the slot is at %s, received was %s", got, f.Received())
	}
}

// drainEvents takes whatever comes, until the test's stream ends.
func drainEvents(f *follower) {
	for {
		select {
		case <-f.out:
		case err := <-f.done:
			f.done <- err
			return
		}
	}
}

// A status that was sent before anything was confirmed must not move the slot:
// a zero would be taken for the received position.
func TestNothingConfirmedNothingMoves(t *testing.T) {
	s := newSource(t).ready()
	cfg := s.config()
	cfg.StatusInterval = time.Millisecond
	before := s.confirmed()
	f := s.follow(cfg)
	for i := range 20 {
		s.exec(fmt.Sprintf("INSERT INTO tb_post VALUES (%d)", i))
		f.next()
	}
	f.stop()
	if got := s.confirmed(); got != before {
		t.Errorf("the slot moved from %s to %s", before, got)
	}
}

func TestResume(t *testing.T) {
	s := newSource(t).ready()
	f := s.follow(s.config())
	for i := range 3 {
		s.exec(fmt.Sprintf("INSERT INTO tb_post VALUES (%d)", i))
	}
	first, second := f.next(), f.next()
	f.Confirm(first.EndLSN)
	f.stop() // Close tells the slot
	if got := s.confirmed(); got != first.EndLSN {
		t.Fatalf("the slot is at %s, confirmed was %s", got, first.EndLSN)
	}
	again := s.follow(s.config())
	if tx := again.next(); tx.EndLSN != second.EndLSN || show(tx) != show(second) {
		t.Errorf("resumed with %s at %s", show(tx), tx.EndLSN)
	}
	again.stop()
	cfg := s.config()
	cfg.Start = second.EndLSN
	third := s.follow(cfg)
	if tx := third.next(); show(tx) != "post[2] 1 changes" {
		t.Errorf("resumed at %s with %s", second.EndLSN, show(tx))
	}
	if third.Resumed() != second.EndLSN || third.Confirmed() != first.EndLSN {
		t.Errorf("resumed %s, confirmed %s", third.Resumed(), third.Confirmed())
	}
}

// Closing lets go of the slot before it returns: the next one needs no retry.
func TestCloseReleasesTheSlot(t *testing.T) {
	s := newSource(t).ready()
	for i := range 10 {
		s.exec(fmt.Sprintf("INSERT INTO tb_post VALUES (%d)", i))
		f := s.follow(s.config())
		f.next() // unread transactions stay in the pipe
		f.stop()
		if err := f.Close(context.Background()); err != nil {
			t.Errorf("Close again: %v", err)
		}
	}
}

// What happens in tables outside the publication, or in other databases, moves
// the position on.
func TestIdle(t *testing.T) {
	s := newSource(t).ready()
	f := s.follow(s.config())
	s.exec("CREATE TABLE unpublished AS SELECT generate_series(1, 100) i")
	lsn := s.lsn("SELECT pg_current_wal_flush_lsn()")
	var last pglogrepl.LSN
	for last < lsn {
		e := f.event()
		if tx := e.Transaction; tx != nil && f.System().Version < 150000 && show(tx) == "0 changes" {
			e = Event{Idle: tx.EndLSN} // before version 15 each transaction is told, what it published or not
		}
		if e.Transaction != nil || e.Idle <= last {
			t.Fatalf("event %+v after %s", e, last)
		}
		last = e.Idle
	}
	if f.Received() < last {
		t.Errorf("received %s, idle at %s", f.Received(), last)
	}
	f.Confirm(last)
	f.stop()
	if got := s.confirmed(); got != last {
		t.Errorf("the slot is at %s, confirmed was %s", got, last)
	}
}

// With Origin, what sessions with an origin of their own write is left out, a
// subscription's work too; markers of sessions without one are not.
func TestOrigin(t *testing.T) {
	s := newSource(t).ready()
	cfg := s.config()
	cfg.Origin = true
	f := s.follow(cfg)
	if f.System().Version < originFilter {
		t.Skip("origins can be left out from Postgres 16 on")
	}
	s.exec("SELECT pg_replication_origin_create('" + s.slot + "'), pg_replication_origin_session_setup('" + s.slot + "')")
	t.Cleanup(func() { s.exec("SELECT pg_replication_origin_drop('" + s.slot + "')") })
	s.exec("INSERT INTO tb_post VALUES (1)")
	s.exec("SELECT pg_replication_origin_session_reset()")
	s.mark("plain")
	if before, _ := f.until("plain"); len(before) != 0 {
		t.Errorf("%d transactions of an origin came", len(before))
	}
}

func TestSystem(t *testing.T) {
	s := newSource(t).ready()
	f := s.follow(s.config())
	want := System{
		ID: s.text("SELECT system_identifier::text FROM pg_control_system()"), Timeline: 1, Database: s.slot,
		Position: f.System().Position, Version: f.System().Version,
	}
	if diff := cmp.Diff(want, f.System()); diff != "" || f.System().Position == 0 || fmt.Sprint(f.System().Version) != s.text("SHOW server_version_num") {
		t.Errorf("%+v: -want +got\n%s", f.System(), diff)
	}
	if got := s.text("SELECT application_name FROM pg_stat_activity WHERE pid = " + fmt.Sprint(f.PID())); got != "freshet" {
		t.Errorf("process %d is %q", f.PID(), got)
	}
}

// A table that lost its replica identity stops the stream at its next change.
func TestSchemaErrorStops(t *testing.T) {
	s := newSource(t).ready()
	f := s.follow(s.config())
	s.exec("ALTER TABLE tb_comment REPLICA IDENTITY DEFAULT; INSERT INTO tb_post VALUES (1)")
	f.next()
	s.exec("INSERT INTO tb_comment VALUES (1, 1, 'hi')")
	var schema *batch.SchemaError
	if err := f.fails(); !errors.As(err, &schema) || schema.Table != "public.tb_comment" {
		t.Errorf("%v", err)
	}
}
