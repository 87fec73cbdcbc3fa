package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"freshet/cache"
)

// TestListsFromTheCacheOnPostgres mirrors the batches of a listSim into
// Postgres, where the real feed reads them. After each of them a server with a
// cache answers as one without.
func TestListsFromTheCacheOnPostgres(t *testing.T) {
	url, pool := database(t)
	m := parseModel(t, "testdata/shop.graphql")
	s := newListSim(t, 11, m)
	s.store.lsn = 0x1000
	tables(t, pool, m, layoutsOf(m, "text"), s.store)
	layouts, err := LoadLayouts(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	feed, err := cache.NewFeed(cache.FeedConfig{Connect: func(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, url) }})
	if err != nil {
		t.Fatal(err)
	}
	cached := newServer(t, m, nil, func(c *Config) { c.Pool, c.Layouts, c.Feed = pool, layouts, feed })
	plain := newServer(t, m, nil, func(c *Config) { c.Pool, c.Layouts, c.Feed, c.CacheBytes = pool, layouts, nil, 0 })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- feed.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	reached(t, ctx, feed, 0x1000)

	var questions []string
	for len(questions) < 24 {
		questions = append(questions, s.question(true))
	}
	for range 40 {
		s.commit()
		s.mirror(pool)
		for begun := time.Now(); feed.State().Batch < int64(len(s.states)-1); time.Sleep(time.Millisecond) {
			if time.Since(begun) > 20*time.Second {
				t.Fatalf("the feed does not come to batch %d: %+v", len(s.states)-1, feed.State())
			}
		}
		for range 12 {
			q := questions[s.r.IntN(len(questions))]
			want := ask(t, plain, q, "")
			got := ask(t, cached, q, "")
			if got.Body.String() != want.Body.String() || strings.Contains(got.Body.String(), `"errors"`) {
				t.Fatalf("%s\ngot  %s\nwant %s", q, got.Body, want.Body)
			}
		}
	}
	if st := cached.PageStats()["Order"]; st.Hits < 50 || st.Misses == 0 {
		t.Errorf("the cache had no part in it: %+v", st)
	}
}

func reached(t *testing.T, ctx context.Context, feed *cache.Feed, lsn pglogrepl.LSN) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := feed.Wait(ctx, lsn); err != nil {
		t.Fatal(err)
	}
}

// mirror does the last batch in Postgres, as a projector does.
func (s *listSim) mirror(pool *pgxpool.Pool) {
	n := len(s.states) - 1
	lsn := s.states[n].lsn.String()
	err := pgx.BeginFunc(s.t.Context(), pool, func(tx pgx.Tx) error {
		var b pgx.Batch
		s.mirrorDocuments(&b, s.states[n-1].docs, s.states[n].docs)
		for _, ch := range s.log {
			if ch.Batch == int64(n) {
				b.Queue(`INSERT INTO freshet.sync_log (slot, batch, model, operation, keys, deleted_keys, whole, moved, watermark, started_at, duration_ms)
					VALUES ('freshet', $1, 'Order', 'rebuild', coalesce($2::text[], '{}'), coalesce($3::text[], '{}'), $4, coalesce($5::text[], '{}'), $6, now(), 1)`,
					n, ch.Keys, ch.DeletedKeys, ch.Whole, ch.Moved, lsn)
			}
		}
		b.Queue(`UPDATE freshet.checkpoint SET watermark = $1, batch = $2, updated_at = now()`, lsn, n)
		b.Queue(`SELECT pg_notify('freshet', $1)`, lsn)
		return tx.SendBatch(s.t.Context(), &b).Close()
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *listSim) mirrorDocuments(b *pgx.Batch, old, fresh map[string][]byte) {
	t := s.orders.Table
	for _, key := range slices.Sorted(maps.Keys(old)) {
		if !bytes.Equal(old[key], fresh[key]) {
			b.Queue(`DELETE FROM `+t.SQL()+` WHERE id = $1`, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(fresh)) {
		if bytes.Equal(old[key], fresh[key]) {
			continue
		}
		names, marks, args := []string{"id", "data"}, []string{"$1", "$2"}, []any{key, string(fresh[key])}
		for _, c := range t.Columns {
			names = append(names, c.SQL())
			args = append(args, s.store.column(t, c, key, fresh[key]))
			marks = append(marks, fmt.Sprintf("$%d::text::%s", len(args), c.Base))
		}
		b.Queue(fmt.Sprintf(`INSERT INTO %s (%s, freshet_lsn, freshet_time) VALUES (%s, '0/1', now())`, t.SQL(), strings.Join(names, ", "), strings.Join(marks, ", ")), args...)
	}
}

// TestPagesUnderWrites: while batches follow one another, and the feed is a
// little behind them, no list shows a document that its filter does not hold for.
func TestPagesUnderWrites(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	s := newListSim(t, 21, m)
	server := newServer(t, m, s.store, func(c *Config) { c.Feed = s.feed })
	s.feed.cache.Advance(1)
	done := make(chan struct{})
	readers := make(chan error)
	for i := range 3 {
		go func() { readers <- s.readRank(server, i+1, done) }()
	}
	for range 300 {
		s.commit()
		for range 4 {
			s.tail()
		}
	}
	for s.fed < len(s.states)-1 || s.target != s.fed {
		s.tail()
	}
	close(done)
	for range 3 {
		if err := <-readers; err != nil {
			t.Error(err)
		}
	}
	st := server.PageStats()["Order"]
	t.Logf("%+v", st)
	if st.Hits+st.Misses == 0 {
		t.Error("nothing was read")
	}
}

// readRank reads the orders of a rank until done, and says which one is not.
func (s *listSim) readRank(server *Server, rank int, done <-chan struct{}) error {
	query := fmt.Sprintf(`{ orders(first: 5, where: {rank: {eq: %d}}) { nodes { id rank } } }`, rank)
	for {
		body := ask(s.t, server, query, "").Body.Bytes()
		var a struct {
			Data struct {
				Orders struct{ Nodes []struct{ Rank int } }
			}
		}
		if err := json.Unmarshal(body, &a); err != nil {
			return err
		}
		for _, n := range a.Data.Orders.Nodes {
			if n.Rank != rank {
				return fmt.Errorf("orders of rank %d: %s", rank, body)
			}
		}
		select {
		case <-done:
			return nil
		default:
		}
	}
}
