package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"freshet/api"
)

// bare is an HTTP server that does nothing but write: the answers given, in
// turn, or what one statement on a pooled connection yields.
type bare struct {
	Answers [][]byte
	URL     string // of the database; empty: Answers are written
	// List, if positive, makes the statement one for 20 posts from the time in
	// the path on, and is how many bytes of them are written.
	List int
}

// serve prints its address, and serves until ctx ends.
func (b bare) serve(ctx context.Context, stdout io.Writer) error {
	handler, stop, err := b.handler(ctx)
	if err != nil {
		return err
	}
	defer stop()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, l.Addr())
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (b bare) handler(ctx context.Context) (h http.HandlerFunc, stop func(), err error) {
	if b.URL == "" {
		return b.constant(), func() {}, nil
	}
	cfg, err := api.PoolConfig(b.URL)
	if err != nil {
		return nil, nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	if b.List > 0 {
		return b.listed(pool), pool.Close, nil
	}
	return selected(pool), pool.Close, nil
}

// constant writes the answers in turn.
func (b bare) constant() http.HandlerFunc {
	var next atomic.Uint64
	return func(w http.ResponseWriter, _ *http.Request) {
		write(w, b.Answers[next.Add(1)%uint64(len(b.Answers))])
	}
}

// selected writes the document whose key the path is.
func selected(pool *pgxpool.Pool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var data []byte
		err := pool.QueryRow(r.Context(), "SELECT data FROM tv_post WHERE id = $1", r.URL.Path[1:]).Scan(&data)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		write(w, data)
	}
}

// listed writes as much of 20 documents as the answers that it is compared with
// have.
func (b bare) listed(pool *pgxpool.Pool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		rows, err := pool.Query(r.Context(), "SELECT data FROM tv_post WHERE created_at < $1 ORDER BY created_at DESC, id DESC LIMIT 20", r.URL.Path[1:])
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer rows.Close()
		var out []byte
		for rows.Next() {
			out = append(out, rows.RawValues()[0]...)
		}
		if rows.Err() != nil {
			http.Error(w, rows.Err().Error(), http.StatusInternalServerError)
			return
		}
		write(w, out[:min(len(out), b.List)])
	}
}

func write(w http.ResponseWriter, body []byte) {
	w.Header()["Content-Type"] = []string{"application/json"}
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	_, _ = w.Write(body) // a client that left has no use for it
}
