package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"freshet/deploy/pgserver/pgtest"
)

func TestFeedInvalidatesBeforeTheWatermark(t *testing.T) {
	p := newPlant(t)
	p.checkpoint(1, 100)
	p.run()
	if w := p.feed.Watermark(); w != 100 {
		t.Fatalf("watermark = %s after connecting, want that of the checkpoint", w)
	}
	p.put("Post", "1", "2", "3")
	p.put("User", "1", "2")
	var mu sync.Mutex
	var seen []string
	note := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprintf(format, args...))
	}
	told := make(chan struct{})
	cancel := p.feed.Subscribe(Listener{
		Change: func(c Change) {
			_, state := p.cache.Get(c.Model, "1")
			note("%s %v %v %v at %d, cached %d, watermark %d", c.Model, c.Keys, c.DeletedKeys, c.Whole, c.Watermark, state, p.feed.Watermark())
		},
		Advanced: func(w lsn) {
			note("advanced %d", w)
			if w == 300 {
				close(told)
			}
		},
	})
	p.batch(2, 200, logged{model: "Post", keys: []string{"1"}, deleted: []string{"2"}}, logged{model: "User", whole: true})
	p.wait(200)
	expect(t, p.cache, "Post", "1", "", Miss)
	expect(t, p.cache, "Post", "2", "", Miss)
	expect(t, p.cache, "Post", "3", "v", Present)
	expect(t, p.cache, "User", "2", "", Miss)
	p.batch(3, 300)
	p.wait(300)
	<-told // those who wait are woken first
	cancel()
	p.batch(4, 400, logged{model: "Post", keys: []string{"3"}})
	p.wait(400)
	want := []string{
		"Post [1] [2] false at 200, cached 0, watermark 100",
		"User [] [] true at 200, cached 0, watermark 100",
		"advanced 200", "advanced 300",
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(seen, want) {
		t.Errorf("the listener was told\n%s\nwant\n%s", strings.Join(seen, "\n"), strings.Join(want, "\n"))
	}
	if s := p.feed.State(); !s.Connected || s.Rows != 3 || s.Keys != 3 || s.Batch != 4 || s.Watermark != 400 || s.Resets != 0 {
		t.Errorf("state = %+v", s)
	}
}

// What was cached before the feed first connected is not known to be right.
func TestFeedForgetsWhatCameBeforeIt(t *testing.T) {
	p := newPlant(t)
	p.checkpoint(1, 100)
	token := p.cache.Begin()
	p.cache.Put(token, "Post", "1", "old", 500)
	if ok, _ := p.feed.Fresh(); ok || p.feed.Alive(time.Hour) {
		t.Error("the feed is fresh before it has connected")
	}
	p.run()
	expect(t, p.cache, "Post", "1", "", Miss)
	if p.cache.Put(token, "Post", "1", "old", 500) {
		t.Error("a fill begun before the feed connected was stored")
	}
	if ok, _ := p.feed.Fresh(); !ok {
		t.Error("the feed is not fresh after it has connected")
	}
}

func TestFeedWaitsForAProjector(t *testing.T) {
	p := newPlant(t)
	p.start()
	if err := receive(t, p.retries, "retry"); !errors.Is(err, errNoCheckpoint) || !strings.Contains(err.Error(), "slot freshet") {
		t.Errorf("error = %v", err)
	}
	p.checkpoint(1, 100)
	p.connected()
	p.wait(100)
}

func TestFeedReadsManyPages(t *testing.T) {
	p := newPlant(t)
	p.checkpoint(1, 100)
	p.run()
	var rows []logged
	for i := range 50 { // the page is 7
		rows = append(rows, logged{model: "Post", keys: []string{fmt.Sprint(i)}})
		p.put("Post", fmt.Sprint(i))
	}
	p.batch(2, 200, rows...)
	p.wait(200)
	for i := range 50 {
		expect(t, p.cache, "Post", fmt.Sprint(i), "", Miss)
	}
}

// A watermark that stands still does not hide a batch.
func TestFeedReadsBatchesOfOneWatermark(t *testing.T) {
	p := newPlant(t)
	p.checkpoint(1, 100)
	p.run()
	p.put("Post", "1")
	changed := make(chan Change, 10)
	defer p.feed.Subscribe(Listener{Change: func(c Change) { changed <- c }})()
	for batch := range int64(3) {
		p.batch(2+batch, 100, logged{model: "Post", keys: []string{"1"}})
		if c := receive(t, changed, "change"); c.Batch != 2+batch {
			t.Errorf("change of batch %d, want %d", c.Batch, 2+batch)
		}
		expect(t, p.cache, "Post", "1", "", Miss)
		p.put("Post", "1")
	}
}

func TestFeedCatchesUpAfterALostConnection(t *testing.T) {
	p := newPlant(t)
	p.checkpoint(1, 100)
	p.run()
	p.put("Post", "1", "2")
	p.batch(2, 200, logged{model: "Post", keys: []string{"9"}})
	p.wait(200)

	found := p.lose()
	if s := p.feed.State(); s.Connected || s.LastError == "" {
		t.Errorf("state = %+v", s)
	}
	if ok, since := p.feed.Fresh(); !ok || since <= 0 || p.feed.Alive(0) {
		t.Errorf("Fresh = %v, %s: within the configured staleness it is", ok, since)
	}
	p.batch(3, 300, logged{model: "Post", keys: []string{"1"}})
	p.batch(4, 400, logged{model: "User", whole: true})
	expect(t, p.cache, "Post", "1", "v", Present) // nobody has told yet
	if w := p.feed.Watermark(); w != 200 {
		t.Errorf("watermark = %s while down", w)
	}
	found()
	p.wait(400)
	expect(t, p.cache, "Post", "1", "", Miss)
	expect(t, p.cache, "Post", "2", "v", Present)
	if s := p.feed.State(); s.Resets != 0 || !s.Connected || s.LastError != "" {
		t.Errorf("state = %+v", s)
	}
}

// Rows that were trimmed unread, and rows that were not.
func TestFeedAndATrimmedLog(t *testing.T) {
	one := func(k string) logged { return logged{model: "Post", keys: []string{k}} }
	for _, tc := range []struct {
		name   string
		change func(p *plant)
		reason string
	}{
		{"all read rows trimmed, nothing new", func(p *plant) { p.exec("DELETE FROM freshet.sync_log") }, ""},
		{"some read rows trimmed", func(p *plant) {
			p.batch(4, 400, one("8"))
			p.exec("DELETE FROM freshet.sync_log WHERE batch < 3")
		}, ""},
		{"all read rows trimmed", func(p *plant) {
			p.batch(4, 400, one("8"))
			p.exec("DELETE FROM freshet.sync_log WHERE batch < 4")
		}, ""},
		{"an unread row trimmed", func(p *plant) {
			p.batch(4, 400, one("1"))
			p.batch(5, 500, one("8"))
			p.exec("DELETE FROM freshet.sync_log WHERE batch < 5")
		}, "trimmed past row"},
		{"all trimmed", func(p *plant) {
			p.batch(4, 400, one("1"))
			p.exec("DELETE FROM freshet.sync_log")
		}, "trimmed past row"},
		{"the watermark went back", func(p *plant) { p.checkpoint(4, 50) }, "went back"},
		{"another timeline", func(p *plant) { p.exec("UPDATE freshet.checkpoint SET timeline = 2") }, "timeline"},
		{"another cluster", func(p *plant) { p.exec("UPDATE freshet.checkpoint SET system_id = 'x'") }, "another database"},
		{"a log begun anew", func(p *plant) {
			p.exec("TRUNCATE freshet.sync_log RESTART IDENTITY")
			p.batch(4, 400, one("1"))
		}, "shorter"},
		{"a crash took the last row back, and another has its id", func(p *plant) {
			p.exec("UPDATE freshet.sync_log SET keys = '{1}', logged_at = logged_at + interval '1 second' WHERE id = (SELECT max(id) FROM freshet.sync_log)")
		}, "lost it in a crash"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPlant(t)
			p.checkpoint(1, 100)
			p.run()
			p.batch(2, 200, one("9"))
			p.batch(3, 300, one("9"))
			p.wait(300)
			p.put("Post", "1", "2")
			told := make(chan lsn, 1)
			defer p.feed.Subscribe(Listener{Reset: func(w lsn) { told <- w }})()
			found := p.lose()
			tc.change(p)
			found()
			if tc.reason == "" {
				expect(t, p.cache, "Post", "2", "v", Present)
				if n := p.feed.State().Resets; n != 0 {
					t.Errorf("%d resets", n)
				}
				return
			}
			if reason := receive(t, p.resets, "reset"); !strings.Contains(reason, tc.reason) {
				t.Errorf("reason = %q, want %q in it", reason, tc.reason)
			}
			receive(t, told, "reset told to the listener")
			expect(t, p.cache, "Post", "1", "", Miss)
			expect(t, p.cache, "Post", "2", "", Miss)
			p.batch(10, 1000, one("5"))
			p.wait(1000)
		})
	}
}

// The same, seen while connected.
func TestFeedStartsOverWhenTheCheckpointGoes(t *testing.T) {
	p := newPlant(t)
	p.checkpoint(5, 500)
	p.run()
	p.put("Post", "1")
	p.checkpoint(6, 50) // a restored backup that was not restarted
	if reason := receive(t, p.resets, "reset"); !strings.Contains(reason, "went back") {
		t.Errorf("reason = %q", reason)
	}
	expect(t, p.cache, "Post", "1", "", Miss)
	if w := p.feed.Watermark(); w != 50 {
		t.Errorf("watermark = %s, want 50", w)
	}
	p.put("Post", "1")
	p.exec("DELETE FROM freshet.checkpoint")
	receive(t, p.retries, "retry")
	p.checkpoint(7, 60)
	if reason := receive(t, p.resets, "reset"); !strings.Contains(reason, "removed") {
		t.Errorf("reason = %q", reason)
	}
	expect(t, p.cache, "Post", "1", "", Miss)
}

func TestFeedPollsWithoutNotifications(t *testing.T) {
	p := newPlant(t)
	p.checkpoint(1, 100)
	p.run()
	p.put("Post", "1")
	p.quietBatch(2, 200, false, logged{model: "Post", keys: []string{"1"}})
	p.wait(200)
	expect(t, p.cache, "Post", "1", "", Miss)
	p.quietBatch(3, 300, false)
	p.wait(300)
}

func TestFeedRunsOnce(t *testing.T) {
	p := newPlant(t)
	p.checkpoint(1, 100)
	p.run()
	if err := p.feed.Run(t.Context()); err == nil {
		t.Error("a second Run did not fail")
	}
	p.stop()
	if s := p.feed.State(); s.Connected {
		t.Errorf("state = %+v after the end", s)
	}
	p.batch(2, 200, logged{model: "Post", keys: []string{"1"}})
	p.run() // again: it reads on
	p.wait(200)
	if _, err := NewFeed(FeedConfig{}); err == nil {
		t.Error("a feed without Connect was made")
	}
}

func TestWaitWakesWithinMilliseconds(t *testing.T) {
	p := newPlant(t)
	p.checkpoint(1, 100)
	p.run()
	var took []time.Duration
	for i := range 100 {
		w := lsn(200 + i)
		woken := make(chan time.Time, 1)
		var wg sync.WaitGroup
		wg.Go(func() {
			p.wait(w)
			woken <- time.Now()
		})
		p.batch(int64(2+i), w, logged{model: "Post", keys: []string{"1"}})
		committed := time.Now()
		took = append(took, (<-woken).Sub(committed))
		wg.Wait()
	}
	slices.Sort(took)
	t.Logf("from commit to wake: p50 %s, p90 %s, max %s", took[50], took[90], took[99])
	if took[50] > 20*time.Millisecond {
		t.Errorf("p50 = %s", took[50])
	}
}

// Batches as fast as they come, the connection cut again and again: a reader
// never gets less than the watermark that it has seen.
func TestFeedUnderFire(t *testing.T) {
	p := newPlant(t)
	pgtest.Exec(t, p.url, `CREATE TABLE tv_post (id text PRIMARY KEY, v bigint NOT NULL);
		INSERT INTO tv_post SELECT i, 0 FROM generate_series(0, 9) i`)
	p.checkpoint(1, 100)
	p.run()
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() {
		cutter := pgtest.Connect(t, p.url)
		for ctx.Err() == nil {
			if sleep(ctx, 150*time.Millisecond) {
				_, _ = cutter.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'feed' AND datname = current_database()")
			}
		}
	})
	reads := 0
	wg.Go(func() { reads = p.readers(ctx) })
	last := p.writeVersions(ctx)
	wg.Wait()
	p.wait(last)
	st := p.cache.Total()
	t.Logf("%d reads, watermark %d, %+v", reads, last, st)
	if reads == 0 || st.Hits == 0 || st.Invalidations == 0 {
		t.Error("nothing was tested")
	}
}

// writeVersions writes the batch's watermark into two documents of each batch.
func (p *plant) writeVersions(ctx context.Context) (last lsn) {
	last = 100
	for i := int64(2); ctx.Err() == nil; i++ {
		last++
		a, b := fmt.Sprint(i%10), fmt.Sprint(i*7%10)
		_, err := p.conn.Exec(p.t.Context(), `WITH d AS (UPDATE tv_post SET v = $1 WHERE id = ANY ($2)),
			l AS (INSERT INTO freshet.sync_log (slot, batch, model, operation, keys, watermark, started_at, duration_ms)
				VALUES ('freshet', $3, 'Post', 'rebuild', $2, $4, now(), 1)),
			c AS (UPDATE freshet.checkpoint SET batch = $3, watermark = $4, updated_at = now())
			SELECT pg_notify('freshet', $4::text)`, int64(last), []string{a, b}, i, last.String())
		if err != nil {
			p.t.Error(err)
			return last
		}
	}
	return last
}

// readers read through the cache and compare with the history: document k was
// written by each batch i with k = i%10 or k = i*7%10.
func (p *plant) readers(ctx context.Context) int {
	conn := pgtest.Connect(p.t, p.url)
	load := func(ctx context.Context, keys []string) (Loaded[string], error) {
		out := Loaded[string]{Values: map[string]string{}}
		rows, err := conn.Query(ctx, "SELECT d.id, d.v::text, c.watermark FROM freshet.checkpoint c, tv_post d WHERE d.id = ANY ($1)", keys)
		if err != nil {
			return out, err
		}
		defer rows.Close()
		for rows.Next() {
			var id, v string
			if err := rows.Scan(&id, &v, &out.Watermark); err != nil {
				return out, err
			}
			out.Values[id] = v
		}
		return out, rows.Err()
	}
	n := 0
	for ; ctx.Err() == nil && !p.t.Failed(); n++ {
		k := int64(n % 10)
		known := p.feed.Watermark()
		res, err := p.cache.Fetch(context.Background(), Request{Model: "Post", Keys: []string{fmt.Sprint(k)}, MinLSN: known}, load)
		if err != nil {
			p.t.Error(err)
			break
		}
		var v lsn
		fmt.Sscan(res.Docs[0].Value, (*uint64)(&v))
		if least := lastWrite(k, max(known, res.Watermark)); v < least {
			p.t.Errorf("document %d at %d served under %d (known %d), want at least %d", k, v, res.Watermark, known, least)
		}
	}
	return n
}

// lastWrite is the watermark of the last batch at or before w that wrote k.
func lastWrite(k int64, w lsn) lsn {
	for at := w; at > 100; at-- {
		if i := int64(at) - 99; i%10 == k || i*7%10 == k {
			return at
		}
	}
	return 0
}

// TestListenerBeforeTheFirstConnection: whoever has read before the feed's first
// connection is told that anything may have changed since.
func TestListenerBeforeTheFirstConnection(t *testing.T) {
	p := newPlant(t)
	p.checkpoint(1, 100)
	told := make(chan lsn, 1)
	defer p.feed.Subscribe(Listener{Reset: func(w lsn) { told <- w }})()
	p.run()
	if w := receive(t, told, "reset told to the listener"); w != 100 {
		t.Errorf("at %s", w)
	}
	if n := p.feed.State().Resets; n != 0 {
		t.Errorf("%d resets are counted", n)
	}
}
