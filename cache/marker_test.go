package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"freshet/deploy/pgserver/pgtest"
)

// slowDB answers markers when it is told to.
type slowDB struct {
	emitting chan chan lsn
	contents chan string // of wants; nil: not noted
}

type lsnRow struct {
	ctx   context.Context
	reply chan lsn
}

func (db *slowDB) QueryRow(ctx context.Context, _ string, args ...any) pgx.Row {
	if len(args) > 0 && db.contents != nil {
		db.contents <- string(args[0].([]byte))
	}
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
		db := &slowDB{emitting: make(chan chan lsn, 10)}
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

// What is wanted while a marker is written goes with the next one: in messages
// of at most 1,000 keys, each key once, before the marker.
func TestWantsAreShared(t *testing.T) {
	bubble(t, func(t *testing.T) {
		db := &slowDB{make(chan chan lsn, 10), make(chan string, 10)}
		m := NewMarker(db)
		first := ask(t.Context(), m)
		synctest.Wait()
		want := func(keys map[string][]string) <-chan marked {
			out := make(chan marked, 1)
			go func() {
				at, err := m.Want(t.Context(), keys)
				out <- marked{at, err}
			}()
			return out
		}
		long := make([]string, 999)
		for i := range long {
			long[i] = fmt.Sprint(i)
		}
		later := []<-chan marked{
			want(map[string][]string{"Post": long}), want(map[string][]string{"Post": {"0", "x"}, "User": {"ü\"<"}}),
			want(map[string][]string{"User": {"ü\"<"}}), ask(t.Context(), m),
		}
		synctest.Wait()
		for _, at := range []lsn{10, 20, 30} { // the marker under way, and two messages
			<-db.emitting <- at
			synctest.Wait()
		}
		if len(db.emitting) != 1 || len(db.contents) != 2 {
			t.Fatalf("%d messages, and %d markers under way", len(db.contents), len(db.emitting))
		}
		<-db.emitting <- 40
		if got := <-first; got != (marked{10, nil}) {
			t.Errorf("the first got %+v", got)
		}
		for _, l := range later {
			if got := <-l; got != (marked{40, nil}) {
				t.Errorf("a later one got %+v", got)
			}
		}
		got := map[string][]string{}
		for range 2 {
			keys := keysOf(t, <-db.contents)
			if n := len(keys["Post"]) + len(keys["User"]); n > 1000 {
				t.Errorf("a message has %d keys", n)
			}
			got["Post"], got["User"] = append(got["Post"], keys["Post"]...), append(got["User"], keys["User"]...)
		}
		if len(got["Post"]) != 1000 || len(got["User"]) != 1 || got["User"][0] != "ü\"<" {
			t.Errorf("%d posts and %q were asked for", len(got["Post"]), got["User"])
		}
		failed := want(map[string][]string{"Post": {"1"}})
		<-db.emitting <- 0
		if got := <-failed; got.err == nil || !strings.Contains(got.err.Error(), "ask for documents: boom") {
			t.Errorf("after a failure: %+v", got)
		}
		if err := m.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// keysOf reads a message.
func keysOf(t *testing.T, content string) (keys map[string][]string) {
	t.Helper()
	text, ok := strings.CutPrefix(content, "want ")
	if err := json.Unmarshal([]byte(text), &keys); err != nil || !ok {
		t.Errorf("%.100q: %v", content, err)
	}
	return keys
}

// On a real server: the message comes out of the WAL as it went in, and is
// committed below the LSN that is waited for.
func TestWantOnPostgres(t *testing.T) {
	conn := pgtest.Connect(t, pgtest.Database(t))
	ctx := t.Context()
	for _, sql := range []string{"CREATE PUBLICATION p", "SELECT pg_create_logical_replication_slot('wants', 'pgoutput', true)"} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	m := NewMarker(conn)
	at, err := m.Want(ctx, map[string][]string{"Post": {"ü\x00"}})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := conn.Query(ctx, "SELECT lsn, data FROM pg_logical_slot_get_binary_changes('wants', NULL, NULL, 'proto_version', '1', 'publication_names', 'p', 'messages', 'true')")
	if err != nil {
		t.Fatal(err)
	}
	type change struct {
		LSN  lsn
		Data []byte
	}
	changes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[change])
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for i, c := range changes {
		if _, content, ok := strings.Cut(string(c.Data), "want "); ok {
			found = true
			commit := changes[i+1]
			if keys := keysOf(t, "want "+content); len(keys["Post"]) != 1 || keys["Post"][0] != "ü\x00" {
				t.Errorf("%q", content)
			}
			if commit.Data[0] != 'C' || commit.LSN > at {
				t.Errorf("%q at %s, and what is waited for is %s", commit.Data[0], commit.LSN, at)
			}
		}
	}
	if !found {
		t.Errorf("no message in %q", changes)
	}
	if err := m.Close(ctx); err != nil {
		t.Error(err)
	}
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
