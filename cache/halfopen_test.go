package cache

import (
	"testing"
	"time"

	"freshet/deploy/pgserver/pgproxy"
)

// A connection that swallows bytes both ways, and is never closed, is noticed
// by the first look that is not answered: within Poll and Timeout. What was
// written meanwhile is read over the next connection.
func TestFeedNoticesAHalfOpenConnection(t *testing.T) {
	p := newPlant(t)
	proxy, url, err := pgproxy.StartFor(p.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	p.url = url
	p.feed.cfg.Timeout = time.Second
	p.checkpoint(1, 100)
	p.run()
	p.put("Post", "1", "2")
	began := time.Now()
	if n := proxy.Swallow(pgproxy.All); n != 1 {
		t.Fatalf("the feed has %d connections", n)
	}
	p.batch(2, 200, logged{model: "Post", keys: []string{"1"}})
	receive(t, p.retries, "word that the connection failed")
	if took := time.Since(began); took > p.feed.cfg.Poll+p.feed.cfg.Timeout+4*time.Second { // the machine is small
		t.Errorf("noticed after %s", took)
	}
	p.connected()
	p.wait(200)
	expect(t, p.cache, "Post", "1", "", Miss)
	expect(t, p.cache, "Post", "2", "v", Present)
	if s := p.feed.State(); s.Resets != 0 || !s.Connected {
		t.Errorf("state = %+v", s)
	}
}
