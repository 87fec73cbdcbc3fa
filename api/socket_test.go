package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"freshet/cache"
)

// toldFeed is a feed that tells of changes.
type toldFeed struct {
	*fakeFeed
	told cache.Listener
}

func (f *toldFeed) Subscribe(l cache.Listener) func() {
	f.told = l
	return func() {}
}

// change has the feed tell that a document of the store has changed.
func (f *toldFeed) change(s *memStore, model, key, document string) {
	s.mu.Lock()
	s.docs[model][key] = []byte(document)
	s.lsn++
	lsn := s.lsn
	s.mu.Unlock()
	f.tell(cache.Change{Model: model, Keys: []string{key}, Watermark: lsn})
}

// tell has the feed tell of a change that the store has.
func (f *toldFeed) tell(ch cache.Change) {
	lsn := ch.Watermark
	f.cache.Invalidate(ch.Model, append(ch.Keys, ch.DeletedKeys...), lsn)
	f.cache.InvalidatePages(ch.Model, ch.Moved, lsn)
	f.told.Change(ch)
	f.move(lsn)
	f.told.Advanced(lsn)
}

// liveServer serves subscriptions over HTTP.
func liveServer(t *testing.T, change ...func(*Config)) (*httptest.Server, *Server, *memStore, *toldFeed) {
	t.Helper()
	m := parseModel(t, "testdata/shop.graphql")
	store := newMemStore(t, m, shop)
	feed := &toldFeed{fakeFeed: newFakeFeed(store.lsn)}
	s := newServer(t, m, store, append([]func(*Config){func(c *Config) { c.Feed = feed }}, change...)...)
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		s.EndSubscriptions()
		server.Close()
	})
	return server, s, store, feed
}

// talk is a WebSocket.
type talk struct {
	t    *testing.T
	conn *websocket.Conn
}

func (c talk) send(text string) {
	c.t.Helper()
	if err := c.conn.Write(c.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

func (c talk) receive() (string, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	_, data, err := c.conn.Read(ctx)
	return string(data), err
}

// expect checks that the next message has a text in it.
func (c talk) expect(want string) {
	c.t.Helper()
	got, err := c.receive()
	if err != nil || !strings.Contains(got, want) {
		c.t.Fatalf("%v: %s\nwant %s", err, got, want)
	}
}

// closed checks the code with which the server closes the connection.
func (c talk) closed(want websocket.StatusCode) {
	c.t.Helper()
	for {
		got, err := c.receive()
		if err == nil {
			continue // it was on its way
		}
		var e websocket.CloseError
		if !errors.As(err, &e) || e.Code != want {
			c.t.Errorf("%s %v, want %d", got, err, want)
		}
		return
	}
}

func dial(t *testing.T, server *httptest.Server, headers ...string) (talk, *http.Response, error) {
	t.Helper()
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	conn, res, err := websocket.Dial(t.Context(), server.URL+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: h})
	if err == nil {
		t.Cleanup(func() { _ = conn.CloseNow() })
	}
	return talk{t, conn}, res, err
}

func dialled(t *testing.T, server *httptest.Server) talk {
	t.Helper()
	c, _, err := dial(t, server)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func acked(t *testing.T, server *httptest.Server) talk {
	t.Helper()
	c := dialled(t, server)
	c.send(`{"type":"connection_init","payload":{"any":1}}`)
	c.expect(`{"type":"connection_ack"}`)
	return c
}

const noteOf = `subscription { order(id: \"o2\") { note } }`

func subscribeText(id, query string) string {
	return fmt.Sprintf(`{"id":%q,"type":"subscribe","payload":{"query":"%s"}}`, id, query)
}

// TestSocketRules: what breaks a rule of the protocol is closed with its code.
func TestSocketRules(t *testing.T) {
	server, _, _, _ := liveServer(t, func(c *Config) { c.MaxMessage = 4 << 10 })
	for _, c := range []struct {
		name string
		send []string
		code websocket.StatusCode
	}{
		{"too many inits", []string{`{"type":"connection_init"}`, `{"type":"connection_init"}`}, 4429},
		{"unauthorized", []string{subscribeText("1", noteOf)}, 4401},
		{"no JSON", []string{`{"type"`}, 4400},
		{"no type", []string{`{}`}, 4400},
		{"unknown type", []string{`{"type":"start"}`}, 4400},
		{"id of a wrong type", []string{`{"type":"complete","id":1}`}, 4400},
		{"no id", []string{`{"type":"connection_init"}`, `{"type":"complete"}`}, 4400},
		{"empty id", []string{`{"type":"connection_init"}`, subscribeText("", noteOf)}, 4400},
		{"no payload", []string{`{"type":"connection_init"}`, `{"type":"subscribe","id":"1"}`}, 4400},
		{"wrong payload", []string{`{"type":"connection_init"}`, `{"type":"subscribe","id":"1","payload":{"query":1}}`}, 4400},
		{"wrong init", []string{`{"type":"connection_init","payload":1}`}, 4400},
		{"duplicate id", []string{`{"type":"connection_init"}`, subscribeText("1", noteOf), subscribeText("1", noteOf)}, 4409},
		{"too large", []string{`{"type":"ping","payload":{"x":"` + strings.Repeat("x", 8<<10) + `"}}`}, websocket.StatusMessageTooBig},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := dialled(t, server)
			for _, text := range c.send {
				conn.send(text)
			}
			conn.closed(c.code)
		})
	}
	t.Run("binary", func(t *testing.T) {
		conn := dialled(t, server)
		if err := conn.conn.Write(t.Context(), websocket.MessageBinary, []byte(`{"type":"ping"}`)); err != nil {
			t.Fatal(err)
		}
		conn.closed(4400)
	})
	t.Run("another subprotocol", func(t *testing.T) {
		conn, _, err := websocket.Dial(t.Context(), server.URL+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-ws"}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.CloseNow() }()
		talk{t, conn}.closed(4406)
	})
}

func TestSocketInitTimeout(t *testing.T) {
	server, _, _, _ := liveServer(t, func(c *Config) { c.InitTimeout = 10 * time.Millisecond })
	dialled(t, server).closed(4408)
}

// TestSocketOperations: pings, queries, errors, the end of operations from
// both sides, and ids that are used again.
func TestSocketOperations(t *testing.T) {
	server, s, store, feed := liveServer(t)
	c := acked(t, server)
	c.send(`{"type":"ping"}`)
	c.expect(`{"type":"pong"}`)
	c.send(`{"type":"pong"}`)
	c.send(subscribeText("q", `{ order(id: \"o2\") { note } }`))
	c.expect(`{"id":"q","type":"next","payload":{"data":{"order":{"note":"b"}},"extensions":{"lsn":"0/16B3748","eventId":"0/16B3748-`)
	c.expect(`{"id":"q","type":"complete"}`)
	c.send(subscribeText("q", `subscription { nothing }`))
	c.expect(`{"id":"q","type":"error","payload":[{"message":"Cannot query field`)
	c.send(subscribeText("q", `subscription { a: order(id: \"o1\") { note } b: order(id: \"o2\") { note } }`))
	c.expect(`"type":"error"`)
	c.send(subscribeText("bad", `subscription { orderList(limit: -1) { id } }`))
	c.expect(`{"id":"bad","type":"next","payload":{"errors":[{"message":"limit must not be negative"`)
	c.expect(`{"id":"bad","type":"complete"}`)

	c.send(subscribeText("q", noteOf))
	c.expect(`{"id":"q","type":"next","payload":{"data":{"order":{"note":"b"}}`)
	feed.change(store, "Order", "o2", `{"id":"o2","note":"c"}`)
	c.expect(`{"data":{"order":{"note":"c"}},"extensions":{"lsn":"0/16B3749"`)
	c.send(`{"id":"q","type":"complete"}`)
	c.send(`{"id":"other","type":"complete"}`) // one that is none is nobody's error
	for deadline := time.Now().Add(10 * time.Second); s.SubscriptionStats().Subscriptions > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it has not ended")
		}
	}
	feed.change(store, "Order", "o2", `{"id":"o2","note":"d"}`)
	c.send(subscribeText("q", noteOf))
	c.expect(`{"id":"q","type":"next","payload":{"data":{"order":{"note":"d"}}`)
	s.EndSubscriptions()
	c.closed(websocket.StatusGoingAway)
}

// TestSocketLimits: operations, subscriptions and connections are bounded.
func TestSocketLimits(t *testing.T) {
	server, s, _, _ := liveServer(t, func(c *Config) { c.MaxOperations, c.MaxSubscriptions, c.MaxConnections = 2, 3, 2 })
	a, b := acked(t, server), acked(t, server)
	for i, c := range []talk{a, a, b} {
		id := fmt.Sprint(i)
		c.send(subscribeText(id, noteOf))
		c.expect(`{"id":"` + id + `","type":"next"`)
	}
	a.send(subscribeText("3", noteOf))
	a.expect(`{"id":"3","type":"error","payload":[{"message":"There are too many operations on this connection.","extensions":{"code":"BUSY"}}]}`)
	b.send(subscribeText("4", noteOf))
	b.expect(`{"id":"4","type":"error","payload":[{"message":"There are too many subscriptions just now."`)
	if _, res, err := dial(t, server); err == nil || res == nil || res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%v %v", res, err)
	}
	if st := s.SubscriptionStats(); st.Connections != 2 || st.Subscriptions != 3 || st.Queries != 1 {
		t.Errorf("%+v", st)
	}
}

// TestSocketOrigin: pages of other origins may not connect, unless they may read.
func TestSocketOrigin(t *testing.T) {
	server, _, _, _ := liveServer(t, func(c *Config) { c.Origins = []string{"https://app.example"} })
	host := strings.TrimPrefix(server.URL, "http://")
	for origin, ok := range map[string]bool{
		"http://" + host: true, "https://app.example": true, "https://evil.example": false, "null": false, "https://app.example.evil.example": false, "http://" + host + ".evil.example": false,
	} {
		_, res, err := dial(t, server, "Origin", origin)
		if (err == nil) != ok || !ok && (res == nil || res.StatusCode != http.StatusForbidden) {
			t.Errorf("%s: %v %v", origin, res, err)
		}
	}
}

// TestSocketSilent: a client that does not answer pings is dropped.
func TestSocketSilent(t *testing.T) {
	server, s, _, _ := liveServer(t, func(c *Config) { c.KeepAlive = 20 * time.Millisecond })
	acked(t, server) // nobody reads from it any more
	for deadline := time.Now().Add(10 * time.Second); s.SubscriptionStats().Connections > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is still there")
		}
	}
}

// TestSubscriptionsTryAgain: while the database is away nothing ends, and
// nothing is sent; then the answer comes.
func TestSubscriptionsTryAgain(t *testing.T) {
	var once sync.Once
	failed := make(chan struct{})
	server, _, store, _ := liveServer(t, func(c *Config) {
		c.OnError = func(context.Context, error) { once.Do(func() { close(failed) }) }
	})
	store.mu.Lock()
	store.fail = errors.New("the database is away")
	store.mu.Unlock()
	c := acked(t, server)
	c.send(subscribeText("1", noteOf))
	<-failed
	store.mu.Lock()
	store.fail = nil
	store.mu.Unlock()
	c.expect(`{"id":"1","type":"next","payload":{"data":{"order":{"note":"b"}}`)
}

// TestDependencies: what answers depend on, of each kind of root field.
func TestDependencies(t *testing.T) {
	_, s, _, _ := liveServer(t, func(c *Config) { c.GlobalIDs = true })
	for _, c := range []struct{ query, want string }{
		{`{ order(id: \"o2\") { note } }`, `{[{Order o2}] []}`},
		{`{ order(id: \"none\") { note } }`, `{[{Order none}] []}`},
		{`{ ordersById(ids: [\"o1\", \"x\"]) { note } }`, `{[{Order o1} {Order x}] []}`},
		{`{ node(id: \"` + string(appendNodeID(nil, "Order", "o1")) + `\") { nodeId } }`, `{[{Order o1}] []}`},
		{`{ orderList(where: {id: {in: [\"o1\", \"x\"]}}) { note } }`, `{[{Order o1} {Order x}] []}`},
		{`{ orders(first: 0, where: {or: [{rank: {gt: 99}}, {not: {note: {eq: \"zz\"}}}]}, orderBy: [{placedAt: ASC}]) { totalCount aggregate { max { total } } } }`, `{[] [{Order [note placed_at rank total] <nil>}]}`},
	} {
		x := &exchange{w: unwritten{}, r: httptest.NewRequest(http.MethodPost, "/graphql", nil), run: s.run(t.Context())}
		if err := json.Unmarshal([]byte(`"`+c.query+`"`), new(string)); err != nil {
			t.Fatal(err)
		}
		x.body = []byte(`{"query":"` + c.query + `"}`)
		if refused := x.parameters(); refused != nil {
			t.Fatal(refused.errs)
		}
		if refused := s.prepare(x); refused != nil {
			t.Fatal(refused.errs)
		}
		s.freshness(x.run)
		if late := x.run.execute(); late != nil {
			t.Fatal(late)
		}
		if got := fmt.Sprint(x.run.depends().Normal()); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s\n%s", c.query, got, c.want, x.run.out)
		}
		s.release(x.run)
	}
}
