package cache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver/pgtest"
)

// plant is a database with Freshet's own tables, a projector that is played by
// hand, and a feed with a cache.
type plant struct {
	t     *testing.T
	url   string
	conn  *pgx.Conn // the projector's
	feed  *Feed
	cache *Cache[string]

	mu      sync.Mutex
	resets  chan string
	retries chan error
	linked  chan lsn
	refuse  bool // connecting fails
	stop    func()
}

func newPlant(t *testing.T) *plant {
	t.Helper()
	p := &plant{
		t: t, url: pgtest.Database(t),
		resets: make(chan string, 100), retries: make(chan error, 1000), linked: make(chan lsn, 100),
	}
	sql, err := os.ReadFile(filepath.Join("..", "migrations", "001_freshet.sql"))
	if err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, p.url, "CREATE SCHEMA freshet;\n"+string(sql))
	p.conn = pgtest.Connect(t, p.url)
	p.newFeed()
	return p
}

// newFeed makes the feed and the cache that it keeps right.
func (p *plant) newFeed() {
	p.t.Helper()
	feed, err := NewFeed(FeedConfig{
		Connect: p.connect, Poll: 500 * time.Millisecond, Timeout: 10 * time.Second, Page: 7,
		Events: FeedEvents{
			Connected: func(w lsn) { p.linked <- w },
			Reset:     func(reason string) { p.resets <- reason },
			Retry:     func(err error, _ time.Duration) { p.retries <- err },
		},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.feed = feed
	p.cache = New(Options[string]{Bytes: 1 << 20, Cost: cost, Watermark: feed.Watermark})
	feed.Attach(p.cache)
}

func (p *plant) connect(ctx context.Context) (*pgx.Conn, error) {
	p.mu.Lock()
	refuse := p.refuse
	p.mu.Unlock()
	if refuse {
		return nil, errors.New("refused by the test")
	}
	cfg, err := pgx.ParseConfig(p.url)
	if err != nil {
		return nil, err
	}
	cfg.RuntimeParams["application_name"] = "feed"
	return pgx.ConnectConfig(ctx, cfg)
}

// start runs the feed until the test ends or stop is called.
func (p *plant) start() {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.feed.Run(ctx) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			p.t.Error(err)
		}
	})
	p.t.Cleanup(p.stop)
}

// run starts the feed and waits until it has connected.
func (p *plant) run() {
	p.t.Helper()
	p.start()
	p.connected()
}

func (p *plant) connected() {
	p.t.Helper()
	receive(p.t, p.linked, "a connection")
}

func receive[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("no %s within 20 s", what)
		panic("unreachable")
	}
}

// checkpoint sets the checkpoint.
func (p *plant) checkpoint(batch int64, w lsn) {
	p.t.Helper()
	p.exec(checkpointSQL, batch, w.String())
}

const checkpointSQL = `INSERT INTO freshet.checkpoint
    (slot, system_id, timeline, database, state, epoch, batch, applied_lsn, watermark, commit_time, updated_at)
VALUES ('freshet', 'sys', 1, current_database(), 'streaming', 1, $1, $2, $2, now(), now())
ON CONFLICT (slot) DO UPDATE SET batch = $1, watermark = $2, applied_lsn = $2, updated_at = now()`

const logSQL = `INSERT INTO freshet.sync_log
    (slot, batch, model, operation, keys, deleted_keys, whole, watermark, last_lsn, started_at, duration_ms)
VALUES ('freshet', $1, $2, 'rebuild', coalesce($3::text[], '{}'), coalesce($4::text[], '{}'), $5, $6, $6, now(), 1)`

func (p *plant) exec(sql string, args ...any) {
	p.t.Helper()
	if _, err := p.conn.Exec(p.t.Context(), sql, args...); err != nil {
		p.t.Fatal(err)
	}
}

// logged is one row of the log.
type logged struct {
	model   string
	keys    []string
	deleted []string
	whole   bool
}

// batch commits a batch as the projector does: rows, checkpoint, NOTIFY.
func (p *plant) batch(number int64, w lsn, rows ...logged) {
	p.t.Helper()
	p.quietBatch(number, w, true, rows...)
}

func (p *plant) quietBatch(number int64, w lsn, notify bool, rows ...logged) {
	p.t.Helper()
	ctx := p.t.Context()
	err := pgx.BeginFunc(ctx, p.conn, func(tx pgx.Tx) error {
		for _, r := range rows {
			if _, err := tx.Exec(ctx, logSQL, number, r.model, r.keys, r.deleted, r.whole, w.String()); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, checkpointSQL, number, w.String()); err != nil {
			return err
		}
		if !notify {
			return nil
		}
		_, err := tx.Exec(ctx, "SELECT pg_notify('freshet', $1)", w.String())
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

// put caches documents as a fill at the local watermark would.
func (p *plant) put(model string, keys ...string) {
	p.t.Helper()
	for _, k := range keys {
		if !p.cache.Put(p.cache.Begin(), model, k, "v", p.feed.Watermark()) {
			p.t.Fatalf("%s %s was not stored", model, k)
		}
	}
}

func (p *plant) wait(w lsn) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 20*time.Second)
	defer cancel()
	if err := p.feed.Wait(ctx, w); err != nil {
		p.t.Fatal(err)
	}
}

// cut terminates the feed's connection.
func (p *plant) cut() {
	p.t.Helper()
	p.exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE application_name = 'feed' AND datname = current_database()`)
}

func (p *plant) setRefuse(refuse bool) {
	p.mu.Lock()
	p.refuse = refuse
	p.mu.Unlock()
}

// lose cuts the connection and keeps it cut until found is called.
func (p *plant) lose() (found func()) {
	p.t.Helper()
	p.setRefuse(true)
	p.cut()
	receive(p.t, p.retries, "retry")
	return func() { p.setRefuse(false); p.connected() }
}
