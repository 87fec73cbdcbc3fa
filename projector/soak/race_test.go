package soak

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver"
	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/soak/oracle"
)

// settleTime bounds each wait of a test for the projector.
const settleTime = 30 * time.Second

// eventually asks until the answer is what is wanted.
func eventually[T comparable](t *testing.T, conn *pgx.Conn, want T, sql string, args ...any) {
	t.Helper()
	var got T
	for began := time.Now(); time.Since(began) < settleTime; {
		if err := conn.QueryRow(context.Background(), sql, args...).Scan(&got); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if got == want {
			return
		}
		_ = pause(context.Background(), 5*time.Millisecond)
	}
	t.Fatalf("%s: still %v, want %v", sql, got, want)
}

func query[T any](t *testing.T, conn *pgx.Conn, sql string, args ...any) (v T) {
	t.Helper()
	if err := conn.QueryRow(context.Background(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func execute(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func example(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("../../examples/blog/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const (
	ann  = "00000000-0000-4000-8000-00000000000a"
	post = "00000000-0000-4000-8000-00000000000b"
)

const blogRows = `
INSERT INTO tb_user (id, username) VALUES ('` + ann + `', 'ann');
INSERT INTO tb_post (id, author_id, title, content) VALUES ('` + post + `', '` + ann + `', 'first', 'text');`

// waitsForStandby is the condition under which a transaction is in the WAL and
// decoded, and yet in progress for every snapshot.
const waitsForStandby = `SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'stuck'`

// TestDecodedButNotVisible makes the race of the exact batch deterministic: a
// commit waits for a standby that does not exist, so it is decoded long before
// any snapshot sees it. Its document must not show it, the watermark must stay
// below it, others must pass, over a SIGKILL too; and once it is released its
// document must be right.
func TestDecodedButNotVisible(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, nil)
	url := pgtest.DatabaseOn(t, server)
	conn := patient(t, url)
	execute(t, conn, example(t, "schema.sql"))
	execute(t, conn, blogRows)
	s := prepare(t, url, example(t, "model.graphql"))
	projector := newProcess(s.command)
	start(t, projector)
	eventually(t, conn, "first", `SELECT coalesce((SELECT data->>'title' FROM tv_post WHERE id = $1), '')`, post)
	execute(t, conn, `SELECT pg_create_logical_replication_slot('peek', 'pgoutput')`)

	standby(t, conn, "'nobody'")
	released := stuck(t, url, `UPDATE tb_user SET username = 'waits' WHERE id = '`+ann+`'`)
	eventually(t, conn, 1, waitsForStandby)
	end := commitEnd(t, conn, s.slot)

	for i := range 5 {
		others(t, conn, s, end, fmt.Sprintf("passes %d", i))
	}
	if err := projector.kill(); err != nil {
		t.Fatal(err)
	}
	start(t, projector)
	others(t, conn, s, end, "passes after SIGKILL")
	if n := query[int](t, conn, waitsForStandby); n != 1 {
		t.Fatal("the commit no longer waits: the test has proved nothing")
	}

	standby(t, conn, "''")
	if err := <-released; err != nil {
		t.Fatal(err)
	}
	eventually(t, conn, "waits", `SELECT data->>'username' FROM tv_user WHERE id = $1`, ann)
	eventually(t, conn, "waits", `SELECT data->'author'->>'username' FROM tv_post WHERE id = $1`, post)
	eventually(t, conn, true, `SELECT watermark >= $2::pg_lsn FROM freshet.checkpoint WHERE slot = $1`, s.slot, end)
	exact(t, conn, s)
}

// patient connects a session whose own commits wait for no standby.
func patient(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn := pgtest.Connect(t, url)
	execute(t, conn, `SET synchronous_commit = local`)
	return conn
}

// start starts the projector and kills it at cleanup.
func start(t *testing.T, p *process) {
	t.Helper()
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.stop()
		if err := p.err(); err != nil {
			t.Error(err)
		}
	})
}

// standby sets the standbys that commits wait for; a literal.
func standby(t *testing.T, conn *pgx.Conn, names string) {
	t.Helper()
	execute(t, conn, `ALTER SYSTEM SET synchronous_standby_names = `+names)
	execute(t, conn, `SELECT pg_reload_conf()`)
	eventually(t, conn, names, `SELECT quote_literal(current_setting('synchronous_standby_names'))`)
}

// stuck runs a statement on a connection of its own, which waits for the
// standby; what came of it is sent once it returns.
func stuck(t *testing.T, url, sql string) <-chan error {
	t.Helper()
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	cfg.RuntimeParams["application_name"] = "stuck"
	conn, err := pgx.ConnectConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { // ends when the commit is released, or with the server
		defer conn.Close(context.Background())
		_, err := conn.Exec(context.Background(), sql)
		done <- err
	}()
	return done
}

// commitEnd returns the end of the last commit of a user in the WAL, as another slot decodes it.
func commitEnd(t *testing.T, conn *pgx.Conn, publication string) pglogrepl.LSN {
	t.Helper()
	return query[pglogrepl.LSN](t, conn, `SELECT max(lsn) FROM pg_logical_slot_peek_binary_changes('peek', NULL, NULL,
		'proto_version', '1', 'publication_names', $1) WHERE get_byte(data, 0) = ascii('C')`, publication)
}

// others commits a change, and sees it applied while the stuck one is not.
func others(t *testing.T, conn *pgx.Conn, s *subject, end pglogrepl.LSN, title string) {
	t.Helper()
	execute(t, conn, `UPDATE tb_post SET title = $2 WHERE id = $1`, post, title)
	eventually(t, conn, title, `SELECT data->>'title' FROM tv_post WHERE id = $1`, post)
	// One statement: documents and watermark of the same commit.
	var user, author string
	var watermark pglogrepl.LSN
	err := conn.QueryRow(context.Background(), `SELECT u.data->>'username', p.data->'author'->>'username', c.watermark
		FROM tv_user u, tv_post p, freshet.checkpoint c WHERE u.id = $1 AND p.id = $2 AND c.slot = $3`, ann, post, s.slot).Scan(&user, &author, &watermark)
	if err != nil {
		t.Fatal(err)
	}
	if user != "ann" || author != "ann" {
		t.Errorf("a commit that is not visible yet is shown: %s, %s", user, author)
	}
	if watermark >= end {
		t.Errorf("watermark %s has passed a commit that is not applied, %s", watermark, end)
	}
	exact(t, conn, s)
}

// exact compares every document with the oracle. Nothing may be written meanwhile.
func exact(t *testing.T, conn *pgx.Conn, s *subject) {
	t.Helper()
	rep, err := oracle.Check(context.Background(), conn, s.model)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range rep.Differences {
		t.Error(d)
	}
	if rep.Documents == 0 {
		t.Error("there are no documents")
	}
}

// restarter restarts a server for Faults.Restart.
func restarter(s *pgserver.Server) func(context.Context, bool) error {
	return func(_ context.Context, immediate bool) error {
		if immediate {
			return s.Restart(pgserver.Immediate)
		}
		return s.Restart(pgserver.Fast)
	}
}
