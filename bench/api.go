package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	connections = 32
	asked       = 256 // posts, each with ten comments
)

// postQuery asks for all of a post: its author, its comments and their authors.
const postQuery = `query Post($id: ID!) { post(id: $id) { id title content published createdAt
  author { id username fullName } commentCount comments { id content createdAt author { id username } } } }`

// graphRequest is the POST of postQuery.
func graphRequest(address, key string) []byte {
	return queryRequest(address, postQuery, map[string]any{"id": key})
}

// queryRequest is the POST of a query with its variables.
func queryRequest(address, query string, variables map[string]any) []byte {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		panic(err) // strings alone, and lists of them
	}
	return request(address, "/graphql", body)
}

func request(address, path string, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %s\r\n\r\n",
		path, address, strconv.Itoa(len(body)))
	b.Write(body)
	return b.Bytes()
}

// apis compares the API over HTTP with handlers that do nothing but write.
func apis(ctx context.Context, w *world) error {
	name, err := w.copyOf(ctx, documents)
	if err != nil {
		return err
	}
	keys, err := w.tenComments(ctx, name)
	if err != nil {
		return err
	}
	s, err := w.start(ctx, name, "run")
	if err != nil {
		return err
	}
	if err := errors.Join(w.cached(ctx, s, keys), w.uncached(ctx, name, keys)); err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	return w.drop(ctx, name)
}

// tenComments chooses posts with ten comments, or as near to it as there are.
func (w *world) tenComments(ctx context.Context, database string) (keys []string, err error) {
	err = w.with(ctx, database, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, "SELECT post_id::text FROM tb_comment GROUP BY post_id ORDER BY abs(count(*) - 10), post_id LIMIT $1", asked)
		if err != nil {
			return err
		}
		keys, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return keys, err
}

// cached compares answers from the cache with a handler that writes the same
// bytes.
func (w *world) cached(ctx context.Context, s *service, keys []string) error {
	var answers [][]byte
	total := 0
	for _, key := range keys {
		answer, err := ask(ctx, s.graphql, key)
		if err != nil {
			return err
		}
		answers = append(answers, answer)
		total += len(answer)
	}
	w.log("answers have %d bytes on average", total/len(answers))
	b, address, err := bareServer(ctx, bare{Answers: answers})
	if err != nil {
		return err
	}
	found, err := w.duel(ctx, "cached", s.graphql, address, keys)
	if err != nil {
		return err
	}
	found.report(w, "cached post with author and comments", "a bare net/http handler that writes the same bytes", 0.6)
	return b.end()
}

// uncached compares answers without a cache with a handler that does one
// SELECT.
func (w *world) uncached(ctx context.Context, database string, keys []string) error {
	s, err := w.start(ctx, database, "api", "--cache-bytes", "0")
	if err != nil {
		return err
	}
	b, address, err := bareServer(ctx, bare{URL: w.server.URL(database)})
	if err != nil {
		return err
	}
	found, err := w.duel(ctx, "not cached", s.graphql, address, keys)
	if err != nil {
		return err
	}
	found.report(w, "the same, not cached", "a bare handler that does one SELECT data", 0.9)
	return errors.Join(b.end(), s.stop())
}

func bareServer(ctx context.Context, b bare) (*actor, string, error) {
	p, err := cast(ctx, roleBare, b)
	if err != nil {
		return nil, "", err
	}
	address, err := p.line()
	return p, address, err
}

// duelled is what both sides reached.
type duelled struct{ rate, p50, p99 sides }

func (d duelled) report(w *world, name, against string, least float64) {
	ours, theirs := d.rate.values()
	w.report.add(row{Name: name, Unit: "/s", Value: ours, Baseline: theirs, Against: against}, ratioAtLeast(least))
	ours, theirs = d.p50.values()
	w.report.add(row{Name: name + ", p50", Unit: "ms", Value: ours, Baseline: theirs, Against: against}, nothing)
	ours, theirs = d.p99.values()
	w.report.add(row{Name: name + ", p99", Unit: "ms", Value: ours, Baseline: theirs, Against: against}, nothing)
}

// duel loads both servers in turn. Both get the same bodies; the bare one has
// the key in the path as well, so that it need not read them.
func (w *world) duel(ctx context.Context, what, ours, theirs string, keys []string) (duelled, error) {
	var asked []question
	for _, key := range keys {
		asked = append(asked, question{path: key, request: graphRequest(ours, key)})
	}
	return w.duelOf(ctx, what, ours, theirs, asked)
}

// question is a request to Freshet, and the path that says the same to the bare
// handler.
type question struct {
	path    string
	request []byte
}

func (w *world) duelOf(ctx context.Context, what, ours, theirs string, asked []question) (duelled, error) {
	var d duelled
	while := time.Duration(w.seconds) * time.Second / 5
	mine := load{Address: ours, Connections: connections, WarmUp: while / 4, For: while}
	other := mine
	other.Address = theirs
	for _, q := range asked {
		mine.Requests = append(mine.Requests, q.request)
		_, body, _ := bytes.Cut(q.request, []byte("\r\n\r\n"))
		other.Requests = append(other.Requests, request(theirs, "/"+q.path, body))
	}
	for range w.rounds {
		a, err := other.elsewhere(ctx)
		if err != nil {
			return d, fmt.Errorf("the bare handler: %w", err)
		}
		b, err := mine.elsewhere(ctx)
		if err != nil {
			return d, err
		}
		w.log("%s: bare %.0f/s (p99 %.1f ms), freshet %.0f/s (p99 %.1f ms)", what, a.rate(), a.P99, b.rate(), b.P99)
		d.rate.theirs, d.rate.ours = append(d.rate.theirs, a.rate()), append(d.rate.ours, b.rate())
		d.p50.theirs, d.p50.ours = append(d.p50.theirs, a.P50), append(d.p50.ours, b.P50)
		d.p99.theirs, d.p99.ours = append(d.p99.theirs, a.P99), append(d.p99.ours, b.P99)
	}
	return d, nil
}

// ask makes one request and returns the answer's body.
func ask(ctx context.Context, address, key string) ([]byte, error) {
	answer, err := send(ctx, address, graphRequest(address, key))
	if err == nil && !strings.Contains(string(answer), key) {
		err = fmt.Errorf("post %s: %.300s", key, answer)
	}
	return answer, err
}

// send makes a request of its own and returns the answer's body.
func send(ctx context.Context, address string, request []byte) ([]byte, error) {
	_, body, _ := bytes.Cut(request, []byte("\r\n\r\n"))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/graphql", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK || bytes.HasPrefix(answer, someErrors) {
		return nil, fmt.Errorf("%.300s: %s: %.300s", body, res.Status, answer)
	}
	return answer, nil
}
