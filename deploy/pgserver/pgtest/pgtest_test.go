package pgtest_test

import (
	"strings"
	"testing"

	"github.com/jackc/pglogrepl"
	"go.uber.org/goleak"

	"freshet/deploy/pgserver/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Runner{M: m}) }

func TestDatabaseIsDropped(t *testing.T) {
	var name string
	t.Run("use", func(t *testing.T) {
		url := pgtest.Database(t)
		pgtest.Exec(t, url, "CREATE TABLE a (i int); INSERT INTO a VALUES (1)")
		conn := pgtest.Connect(t, url)
		if err := conn.QueryRow(t.Context(), "SELECT current_database()").Scan(&name); err != nil {
			t.Fatal(err)
		}
		pgtest.Exec(t, url, "SELECT pg_create_logical_replication_slot('left_behind', 'pgoutput')")
		repl := pgtest.Connect(t, strings.Replace(url, "?", "?replication=database&", 1))
		opts := pglogrepl.StartReplicationOptions{PluginArgs: []string{"proto_version '1'", "publication_names 'x'"}}
		if err := pglogrepl.StartReplication(t.Context(), repl.PgConn(), "left_behind", 0, opts); err != nil {
			t.Fatal(err)
		}
		pgtest.Exec(t, url, "BEGIN; INSERT INTO a VALUES (2); PREPARE TRANSACTION 'it''s'")
	})
	conn := pgtest.Connect(t, pgtest.Server(t).URL("postgres"))
	var left int
	err := conn.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM pg_database WHERE datname = $1) +
		(SELECT count(*) FROM pg_replication_slots)`, name).Scan(&left)
	if err != nil || left != 0 {
		t.Errorf("%d left: %v", left, err)
	}
}

func TestOwnServer(t *testing.T) {
	s := pgtest.Start(t, map[string]string{"max_replication_slots": "3"})
	url := pgtest.DatabaseOn(t, s)
	conn := pgtest.Connect(t, url)
	var slots string
	if err := conn.QueryRow(t.Context(), "SHOW max_replication_slots").Scan(&slots); err != nil || slots != "3" {
		t.Errorf("%s, %v", slots, err)
	}
	if s == pgtest.Server(t) {
		t.Error("it is the shared server")
	}
}
