package checkpoint_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/checkpoint"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// fresh returns a connection to a database that has Freshet's own tables.
func fresh(t *testing.T) (url string, conn *pgx.Conn) {
	t.Helper()
	url = pgtest.Database(t)
	ddl, err := os.ReadFile("../../migrations/001_freshet.sql")
	if err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, url, "CREATE SCHEMA freshet")
	pgtest.Exec(t, url, string(ddl))
	return url, pgtest.Connect(t, url)
}

func TestTakeOverRaisesTheEpochAndFencesTheOlder(t *testing.T) {
	ctx := context.Background()
	_, conn := fresh(t)
	id, err := checkpoint.Find(ctx, conn, "freshet")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = checkpoint.TakeOver(ctx, conn, id); !errors.Is(err, checkpoint.ErrNone) {
		t.Fatalf("take over nothing: %v, want ErrNone", err)
	}
	if err = checkpoint.Create(ctx, conn, id, 100); err != nil {
		t.Fatal(err)
	}
	first, err := checkpoint.TakeOver(ctx, conn, id)
	if err != nil {
		t.Fatal(err)
	}
	second, err := checkpoint.TakeOver(ctx, conn, id)
	if err != nil {
		t.Fatal(err)
	}
	if second.Epoch <= first.Epoch || second.Applied != 100 {
		t.Fatalf("first %+v, second %+v", first, second)
	}
	if ok, err := checkpoint.Advance(ctx, conn, "freshet", first.Epoch, 200, 200); err != nil || ok {
		t.Fatalf("the older projector advanced: %v, %v", ok, err)
	}
	if ok, err := checkpoint.Advance(ctx, conn, "freshet", second.Epoch, 200, 200); err != nil || !ok {
		t.Fatalf("the newer projector did not advance: %v, %v", ok, err)
	}
	if c, err := checkpoint.Load(ctx, conn, "freshet"); err != nil || c.Applied != 200 || c.Watermark != 200 {
		t.Fatalf("checkpoint %+v, %v", c, err)
	}
}

func TestProgressOfAnotherDatabaseIsRefused(t *testing.T) {
	ctx := context.Background()
	_, conn := fresh(t)
	id, err := checkpoint.Find(ctx, conn, "freshet")
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*checkpoint.Identity){
		"cluster":  func(i *checkpoint.Identity) { i.SystemID = "1" },
		"timeline": func(i *checkpoint.Identity) { i.Timeline++ },
		"database": func(i *checkpoint.Identity) { i.Database = "other" },
	} {
		other := id
		change(&other)
		if err = checkpoint.Create(ctx, conn, other, 1); err != nil {
			t.Fatal(err)
		}
		_, err = checkpoint.TakeOver(ctx, conn, id)
		var mismatch *checkpoint.Mismatch
		if !errors.As(err, &mismatch) || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), "--recreate-slot") {
			t.Errorf("progress of another %s: %v", what, err)
		}
	}
}

func TestLockNamesItsHolder(t *testing.T) {
	ctx := context.Background()
	url, leader := fresh(t)
	standby := pgtest.Connect(t, url)
	if ok, _, err := checkpoint.TryLock(ctx, leader, "freshet"); err != nil || !ok {
		t.Fatalf("the first got no lock: %v", err)
	}
	ok, holder, err := checkpoint.TryLock(ctx, standby, "freshet")
	if err != nil || ok || !strings.HasPrefix(holder, "pid ") {
		t.Fatalf("second: %v, %q, %v", ok, holder, err)
	}
	if ok, _, err = checkpoint.TryLock(ctx, standby, "other"); err != nil || !ok {
		t.Fatalf("another slot's lock: %v, %v", ok, err)
	}
}
