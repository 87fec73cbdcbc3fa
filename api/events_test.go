package api

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// stream asks for a stream; with a body by POST.
func stream(t *testing.T, server *httptest.Server, query, body string, headers ...string) (*http.Response, *bufio.Scanner) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	method, address := http.MethodGet, server.URL+"/graphql?query="+url.QueryEscape(query)
	if body != "" {
		method, address = http.MethodPost, server.URL+"/graphql"
	}
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("GraphQL-Require-Preflight", "true")
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		res.Body.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return res, bufio.NewScanner(res.Body)
}

// event reads the lines of the next event, comments left out.
func event(lines *bufio.Scanner) string {
	var out []string
	for lines.Scan() {
		switch text := lines.Text(); {
		case text == "" && len(out) > 0:
			return strings.Join(out, "\n")
		case text != "" && text[0] != ':':
			out = append(out, text)
		}
	}
	return strings.Join(out, "\n")
}

const noteQuery = `subscription { order(id: "o2") { note } }`

// TestEvents: answers come as events of the protocol, by GET and POST; without
// complete when the server ends, for there may be more elsewhere.
func TestEvents(t *testing.T) {
	server, s, store, feed := liveServer(t, func(c *Config) { c.KeepAlive = time.Second })
	res, get := stream(t, server, noteQuery, "")
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s %v", res.Status, res.Header)
	}
	_, post := stream(t, server, "", `{"query":"subscription ($id: ID!) { order(id: $id) { note } }","variables":{"id":"o2"}}`, "Accept", "application/json, text/event-stream")
	for _, lines := range []*bufio.Scanner{get, post} {
		if got := event(lines); !strings.HasPrefix(got, "event: next\nid: 0/16B3748-") || !strings.Contains(got, "\ndata: {\"data\":{\"order\":{\"note\":\"b\"}},\"extensions\":{\"lsn\":\"0/16B3748\",\"eventId\":\"0/16B3748-") {
			t.Fatal(got)
		}
	}
	feed.change(store, "Order", "o2", `{"id":"o2", "note":"b", "rank":1}`) // does not show
	feed.change(store, "Order", "o2", "{\"id\":\"o2\",\n \"note\":\"c\"}")
	for _, lines := range []*bufio.Scanner{get, post} {
		if got := event(lines); !strings.Contains(got, `{"order":{"note":"c"}}`) {
			t.Fatal(got)
		}
	}
	for get.Scan() && get.Text() != ":" { // a sign of life
	}
	s.EndSubscriptions()
	for _, lines := range []*bufio.Scanner{get, post} {
		if got := event(lines); got != "" || lines.Err() != nil {
			t.Errorf("%q %v", got, lines.Err())
		}
	}
	if res, _ := stream(t, server, noteQuery, ""); res.StatusCode != http.StatusServiceUnavailable {
		t.Error(res.Status)
	}
}

// TestEventsOfOthers: what is no subscription, or none that can be answered.
func TestEventsOfOthers(t *testing.T) {
	server, _, _, _ := liveServer(t, func(c *Config) { c.Origins = []string{"https://app.example"} })
	for _, c := range []struct {
		query   string
		headers []string
		status  int
		want    string
	}{
		{`{ order(id: "o2") { note } }`, nil, 200, "event: complete\ndata:\n\n"},
		{`{ order(id: "o2") { note } }`, []string{"Accept", "text/event-stream, application/json"}, 200, `{"data":{"order":{"note":"b"}}}`},
		{`subscription { nothing }`, nil, 200, "event: next\ndata: {\"errors\":[{\"message\":\"Cannot query field"},
		{`subscription { orderList(limit: -1) { id } }`, nil, 200, "event: complete\ndata:\n\n"},
		{noteQuery, []string{"Accept", "application/json"}, 406, "accept text/event-stream"},
		{noteQuery, []string{"Last-Event-ID", "nonsense"}, 400, "is not one of this server's"},
		{noteQuery, []string{"Freshet-Min-LSN", "nonsense"}, 400, "Freshet-Min-LSN"},
		{noteQuery, []string{"GraphQL-Require-Preflight", "", "Content-Type", ""}, 400, "could come from any page"},
		{noteQuery, []string{"GraphQL-Require-Preflight", "", "Content-Type", "", "Origin", "https://evil.example"}, 400, "could come from any page"},
		{noteQuery, []string{"Freshet-Min-LSN", "FFFF/0"}, 503, `"code":"STALE"`},
		{`{ order(id: "o2") { note } }`, []string{"GraphQL-Require-Preflight", "", "Content-Type", "", "Origin", "https://app.example"}, 200, "event: complete"},
	} {
		res, _ := stream(t, server, c.query, "", c.headers...)
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != c.status || !strings.Contains(string(body), c.want) {
			t.Errorf("%s %v: %s %v\n%s", c.query, c.headers, res.Status, err, body)
		}
	}
}

// TestEventsResume: who comes back with the id of the last event gets what is
// new and nothing else; one that is ahead of this server waits for it.
func TestEventsResume(t *testing.T) {
	server, s, store, feed := liveServer(t)
	_, lines := stream(t, server, noteQuery, "")
	got := event(lines)
	_, id, _ := strings.Cut(got, "id: ")
	id, _, _ = strings.Cut(id, "\n")
	_, again := stream(t, server, noteQuery, "", "Last-Event-ID", id)
	_, extended := stream(t, server, "", `{"query":"subscription { order(id: \"o2\") { note } }","extensions":{"freshet":{"lastEventId":"`+id+`"}}}`)
	feed.change(store, "Order", "o2", `{"id":"o2","note":"c"}`)
	for _, l := range []*bufio.Scanner{lines, again, extended} {
		if got := event(l); !strings.Contains(got, `{"note":"c"}`) {
			t.Error(got)
		}
	}
	told := make(chan string)
	go func() {
		_, ahead := stream(t, server, noteQuery, "", "Last-Event-ID", "0/16B374A") // one further than this server is
		told <- event(ahead)
	}()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		feed.fakeFeed.mu.Lock()
		waits := feed.waiting
		feed.fakeFeed.mu.Unlock()
		if waits == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not wait")
		}
	}
	if n := s.SubscriptionStats().Subscriptions; n != 3 {
		t.Errorf("%d subscriptions", n)
	}
	feed.change(store, "Order", "o2", `{"id":"o2","note":"d"}`)
	if got := <-told; !strings.Contains(got, `{"note":"d"}`) || !strings.Contains(got, "0/16B374A") {
		t.Error(got)
	}
}
