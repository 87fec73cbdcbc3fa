package cache

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"freshet/deploy/pgserver/pgtest"
)

func TestParseLags(t *testing.T) {
	for _, c := range []struct {
		text string
		want Lags
		err  string
	}{
		{"", nil, ""},
		{`[["Post", "0/10", "fan-out"], ["User", null, "paused"]]`, Lags{"Post": {0x10, ReasonFanOut}, "User": {0, ReasonPaused}}, ""},
		{`[["Post", "0/10", "fan-out"], ["Post", "0/8", "paused"]]`, Lags{"Post": {8, ReasonPaused}}, ""},
		{`[["Post", "0/10", "paused"], ["Post", "0/8", "fan-out"]]`, Lags{"Post": {8, ReasonPaused}}, ""},
		{`[["Post", "0/10", "refill"], ["Post", "0/8", "fan-out"], ["User", "0/1", "fan-out"], ["User", "0/1", "refill"]]`,
			Lags{"Post": {8, ReasonRefill}, "User": {1, ReasonRefill}}, ""},
		{`[["Post", "x", "fan-out"]]`, nil, "since_lsn of Post"},
		{`[[null, "0/1", "fan-out"]]`, nil, "without model"},
		{`{`, nil, "freshet.lag"},
	} {
		got, err := ParseLags([]byte(c.text))
		if !reflect.DeepEqual(got, c.want) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, %v", c.text, got, err)
		}
	}
}

func TestLagsWatermark(t *testing.T) {
	l := Lags{"Post": {150, ReasonFanOut}, "User": {0, ReasonPaused}}
	for _, c := range []struct {
		model   string
		w, want lsn
	}{{"Post", 200, 149}, {"Post", 120, 120}, {"User", 200, 0}, {"Tag", 200, 200}} {
		if got := l.Watermark(c.model, c.w); got != c.want {
			t.Errorf("%s at %d: %d, want %d", c.model, c.w, got, c.want)
		}
	}
	if _, behind := l.Behind("Post", 149); behind {
		t.Error("it is behind what it reflects")
	}
	if _, behind := l.Behind("Post", 150); !behind {
		t.Error("it is not behind the first commit that it lacks")
	}
	if late := l.Late(200, 160, []string{"Tag", "Post", "User"}); late == nil || late.Model != "User" || !late.Lag.Paused() {
		t.Errorf("late is %v, want the paused one", late)
	}
}

const fanOutSQL = `INSERT INTO freshet.fanout (slot, model, path, start, since_lsn) VALUES ('freshet', $1, 'p', '[]', $2)`

// lag sets the fan-out of a model with a batch; since 0 ends it.
func (p *plant) lag(number int64, w lsn, model string, since lsn) {
	p.t.Helper()
	p.exec("BEGIN")
	p.exec("DELETE FROM freshet.fanout WHERE model = $1", model)
	if since != 0 {
		p.exec(fanOutSQL, model, since.String())
	}
	p.exec(checkpointSQL, number, w.String())
	p.exec("SELECT pg_notify('freshet', $1)", w.String())
	p.exec("COMMIT")
}

// waiting begins a WaitModels.
func (p *plant) waiting(ctx context.Context, at lsn, models ...string) <-chan error {
	done := make(chan error, 1)
	go func() { done <- p.feed.WaitModels(ctx, at, models) }()
	return done
}

func TestFeedTellsWhatLags(t *testing.T) {
	p := newPlant(t)
	p.checkpoint(1, 100)
	p.exec(fanOutSQL, "Tag", lsn(90).String()) // of before
	p.run()
	if l := p.feed.Lags(); len(l) != 1 || l["Tag"] != (Lag{90, ReasonFanOut}) {
		t.Errorf("%v", l)
	}
	p.lag(2, 200, "Tag", 0)
	p.wait(200)
	if p.feed.Lags() != nil {
		t.Errorf("%v", p.feed.Lags())
	}
	p.lag(3, 300, "Post", 250)
	p.wait(300)
	for _, c := range []struct {
		at     lsn
		models []string
	}{{300, []string{"User"}}, {249, []string{"Post"}}, {300, nil}} {
		if err := <-p.waiting(t.Context(), c.at, c.models...); err != nil {
			t.Errorf("%v at %d: %v", c.models, c.at, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var late *LagError
	if err := <-p.waiting(ctx, 260, "User", "Post"); !errors.As(err, &late) || !errors.Is(err, context.DeadlineExceeded) ||
		late.Model != "Post" || late.Have != 249 || late.Want != 260 {
		t.Errorf("out of time: %v", err)
	}
	var behind *BehindError
	if err := <-p.waiting(ctx, 301, "User"); !errors.As(err, &behind) {
		t.Errorf("before the watermark: %v", err)
	}
	// One fan-out ends and another begins: what was asked for is there.
	woken := p.waiting(t.Context(), 260, "Post")
	p.lag(4, 400, "Post", 350)
	if err := <-woken; err != nil {
		t.Error(err)
	}
	woken = p.waiting(t.Context(), 500, "Post") // for the watermark, and then for the model
	p.batch(5, 500)
	p.wait(500)
	p.lag(6, 500, "Post", 0)
	if err := <-woken; err != nil {
		t.Error(err)
	}
	if s := p.feed.State(); s.Complete != 0 {
		t.Errorf("complete = %s", s.Complete)
	}
	p.exec("UPDATE freshet.checkpoint SET complete = '0/77', watermark = '0/999'")
	p.wait(0x999)
	if s := p.feed.State(); s.Complete != 0x77 {
		t.Errorf("complete = %s", s.Complete)
	}
}

func TestPausedModelsAreNotWaitedFor(t *testing.T) {
	p := newPlant(t)
	p.checkpoint(1, 100)
	p.exec(`INSERT INTO freshet.models (name, hash, layout, sources, state, paused_lsn, error)
		VALUES ('Post', 'h', '{}', '{}', 'paused', '0/50', 'column gone')`)
	p.run()
	var late *LagError
	if err := <-p.waiting(t.Context(), 0x60, "Post"); !errors.As(err, &late) || late.Cause != nil || !late.Lag.Paused() || late.Have != 0x4F {
		t.Errorf("%v", err)
	}
	if err := <-p.waiting(t.Context(), 0x4F, "Post"); err != nil {
		t.Error(err)
	}
}

// A change of every other batch is put off to the next one. Whoever reads
// watermark, lags and documents, in this order, never gets less than the
// model's watermark says; and who has waited for the model gets what was asked.
func TestLagsAreTrueUnderFire(t *testing.T) {
	p := newPlant(t)
	pgtest.Exec(t, p.url, `CREATE TABLE tv_post (id text PRIMARY KEY, v bigint NOT NULL); INSERT INTO tv_post VALUES ('1', 0)`)
	p.checkpoint(1, 100)
	p.run()
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	var wg sync.WaitGroup
	reads := make([]int, 3)
	for i := range reads {
		wg.Go(func() { reads[i] = p.readLagging(ctx, i == 0) })
	}
	for i := int64(2); ctx.Err() == nil; i += 2 {
		w := lsn(100 + i)
		p.lag(i, w, "Post", w) // the change at w is put off
		p.exec(`WITH d AS (UPDATE tv_post SET v = $1),
			o AS (DELETE FROM freshet.fanout),
			l AS (INSERT INTO freshet.sync_log (slot, batch, model, operation, keys, watermark, started_at, duration_ms)
				VALUES ('freshet', $2, 'Post', 'rebuild', '{1}', $3, now(), 1)),
			c AS (UPDATE freshet.checkpoint SET batch = $2, watermark = $3)
			SELECT pg_notify('freshet', $3::text)`, int64(w), i+1, (w + 1).String())
	}
	wg.Wait()
	t.Logf("reads %v, %d batches", reads, p.feed.State().Batch)
	if reads[0] == 0 || reads[1] == 0 || p.cache.Total().Hits == 0 {
		t.Error("nothing was tested")
	}
}

// readLagging reads the document again and again, and compares.
func (p *plant) readLagging(ctx context.Context, waits bool) (n int) {
	conn := pgtest.Connect(p.t, p.url)
	load := func(ctx context.Context, keys []string) (Loaded[string], error) {
		out := Loaded[string]{Values: map[string]string{}}
		var v string
		err := conn.QueryRow(ctx, "SELECT d.v::text, c.watermark FROM freshet.checkpoint c, tv_post d WHERE d.id = $1", keys[0]).Scan(&v, &out.Watermark)
		out.Values[keys[0]] = v
		return out, err
	}
	for ; ctx.Err() == nil && !p.t.Failed(); n++ {
		w := p.feed.Watermark()
		least := p.feed.Lags().Watermark("Post", w)
		if waits {
			if p.feed.WaitModels(ctx, w, []string{"Post"}) != nil {
				break
			}
			least = w
		}
		res, err := p.cache.Fetch(context.Background(), Request{Model: "Post", Keys: []string{"1"}, MinLSN: w}, load)
		if err != nil {
			p.t.Error(err)
			break
		}
		var v lsn
		fmt.Sscan(res.Docs[0].Value, (*uint64)(&v))
		if truth := least &^ 1; truth > 101 && v < truth { // changes are at even LSNs
			p.t.Errorf("the document is of %d, watermark %d, that of the model %d", v, w, least)
		}
	}
	return n
}
