package cache

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"freshet/deploy/pgserver/pgtest"
)

// slowDB answers markers when it is told to.
type slowDB struct{ emitting chan chan lsn }

type lsnRow struct {
	ctx   context.Context
	reply chan lsn
}

func (db *slowDB) QueryRow(ctx context.Context, _ string, _ ...any) pgx.Row {
	r := lsnRow{ctx, make(chan lsn)}
	db.emitting <- r.reply
	return r
}

func (r lsnRow) Scan(dest ...any) error {
	select {
	case v := <-r.reply:
		if v == 0 {
			return errors.New("boom")
		}
		*dest[0].(*lsn) = v
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

type marked struct {
	lsn lsn
	err error
}

func ask(ctx context.Context, m *Marker) <-chan marked {
	out := make(chan marked, 1)
	go func() {
		at, err := m.LSN(ctx)
		out <- marked{at, err}
	}()
	return out
}

// Those who come while a marker is being written share the next one.
func TestMarkersAreSharedButNeverEarly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		db := &slowDB{make(chan chan lsn, 10)}
		m := NewMarker(db)
		first := ask(t.Context(), m)
		synctest.Wait()
		var later []<-chan marked
		for range 50 {
			later = append(later, ask(t.Context(), m))
		}
		ctx, leave := context.WithCancel(t.Context())
		left := ask(ctx, m)
		synctest.Wait()
		leave()
		if got := <-left; !errors.Is(got.err, context.Canceled) {
			t.Errorf("the one who left got %+v", got)
		}
		if len(db.emitting) != 1 {
			t.Fatalf("%d markers under way, want 1", len(db.emitting))
		}
		<-db.emitting <- 10
		synctest.Wait()
		if len(db.emitting) != 1 {
			t.Fatalf("%d markers under way after the first, want 1", len(db.emitting))
		}
		<-db.emitting <- 20
		if got := <-first; got != (marked{10, nil}) {
			t.Errorf("the first got %+v", got)
		}
		for _, l := range later {
			if got := <-l; got != (marked{20, nil}) {
				t.Errorf("a later one got %+v", got)
			}
		}
		failed := ask(t.Context(), m)
		<-db.emitting <- 0
		if got := <-failed; got.err == nil || !strings.Contains(got.err.Error(), "boom") {
			t.Errorf("after a failure: %+v", got)
		}
		under := ask(t.Context(), m)
		synctest.Wait()
		if err := m.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if got := <-under; !errors.Is(got.err, context.Canceled) {
			t.Errorf("under way at Close: %+v", got)
		}
		if _, err := m.LSN(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// On a real server: a marker lies above what was committed before, is flushed
// at once though the setting says otherwise, and is decoded with its prefix.
func TestMarkerOnPostgres(t *testing.T) {
	url := pgtest.Database(t)
	conn := pgtest.Connect(t, url)
	ctx := t.Context()
	exec := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE t (i int)")
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	cfg.ConnConfig.RuntimeParams["synchronous_commit"] = "off"
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	m := NewMarker(pool)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := m.LSN(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for range 20 {
		exec("INSERT INTO t VALUES (1)")
		var before, flushed lsn
		if err := conn.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()").Scan(&before); err != nil {
			t.Fatal(err)
		}
		at, err := m.LSN(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.QueryRow(ctx, "SELECT pg_current_wal_flush_lsn()").Scan(&flushed); err != nil {
			t.Fatal(err)
		}
		if at < before || flushed <= at {
			t.Errorf("marker at %s, committed before %s, flushed up to %s", at, before, flushed)
		}
	}
	var setting string
	if err := pool.QueryRow(ctx, "SHOW synchronous_commit").Scan(&setting); err != nil || setting != "off" {
		t.Errorf("synchronous_commit is %q afterwards, %v", setting, err)
	}
	if err := m.Close(ctx); err != nil {
		t.Error(err)
	}
}

// With a standby that does not exist every commit waits for ever; a marker
// does not.
func TestMarkerDoesNotWaitForAStandby(t *testing.T) {
	s := pgtest.Start(t, map[string]string{"synchronous_standby_names": "nobody"})
	conn := pgtest.Connect(t, s.URL("postgres"))
	m := NewMarker(conn)
	if at, err := m.LSN(t.Context()); err != nil || at == 0 {
		t.Errorf("LSN = %s, %v", at, err)
	}
	if err := m.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
