package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"freshet/cache"
)

// played is a projector that is played: a change to something that all orders
// show becomes a fan-out, whose documents are done one with each batch, and the
// wanted ones at once. The note of an order is the number of the last change
// that it shows.
type played struct {
	t    *testing.T
	pool *pgxpool.Pool

	mu      sync.Mutex
	changes []pglogrepl.LSN // where each was committed; the first is of the beginning
	wants   []string

	pending map[string]bool // the run's alone, as what follows
	behind  pglogrepl.LSN   // the fan-out's since_lsn; 0 none
	shown   int             // changes of which the batches know
	batches int64
}

// QueryRow is that of the pool, but that it hears what is wanted: before the
// marker is in the WAL, as a projector that reads the WAL would.
func (p *played) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if len(args) > 0 {
		text := strings.TrimPrefix(string(args[0].([]byte)), "want ")
		var keys map[string][]string
		if err := json.Unmarshal([]byte(text), &keys); err != nil {
			p.t.Error(err)
		}
		p.mu.Lock()
		p.wants = append(p.wants, keys["Order"]...)
		p.mu.Unlock()
	}
	return p.pool.QueryRow(ctx, sql, args...)
}

// change commits a change.
func (p *played) change(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var at pglogrepl.LSN
	if err := p.pool.QueryRow(ctx, "SELECT pg_logical_emit_message(true, 'other', 'change')").Scan(&at); err != nil {
		return err
	}
	p.changes = append(p.changes, at)
	return nil
}

// at returns the last change at or before an LSN.
func (p *played) at(lsn pglogrepl.LSN) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, found := slices.BinarySearch(p.changes, lsn)
	if !found {
		n--
	}
	return n
}

// batch commits a batch: of what was there before its watermark.
func (p *played) batch(ctx context.Context, tx pgx.Tx) error {
	var w pglogrepl.LSN
	if err := tx.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()").Scan(&w); err != nil {
		return err
	}
	p.mu.Lock()
	n, wants := len(p.changes)-1, p.wants
	for n > p.shown && p.changes[n] > w {
		n--
	}
	p.wants = nil
	first := p.changes[min(p.shown+1, n)]
	p.mu.Unlock()
	if n > p.shown {
		for k := range shop["Order"] {
			p.pending[k] = true
		}
		if p.behind == 0 {
			p.behind = first
		}
		p.shown = n
	}
	var keys []string
	for k := range p.pending {
		if slices.Contains(wants, k) || len(keys) == 0 && rand.IntN(3) == 0 {
			keys = append(keys, k)
		}
	}
	for _, k := range keys {
		delete(p.pending, k)
	}
	if len(p.pending) == 0 {
		p.behind = 0
	}
	return p.write(ctx, tx, w, keys)
}

func (p *played) write(ctx context.Context, tx pgx.Tx, w pglogrepl.LSN, keys []string) error {
	p.batches++
	var b pgx.Batch
	b.Queue("UPDATE tv_order SET data = data || jsonb_build_object('note', $1::text) WHERE id = ANY ($2)", fmt.Sprint(p.shown), keys)
	b.Queue(`INSERT INTO freshet.sync_log (slot, batch, model, operation, keys, watermark, started_at, duration_ms)
		VALUES ('freshet', $1, 'Order', 'rebuild', coalesce($2::text[], '{}'), $3, now(), 1)`, p.batches, keys, w.String())
	b.Queue("DELETE FROM freshet.fanout")
	if p.behind != 0 {
		b.Queue("INSERT INTO freshet.fanout (slot, model, path, start, since_lsn) VALUES ('freshet', 'Order', 'p', '[]', $1)", p.behind.String())
	}
	b.Queue("UPDATE freshet.checkpoint SET watermark = $1, batch = $2", w.String(), p.batches)
	b.Queue("SELECT pg_notify('freshet', $1)", w.String())
	return tx.SendBatch(ctx, &b).Close()
}

// run changes and applies until ctx ends.
func (p *played) run(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		var err error
		if i%8 == 0 {
			err = p.change(context.Background())
		}
		if err == nil {
			err = pgx.BeginFunc(context.Background(), p.pool, func(tx pgx.Tx) error { return p.batch(context.Background(), tx) })
		}
		if err != nil {
			p.t.Error(err)
			return
		}
	}
}

// TestLagOnPostgres: with fan-outs under way, many readers of all kinds get
// documents that show all that their answer's LSN says, and all that was asked
// for; by the feed, and without it.
func TestLagOnPostgres(t *testing.T) {
	url, pool := database(t)
	m := parseModel(t, "testdata/shop.graphql")
	tables(t, pool, m, layoutsOf(m, "text"), newMemStore(t, m, shop))
	must(t, pool, `UPDATE tv_order SET data = data || '{"note": "0"}'`)
	p := &played{t: t, pool: pool, changes: []pglogrepl.LSN{0}, pending: map[string]bool{}, batches: 1}
	up := make(chan struct{}, 1)
	feed, err := cache.NewFeed(cache.FeedConfig{
		Connect: func(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, url) },
		Events:  cache.FeedEvents{Connected: func(pglogrepl.LSN) { up <- struct{}{} }},
	})
	if err != nil {
		t.Fatal(err)
	}
	marker := cache.NewMarker(p)
	t.Cleanup(func() { _ = marker.Close(context.Background()) })
	fed := newServer(t, m, nil, func(c *Config) { c.Pool, c.Feed, c.Marker, c.WaitTimeout = pool, feed, marker, 20*time.Second })
	alone := newServer(t, m, nil, func(c *Config) {
		c.Pool, c.Feed, c.CacheBytes, c.Marker, c.WaitTimeout = pool, nil, 0, marker, 20*time.Second
	})
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = feed.Run(ctx) })
	<-up
	serving.Go(func() { p.run(ctx) })
	var readers sync.WaitGroup
	deadline := time.Now().Add(2500 * time.Millisecond)
	var kinds [6]atomic.Int64
	for i := range 8 {
		readers.Go(func() {
			s := fed
			if i >= 6 {
				s = alone
			}
			for n := i; time.Now().Before(deadline) && !t.Failed(); n++ {
				p.read(s, n%6)
				kinds[n%6].Add(1)
			}
		})
	}
	readers.Wait()
	stop()
	serving.Wait()
	t.Logf("%d batches, %d changes, %v reads, %+v", p.batches, len(p.changes), &kinds, fed.CacheTotal())
	if len(p.changes) < 3 || fed.CacheTotal().Hits == 0 || kinds[4].Load() == 0 {
		t.Error("nothing was tested")
	}
}

// read reads in one of six ways, and compares.
func (p *played) read(s *Server, kind int) {
	queries := []string{`{ order(id: "o1") { note } }`, `{ ordersById(ids: ["o2", "o3"]) { note } }`, `{ customer(id: "c1") { orders { note } } }`}
	query := queries[rand.IntN(len(queries))]
	var headers []string
	least := 0
	p.mu.Lock()
	last := len(p.changes) - 1
	lsn := p.changes[last]
	p.mu.Unlock()
	switch kind {
	case 0, 1: // eventual
	case 2:
		headers, least = []string{HeaderMinLSN, lsn.String()}, last
	case 3, 4:
		headers, least = []string{HeaderConsistency, "strong"}, last
	case 5:
		query, headers, least = `{ orders { nodes { note } } }`, []string{HeaderMinLSN, lsn.String()}, last
	}
	w := ask(p.t, s, query, "", headers...)
	told, err := parseLSN(w.Header().Get(HeaderLSN))
	if w.Code != 200 || err != nil || strings.Contains(w.Body.String(), "errors") {
		p.t.Errorf("%s %v: %d %s", query, headers, w.Code, w.Body)
		return
	}
	if least > 0 && told < lsn {
		p.t.Errorf("%s %v: told to be of %s, asked for %s", query, headers, told, lsn)
	}
	notes := notesIn(w.Body.String())
	if len(notes) == 0 {
		p.t.Errorf("%s: %s", query, w.Body)
	}
	for n := range maps.Keys(notes) {
		if n < least || n < p.at(told) {
			p.t.Errorf("%s %v: change %d in an answer of %s, where there is %d, and %d was asked for", query, headers, n, told, p.at(told), least)
		}
	}
}

func notesIn(body string) map[int]bool {
	notes := map[int]bool{}
	for _, part := range strings.Split(body, `"note":"`)[1:] {
		var n int
		fmt.Sscanf(part, "%d", &n)
		notes[n] = true
	}
	return notes
}
