package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"freshet/deploy/pgserver/pgproxy"
	"freshet/deploy/pgserver/pgtest"
)

// socketClient speaks graphql-transport-ws.
type socketClient struct {
	t    *testing.T
	conn *websocket.Conn
	got  chan socketMessage
	end  chan error // gets the connection's end
}

type socketMessage struct {
	ID, Type string
	Payload  json.RawMessage
}

func dialSocket(t *testing.T, addr string) *socketClient {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), "ws://"+addr+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(1 << 20)
	c := &socketClient{t: t, conn: conn, got: make(chan socketMessage, 100), end: make(chan error, 1)}
	go c.read()
	t.Cleanup(func() { _ = conn.CloseNow() })
	c.send(`{"type":"connection_init"}`)
	if m := c.receive(); m.Type != "connection_ack" {
		t.Fatalf("%+v", m)
	}
	return c
}

func (c *socketClient) read() {
	for {
		_, data, err := c.conn.Read(context.Background())
		if err != nil {
			c.end <- err
			return
		}
		var m socketMessage
		if err := json.Unmarshal(data, &m); err != nil {
			c.end <- fmt.Errorf("%w: %s", err, data)
			return
		}
		c.got <- m
	}
}

func (c *socketClient) send(text string) {
	c.t.Helper()
	if err := c.conn.Write(c.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// subscribe begins an operation; extensions may be empty.
func (c *socketClient) subscribe(id, query, extensions string) {
	c.t.Helper()
	q, err := json.Marshal(query)
	if err != nil {
		c.t.Fatal(err)
	}
	if extensions == "" {
		extensions = "{}"
	}
	c.send(fmt.Sprintf(`{"id":%q,"type":"subscribe","payload":{"query":%s,"extensions":%s}}`, id, q, extensions))
}

func (c *socketClient) receive() socketMessage {
	c.t.Helper()
	select {
	case m := <-c.got:
		return m
	case err := <-c.end:
		c.t.Fatalf("the connection ended: %v", err)
	case <-time.After(30 * time.Second):
		c.t.Fatal("no message")
	}
	return socketMessage{}
}

// result is a subscriber's message.
type subscriptionResult struct {
	Data       json.RawMessage
	Errors     json.RawMessage
	Extensions struct{ LSN, EventID string }
}

// next returns the data of the next message, which must be one of the operation.
func (c *socketClient) next(id string) (data string, r subscriptionResult) {
	c.t.Helper()
	m := c.receive()
	if m.ID != id || m.Type != "next" {
		c.t.Fatalf("%s %s: %s", m.ID, m.Type, m.Payload)
	}
	if err := json.Unmarshal(m.Payload, &r); err != nil {
		c.t.Fatalf("%v: %s", err, m.Payload)
	}
	return string(r.Data), r
}

// expect checks the data of the next message.
func (c *socketClient) expect(id, want string) subscriptionResult {
	c.t.Helper()
	got, r := c.next(id)
	if got != want {
		c.t.Errorf("%s\ngot  %s\nwant %s", id, got, want)
	}
	return r
}

// subscriptionStats are the counters that /status shows.
func subscriptionStats(t *testing.T, admin string) (s struct{ Subscriptions, Evaluations, Messages, Coalesced, Failures, Connections int }) {
	t.Helper()
	var status struct {
		API struct{ Subscriptions any }
	}
	status.API.Subscriptions = &s
	if err := json.Unmarshal([]byte(get(t, admin, "/status", "application/json")), &status); err != nil {
		t.Fatal(err)
	}
	return s
}

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

const (
	first1 = "00000000-0000-4000-8000-0000000000f1"
	remark = "00000000-0000-4000-8000-0000000000c1"
)

// TestSubscriptions: live queries over everything from the source tables to the
// client, in the cases in which others miss changes.
func TestSubscriptions(t *testing.T) {
	source, path := blogDatabase(t)
	pgtest.Exec(t, source, "DELETE FROM tb_user")
	p := begin(t, "run", "--database-url="+source, "--model="+path, "--migrate", "--listen", "127.0.0.1:0")
	sql := func(format string, args ...any) { t.Helper(); pgtest.Exec(t, source, fmt.Sprintf(format, args...)) }
	c := dialSocket(t, p.addr["graphql"])

	// An absent document, and an empty list that gets its first row.
	c.subscribe("user", `subscription { user(id: "`+ann+`") { username postCount } }`, "")
	c.expect("user", `{"user":null}`)
	c.subscribe("list", `subscription { postList(where: {published: {eq: true}}, orderBy: [{createdAt: ASC}]) { title author { fullName } } }`, "")
	c.expect("list", `{"postList":[]}`)
	sql("INSERT INTO tb_user (id, username, full_name) VALUES ('%s', 'ann', 'Ann')", ann)
	c.expect("user", `{"user":{"username":"ann","postCount":0}}`)
	sql("INSERT INTO tb_post (id, author_id, title, content, published) VALUES ('%s', '%s', 'First', 'x', true)", first1, ann)
	both(c, map[string]string{"user": `{"user":{"username":"ann","postCount":1}}`, "list": `{"postList":[{"title":"First","author":{"fullName":"Ann"}}]}`})

	// A row that moves into the filter, and out of it again.
	sql("INSERT INTO tb_post (author_id, title, content, published) VALUES ('%s', 'Second', 'x', false)", ann)
	c.expect("user", `{"user":{"username":"ann","postCount":2}}`)
	sql("UPDATE tb_post SET published = true WHERE title = 'Second'")
	c.expect("list", `{"postList":[{"title":"First","author":{"fullName":"Ann"}},{"title":"Second","author":{"fullName":"Ann"}}]}`)
	sql("UPDATE tb_post SET published = false WHERE title = 'First'")
	c.expect("list", `{"postList":[{"title":"Second","author":{"fullName":"Ann"}}]}`)
	sql("UPDATE tb_post SET published = true WHERE title = 'First'")
	last := c.expect("list", `{"postList":[{"title":"First","author":{"fullName":"Ann"}},{"title":"Second","author":{"fullName":"Ann"}}]}`)

	// A change in an embedded part alone; the user's selection does not show it.
	before := subscriptionStats(t, p.addr["admin"])
	sql("UPDATE tb_user SET full_name = 'Ann B.' WHERE id = '%s'", ann)
	c.expect("list", `{"postList":[{"title":"First","author":{"fullName":"Ann B."}},{"title":"Second","author":{"fullName":"Ann B."}}]}`)
	until(t, "both were evaluated", func() bool {
		return subscriptionStats(t, p.addr["admin"]).Evaluations >= before.Evaluations+2
	})

	// A change in a stitched part, and a DELETE.
	sql("INSERT INTO tb_comment (id, post_id, author_id, content) VALUES ('%s', '%s', '%s', 'Hi')", remark, first1, ann)
	c.subscribe("comment", `subscription { comment(id: "`+remark+`") { content post { title } } }`, `{"freshet":{"consistency":"strong"}}`)
	c.expect("comment", `{"comment":{"content":"Hi","post":{"title":"First"}}}`)
	sql("UPDATE tb_post SET title = 'Premier' WHERE id = '%s'", first1)
	both(c, map[string]string{"comment": `{"comment":{"content":"Hi","post":{"title":"Premier"}}}`,
		"list": `{"postList":[{"title":"Premier","author":{"fullName":"Ann B."}},{"title":"Second","author":{"fullName":"Ann B."}}]}`})
	sql("DELETE FROM tb_comment WHERE id = '%s'", remark)
	r := c.expect("comment", `{"comment":null}`)
	if r.Extensions.LSN < last.Extensions.LSN || !strings.HasPrefix(r.Extensions.EventID, r.Extensions.LSN+"-") {
		t.Errorf("%+v after %+v", r.Extensions, last.Extensions)
	}
	// All in all: what the messages above were, and none besides.
	if s := subscriptionStats(t, p.addr["admin"]); s.Messages != 14 || s.Subscriptions != 3 || s.Connections != 1 {
		t.Errorf("%+v", s)
	}
	c.send(`{"id":"user","type":"complete"}`)
	c.send(`{"id":"list","type":"complete"}`)
	until(t, "they are gone", func() bool { return subscriptionStats(t, p.addr["admin"]).Subscriptions == 1 })
	p.end()
	var closed websocket.CloseError
	if err := <-c.end; !errors.As(err, &closed) || closed.Code != websocket.StatusGoingAway {
		t.Errorf("the server's end: %v", err)
	}
}

// both expects a message of each operation, in any order.
func both(c *socketClient, want map[string]string) {
	c.t.Helper()
	for len(want) > 0 {
		m := c.receive()
		var r subscriptionResult
		if err := json.Unmarshal(m.Payload, &r); err != nil || want[m.ID] != string(r.Data) {
			c.t.Fatalf("%s: %s, want %v", m.ID, m.Payload, want)
		}
		delete(want, m.ID)
	}
}

// eventClient reads an event stream.
type eventClient struct {
	t      *testing.T
	lines  *bufio.Scanner
	cancel func()
}

func openEvents(t *testing.T, addr, query string, headers ...string) *eventClient {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/graphql?query="+url.QueryEscape(query), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s %v", res.Status, res.Header)
	}
	return &eventClient{t, bufio.NewScanner(res.Body), cancel}
}

// next returns the next event; event is empty where the stream ends.
func (e *eventClient) next() (event, id, data string) {
	for e.lines.Scan() {
		name, value, _ := strings.Cut(e.lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "event":
			event = value
		case "id":
			id = value
		case "data":
			data = value
		}
		if e.lines.Text() == "" && event != "" {
			return event, id, data
		}
	}
	return "", "", ""
}

func (e *eventClient) expect(want string) (id string) {
	e.t.Helper()
	event, id, data := e.next()
	if event != "next" || !strings.HasPrefix(data, `{"data":`+want+`,"extensions":{"lsn":`) {
		e.t.Fatalf("%s %s\nwant %s", event, data, want)
	}
	return id
}

// TestSubscriptionsResume: a stream that was lost goes on from its last event,
// on another connection; and a feed that was cut brings what was missed.
func TestSubscriptionsResume(t *testing.T) {
	direct, path := blogDatabase(t)
	pgtest.Exec(t, direct, "DELETE FROM tb_user; INSERT INTO tb_user (id, username, full_name) VALUES ('"+ann+"', 'ann', 'Ann')")
	proxy, through, err := pgproxy.StartFor(direct)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	p := begin(t, "run", "--database-url="+through, "--model="+path, "--migrate", "--listen", "127.0.0.1:0")
	rename := func(name string) { t.Helper(); pgtest.Exec(t, direct, "UPDATE tb_user SET full_name = '"+name+"'") }
	query := `subscription { user(id: "` + ann + `") { fullName } }`
	answer := func(name string) string { return `{"user":{"fullName":"` + name + `"}}` }

	e := openEvents(t, p.addr["graphql"], query)
	id := e.expect(answer("Ann"))
	e.cancel()
	again := openEvents(t, p.addr["graphql"], query, "Last-Event-ID", id)
	rename("Two")
	id = again.expect(answer("Two")) // and not the same once more
	again.cancel()
	rename("Three")
	e = openEvents(t, p.addr["graphql"], query, "Last-Event-ID", id)
	e.expect(answer("Three"))

	if n := proxy.Cut(func(s pgproxy.Session) bool { return s.Application == "freshet feed" }); n != 1 {
		t.Fatalf("%d connections of the feed", n)
	}
	rename("Four")
	id = e.expect(answer("Four"))
	// An LSN alone is an id, too: the state at once.
	lsn, _, _ := strings.Cut(id, "-")
	late := openEvents(t, p.addr["graphql"], query, "Last-Event-ID", lsn)
	late.expect(answer("Four"))

	// Read one's own write.
	c := dialSocket(t, p.addr["graphql"])
	rename("Five")
	c.subscribe("own", query, `{"freshet":{"consistency":"strong"}}`)
	c.expect("own", answer("Five"))
	p.end()
	if event, _, _ := late.next(); event == "next" {
		event, _, _ = late.next()
		if event != "" {
			t.Errorf("the server's end: %s", event)
		}
	}
}
