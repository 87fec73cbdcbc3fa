package migrate_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/migrate"
)

// hold opens a transaction under a name that can be told from others.
func hold(t *testing.T, url, sql string) *pgx.Conn {
	t.Helper()
	conn := pgtest.Connect(t, url+"&application_name=blocker")
	if _, err := conn.Exec(t.Context(), "BEGIN; "+sql); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestLockTimeoutNamesTheHolder(t *testing.T) {
	url, conn := migrated(t)
	pgtest.Exec(t, url, `ALTER TABLE tb_note REPLICA IDENTITY DEFAULT`)
	blocker := hold(t, url, `INSERT INTO tb_note VALUES (1)`)
	config, _ := pgx.ParseConfig(url)
	var waited string
	start := time.Now()
	err := migrate.Apply(t.Context(), config, planned(t, conn, blogNeeds, options(t)), func(s migrate.Step) {
		if s.Waiting != "" {
			waited = s.Waiting
		}
	})
	var blocked *migrate.BlockedError
	if !errors.As(err, &blocked) {
		t.Fatalf("got %v", err)
	}
	who := fmt.Sprintf("pid %d of user postgres (blocker)", blocker.PgConn().PID())
	if !strings.Contains(err.Error(), who) || !strings.Contains(waited, who) {
		t.Errorf("%v\ndoes not name %s, nor does %q", err, who, waited)
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("it took %s", d)
	}
	if _, err := blocker.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	apply(t, url, planned(t, conn, blogNeeds, options(t)))
}

// While a migration cannot get its lock, writers wait for a lock timeout at
// the longest, and get on in the pauses.
func TestWritersGoOn(t *testing.T) {
	url, conn := migrated(t)
	pgtest.Exec(t, url, `ALTER TABLE tb_note REPLICA IDENTITY DEFAULT`)
	blocker := hold(t, url, `INSERT INTO tb_note VALUES (1)`)
	opts := options(t)
	opts.LockWait = 3 * time.Second
	config, _ := pgx.ParseConfig(url)
	m := planned(t, conn, blogNeeds, opts)
	var group errgroup.Group
	group.Go(func() error { return migrate.Apply(t.Context(), config, m, nil) })
	writer := pgtest.Connect(t, url)
	var longest time.Duration
	for i := range 20 {
		start := time.Now()
		if _, err := writer.Exec(t.Context(), `INSERT INTO tb_note VALUES ($1)`, i+10); err != nil {
			t.Fatal(err)
		}
		longest = max(longest, time.Since(start))
		time.Sleep(50 * time.Millisecond)
	}
	if longest > 2*time.Second {
		t.Errorf("a writer waited for %s", longest)
	}
	if _, err := blocker.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

func TestSlotNamesTheTransaction(t *testing.T) {
	url := pgtest.Database(t)
	pgtest.Exec(t, url, blog)
	conn := pgtest.Connect(t, url)
	opts := options(t)
	opts.LeaveSlot = true
	apply(t, url, planned(t, conn, blogNeeds, opts))
	blocker := hold(t, url, `INSERT INTO tb_note VALUES (1)`)
	config, _ := pgx.ParseConfig(url)
	m := planned(t, conn, blogNeeds, options(t))
	err := migrate.Apply(t.Context(), config, m, nil)
	var blocked *migrate.BlockedError
	if !errors.As(err, &blocked) || !strings.Contains(err.Error(), fmt.Sprintf("pid %d of user postgres (blocker)", blocker.PgConn().PID())) {
		t.Fatalf("got %v", err)
	}
	if n := scan[int](t, conn, `SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1`, opts.Slot); n != 0 {
		t.Error("a slot was left behind")
	}
	if _, err := blocker.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	apply(t, url, planned(t, conn, blogNeeds, options(t)))
}

// A concurrent build tells whom it waits for, and goes on when that ends.
func TestConcurrentIndexTellsWhomItWaitsFor(t *testing.T) {
	url := pgtest.Database(t)
	pgtest.Exec(t, url, blog)
	conn := pgtest.Connect(t, url)
	blocker := hold(t, url, `INSERT INTO tb_comment SELECT 1, id FROM tb_user`)
	var once sync.Once
	config, _ := pgx.ParseConfig(url)
	opts := options(t)
	opts.LeaveSlot = true
	err := migrate.Apply(t.Context(), config, planned(t, conn, blogNeeds, opts), func(s migrate.Step) {
		if s.Waiting != "" && strings.Contains(s.SQL, "CREATE UNIQUE INDEX CONCURRENTLY") {
			once.Do(func() {
				if !strings.Contains(s.Waiting, "(blocker)") {
					t.Errorf("waits for %s", s.Waiting)
				}
				if _, err := blocker.Exec(t.Context(), "COMMIT"); err != nil {
					t.Error(err)
				}
			})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if blocker.PgConn().TxStatus() != 'I' {
		t.Error("nothing was told of the wait")
	}
}

// Without the right to do a step the error says who should.
func TestNotTheOwner(t *testing.T) {
	url, conn := migrated(t)
	role := "m_" + strings.ToLower(strings.TrimPrefix(t.Name(), "Test"))
	pgtest.Exec(t, url, `ALTER TABLE tb_note REPLICA IDENTITY DEFAULT; CREATE ROLE `+role+` LOGIN REPLICATION;
		GRANT ALL ON SCHEMA public, freshet TO `+role+`; GRANT SELECT ON ALL TABLES IN SCHEMA public, freshet TO `+role)
	t.Cleanup(func() { pgtest.Exec(t, url, `DROP OWNED BY `+role+`; DROP ROLE `+role) })
	config, _ := pgx.ParseConfig(strings.Replace(url, "postgres://postgres@", "postgres://"+role+"@", 1))
	err := migrate.Apply(t.Context(), config, planned(t, conn, blogNeeds, options(t)), nil)
	if err == nil || !strings.Contains(err.Error(), "must be owner of table tb_note") || !strings.Contains(err.Error(), "as the owner of the table") {
		t.Errorf("got %v", err)
	}
}
