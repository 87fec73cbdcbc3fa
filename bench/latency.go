package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	audience = 100 // clients
	belowTop = 0.6 // of the rate at which it can do no more
)

// asking is a query whose latency is measured.
type asking struct {
	name  string
	query string
	of    string // the type whose key is $id
	most  float64
}

var askings = []asking{
	{"user", `query Q($id: ID!) { user(id: $id) { id username fullName createdAt postCount } }`, "tv_user", 1},
	{"post with author", `query Q($id: ID!) { post(id: $id) { id title content createdAt author { id username fullName } } }`, "tv_post", 2},
	{"post with comments", postQuery, "tv_post", 5},
	{"user with posts", `query Q($id: ID!) { user(id: $id) { id username fullName posts { id title createdAt commentCount content } } }`, "tv_user", 10},
	{"query over all types", `query Q($id: ID!) { post(id: $id) { id title
	  author { id username createdAt postCount posts { id title comments { id content author { id fullName } } } }
	  comments { id content author { id username fullName createdAt } }
	  } latest: posts(first: 5, orderBy: [{createdAt: DESC}]) { nodes { id title author { username } } }
	  comments(first: 5, orderBy: [{createdAt: DESC}]) { nodes { id content post { id title } author { username postCount } } } }`, "tv_post", 25},
}

// latencies measures the p99 of queries at 100 clients, below what the server
// can do: at 60 % of the rate that it reached just before. It runs with the cache
// as it is by default, and warm. What the machine itself and the client add
// shows a bare handler, which writes the same bytes at the same rate.
func latencies(ctx context.Context, w *world) error {
	name, err := w.copyOf(ctx, documents)
	if err != nil {
		return err
	}
	s, err := w.start(ctx, name, "run")
	if err != nil {
		return err
	}
	for _, a := range askings {
		if err := w.latency(ctx, s, name, a); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	return errors.Join(s.stop(), w.drop(ctx, name))
}

func (w *world) latency(ctx context.Context, s *service, database string, a asking) error {
	keys, err := w.someKeys(ctx, database, a.of, asked)
	if err != nil {
		return err
	}
	while := time.Duration(w.seconds) * time.Second / 5
	top := load{Address: s.graphql, Connections: audience, WarmUp: while / 4, For: while / 2}
	for _, key := range keys {
		top.Requests = append(top.Requests, queryRequest(s.graphql, a.query, map[string]any{"id": key}))
	}
	b, address, err := w.echo(ctx, s.graphql, top.Requests)
	if err != nil {
		return err
	}
	var p50, p99 sides
	var rate []float64
	for range w.rounds {
		full, err := top.elsewhere(ctx)
		if err != nil {
			return err
		}
		paced := top
		paced.Rate, paced.For = belowTop*full.rate(), while
		got, err := paced.elsewhere(ctx)
		if err != nil {
			return err
		}
		paced.Address = address
		least, err := paced.elsewhere(ctx)
		if err != nil {
			return err
		}
		w.log("%s: %.0f/s at most (p99 %.1f ms); at %.0f/s p50 %.2f ms, p99 %.2f ms; bare p50 %.2f ms, p99 %.2f ms",
			a.name, full.rate(), full.P99, got.rate(), got.P50, got.P99, least.P50, least.P99)
		p50.ours, p50.theirs = append(p50.ours, got.P50), append(p50.theirs, least.P50)
		p99.ours, p99.theirs = append(p99.ours, got.P99), append(p99.theirs, least.P99)
		rate = append(rate, got.rate())
	}
	label := fmt.Sprintf("%s, 100 clients at %.0f/s", a.name, median(rate))
	const against = "a bare handler that writes the same bytes at this rate"
	ours, theirs := p50.values()
	w.report.add(row{Name: label + ", p50", Unit: "ms", Value: ours, Baseline: theirs, Against: against}, nothing)
	ours, theirs = p99.values()
	w.report.add(row{Name: label + ", p99", Unit: "ms", Value: ours, Baseline: theirs, Against: against}, valueAtMost(a.most))
	return b.end()
}

// echo starts a bare handler that writes what Freshet answers to requests.
func (w *world) echo(ctx context.Context, address string, requests [][]byte) (*actor, string, error) {
	var answers [][]byte
	for _, r := range requests {
		answer, err := send(ctx, address, r)
		if err != nil {
			return nil, "", err
		}
		answers = append(answers, answer)
	}
	return bareServer(ctx, bare{Answers: answers})
}

// someKeys chooses keys of a table, always the same.
func (w *world) someKeys(ctx context.Context, database, table string, n int) (keys []string, err error) {
	err = w.with(ctx, database, func(conn *pgx.Conn) error {
		keys, err = keysOf(ctx, conn, table)
		return err
	})
	return keys[:min(n, len(keys))], err
}
