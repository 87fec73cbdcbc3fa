package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// reader asks for posts over HTTP, the popular ones most, at an even pace.
type reader struct {
	url      string
	rate     int
	requests *atomic.Int64
}

const readerQuery = `query($id: ID!) { post(id: $id) {
  title commentCount author { username } comments { content author { username } } } }`

func (r *reader) run(ctx context.Context, pool *pgxpool.Pool) error {
	if r.rate <= 0 {
		<-ctx.Done()
		return nil
	}
	posts, err := popularPosts(ctx, pool, 500)
	if err != nil || len(posts) == 0 {
		return err
	}
	pick := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.2, 10, uint64(len(posts)-1))
	tick := time.NewTicker(time.Second / time.Duration(r.rate))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := r.ask(ctx, posts[pick.Uint64()]); err != nil && ctx.Err() == nil {
			return fmt.Errorf("read over GraphQL: %w", err)
		}
		r.requests.Add(1)
	}
}

func popularPosts(ctx context.Context, pool *pgxpool.Pool, n int) ([]string, error) {
	rows, err := pool.Query(ctx, "SELECT post_id::text FROM tb_comment GROUP BY post_id ORDER BY count(*) DESC, post_id LIMIT $1", n)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func (r *reader) ask(ctx context.Context, id string) error {
	body, err := json.Marshal(map[string]any{"query": readerQuery, "variables": map[string]string{"id": id}})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || bytes.Contains(answer, []byte(`"errors"`)) {
		return fmt.Errorf("%s: %.300s", res.Status, answer)
	}
	return nil
}
