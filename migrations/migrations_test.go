package migrations_test

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sync/errgroup"

	"freshet/deploy/pgserver/pgtest"
	"freshet/migrations"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func TestApply(t *testing.T) {
	url := pgtest.Database(t)
	conn := pgtest.Connect(t, url)
	all, err := migrations.All()
	if err != nil || len(all) == 0 || all[0].Name != "001_freshet.sql" {
		t.Fatalf("%v %+v", err, all)
	}
	if pending, err := migrations.Pending(t.Context(), conn); err != nil || len(pending) != len(all) {
		t.Fatalf("pending: %v %d", err, len(pending))
	}
	for range 2 {
		if err := migrations.Apply(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
	}
	if pending, err := migrations.Pending(t.Context(), conn); err != nil || len(pending) != 0 {
		t.Fatalf("pending: %v %d", err, len(pending))
	}
	var tables int
	err = conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_tables WHERE schemaname = 'freshet'`).Scan(&tables)
	if err != nil || tables != 9 {
		t.Errorf("%d tables: %v", tables, err)
	}
}

func TestApplyAtOnce(t *testing.T) {
	url := pgtest.Database(t)
	var group errgroup.Group
	for range 4 {
		conn := pgtest.Connect(t, url)
		group.Go(func() error { return migrations.Apply(t.Context(), conn) })
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

func TestNewerIsRefused(t *testing.T) {
	url := pgtest.Database(t)
	conn := pgtest.Connect(t, url)
	if err := migrations.Apply(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, url, "UPDATE freshet.schema_version SET version = 1000")
	if err := migrations.Apply(t.Context(), conn); !errors.Is(err, migrations.ErrNewer) {
		t.Errorf("got %v", err)
	}
}

// Every one of our tables can be updated under a publication of everything.
func TestUnderAPublicationForAllTables(t *testing.T) {
	url := pgtest.Database(t)
	pgtest.Exec(t, url, "CREATE PUBLICATION everything FOR ALL TABLES")
	conn := pgtest.Connect(t, url)
	if err := migrations.Apply(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	var bare int
	err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_class c WHERE relnamespace = 'freshet'::regnamespace AND relkind = 'r'
		AND relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)`).Scan(&bare)
	if err != nil || bare != 0 {
		t.Errorf("%d tables without a replica identity: %v", bare, err)
	}
}
