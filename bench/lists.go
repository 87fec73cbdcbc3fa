package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// listQuery asks for a page of 20 posts with their authors, the latest before
// some time.
const listQuery = `query Posts($before: DateTime!) { posts(first: 20, where: {createdAt: {lt: $before}}, orderBy: [{createdAt: DESC}]) {
  nodes { id title createdAt author { id username fullName } } } }`

// lists compares pages of 20 posts with handlers that do nothing but write:
// once more the same bytes, and once what one statement finds.
func lists(ctx context.Context, w *world) error {
	name, err := w.copyOf(ctx, documents)
	if err != nil {
		return err
	}
	times, err := w.pageStarts(ctx, name)
	if err != nil {
		return err
	}
	s, err := w.start(ctx, name, "run")
	if err != nil {
		return err
	}
	length, err := w.listsCached(ctx, s, times)
	if err != nil {
		return err
	}
	if err := w.listsUncached(ctx, name, times, length); err != nil {
		return err
	}
	return errors.Join(s.stop(), w.drop(ctx, name))
}

// pageStarts chooses times that pages begin at, none of them near the end.
func (w *world) pageStarts(ctx context.Context, database string) (times []string, err error) {
	err = w.with(ctx, database, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `SELECT created_at FROM (SELECT created_at, id FROM tv_post ORDER BY created_at DESC
			LIMIT (SELECT count(*) / 2 FROM tv_post)) t ORDER BY md5(id::text) LIMIT $1`, asked)
		if err != nil {
			return err
		}
		all, err := pgx.CollectRows(rows, pgx.RowTo[time.Time])
		for _, t := range all {
			times = append(times, t.UTC().Format(time.RFC3339Nano))
		}
		return err
	})
	return times, err
}

// questions asks for the page of each time.
func questions(address string, times []string) (all []question) {
	for _, t := range times {
		all = append(all, question{path: t, request: queryRequest(address, listQuery, map[string]any{"before": t})})
	}
	return all
}

// listsCached returns how long the answers are on average.
func (w *world) listsCached(ctx context.Context, s *service, times []string) (int, error) {
	all := questions(s.graphql, times)
	var answers [][]byte
	total := 0
	for _, q := range all {
		answer, err := send(ctx, s.graphql, q.request)
		if err != nil {
			return 0, err
		}
		answers = append(answers, answer)
		total += len(answer)
	}
	b, address, err := bareServer(ctx, bare{Answers: answers})
	if err != nil {
		return 0, err
	}
	found, err := w.duelOf(ctx, "20 posts, cached", s.graphql, address, all)
	if err != nil {
		return 0, err
	}
	found.report(w, "20 posts with authors, cached", "a bare net/http handler that writes the same bytes", 0.5)
	return total / len(answers), b.end()
}

func (w *world) listsUncached(ctx context.Context, database string, times []string, length int) error {
	s, err := w.start(ctx, database, "api", "--cache-bytes", "0")
	if err != nil {
		return err
	}
	b, address, err := bareServer(ctx, bare{URL: w.server.URL(database), List: length})
	if err != nil {
		return err
	}
	found, err := w.duelOf(ctx, "20 posts, not cached", s.graphql, address, questions(s.graphql, times))
	if err != nil {
		return err
	}
	found.report(w, "20 posts with authors, not cached",
		fmt.Sprintf("a bare handler that does one SELECT data … LIMIT 20 and writes %d bytes of it", length), 0.85)
	return errors.Join(b.end(), s.stop())
}
