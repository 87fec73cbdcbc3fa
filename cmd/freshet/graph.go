package main

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"freshet/api"
	"freshet/cache"
	"freshet/model"
)

// graph is the API of a process and what it reads from.
type graph struct {
	pool   *pgxpool.Pool
	feed   *cache.Feed
	marker *cache.Marker
	server *api.Server
}

// addGraph wires pool, feed, cache and API; nothing runs yet but the pool.
func (s *service) addGraph(ctx context.Context, cfg *pgx.ConnConfig, m *model.Model, g *apiFlags) error {
	pool, err := openPool(ctx, cfg)
	if err != nil {
		return err
	}
	s.graph = &graph{pool: pool, marker: cache.NewMarker(pool)}
	layouts, err := s.layouts(ctx, cfg)
	if err != nil {
		return err
	}
	s.graph.feed, err = cache.NewFeed(cache.FeedConfig{
		Connect: func(ctx context.Context) (*pgx.Conn, error) { return feedConn(ctx, cfg) },
		Slot:    s.app.cli.Slot,
		Events:  feedEvents(s.log.Named("feed")),
	})
	if err != nil {
		return err
	}
	if g.DocumentsOnly && g.Documents == "" {
		return usagef("name their file with --documents", "--documents-only without trusted documents would refuse every request")
	}
	documents, err := readDocuments(g.Documents)
	if err != nil {
		return err
	}
	log := s.log.Named("api")
	config := api.Config{
		Model: m, Layouts: layouts, Pool: pool, Slot: s.app.cli.Slot,
		CacheBytes: g.CacheBytes, Feed: s.graph.feed, Marker: s.graph.marker,
		Origins: g.Origins, Documents: documents, DocumentsOnly: g.DocumentsOnly, NoIntrospection: !g.Introspection,
		GlobalIDs: g.GlobalIDs, MaxConcurrent: g.MaxConcurrent, MaxComplexity: g.MaxComplexity, WaitTimeout: g.WaitTimeout,
		OnError: func(_ context.Context, err error) {
			log.Error("a request failed", zap.String("error", oneLine(explain(err))))
		},
		Observe: s.metrics.request,
	}
	g.liveFlags.set(&config)
	s.graph.server, err = api.New(config)
	return err
}

// readDocuments reads the file of trusted documents, if there is one.
func readDocuments(path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("check --documents", "read the trusted documents: %s", err)
	}
	documents, err := api.ParseDocuments(data)
	if err != nil {
		return nil, usagef("check --documents", "%s: %s", path, err)
	}
	return documents, nil
}

// openPool connects once, so that what is wrong shows at the start.
func openPool(ctx context.Context, cfg *pgx.ConnConfig) (*pgxpool.Pool, error) {
	pc, err := api.PoolConfig(cfg.ConnString())
	if err != nil {
		return nil, usagef("check --database-url", "the database URL cannot be read") // it could before
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("open the connection pool: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, explain(err)
	}
	return pool, nil
}

func feedConn(ctx context.Context, cfg *pgx.ConnConfig) (*pgx.Conn, error) {
	own := cfg.Copy()
	own.RuntimeParams["application_name"] = "freshet feed"
	return pgx.ConnectConfig(ctx, own)
}

// layouts reads how the tables are laid out, as the last migration made them.
func (s *service) layouts(ctx context.Context, cfg *pgx.ConnConfig) ([]api.Layout, error) {
	var installed bool
	err := s.graph.pool.QueryRow(ctx, "SELECT to_regclass('freshet.models') IS NOT NULL").Scan(&installed)
	if err != nil {
		return nil, fmt.Errorf("look for Freshet's tables: %w", err)
	}
	if !installed {
		return nil, &explained{
			message: fmt.Sprintf("database %s has no Freshet tables", cfg.Database),
			remedy:  "freshet migrate --apply makes them, and freshet projector fills them",
		}
	}
	return api.LoadLayouts(ctx, s.graph.pool)
}

// feedEvents logs connections lost and found. Before the first one is made
// the feed waits for the projector's first start, which is no news.
func feedEvents(log *zap.Logger) cache.FeedEvents {
	var connected atomic.Bool
	return cache.FeedEvents{
		Connected: func(w pglogrepl.LSN) {
			connected.Store(true)
			log.Info("following the invalidation feed", zap.Stringer("watermark", w))
		},
		Retry: func(err error, wait time.Duration) {
			level := zap.DebugLevel
			if connected.Load() {
				level = zap.WarnLevel
			}
			log.Log(level, "lost the invalidation feed, will try again", zap.String("error", oneLine(explain(err))), zap.Duration("wait", wait))
		},
		Reset: func(reason string) { log.Warn("everything cached was forgotten", zap.String("reason", reason)) },
	}
}

// total are the cache's counters over all types, documents and pages.
func (g *graph) total() cache.Stats { return g.server.CacheTotal() }

// pages are those of the pages alone.
func (g *graph) pages() cache.Stats {
	var sum cache.Stats
	for _, s := range g.server.PageStats() {
		sum = sum.Add(s)
	}
	return sum
}

// close ends what is left once the parts have ended.
func (g *graph) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if g.server != nil {
		_ = g.server.Close(ctx) // reads still under way end with the pool
	}
	_ = g.marker.Close(ctx) // likewise
	g.pool.Close()
}
