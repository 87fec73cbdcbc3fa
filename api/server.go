package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/introspection"
	"github.com/vektah/gqlparser/v2/ast"

	"freshet/api/document"
	"freshet/api/served"
	"freshet/api/validate"
	"freshet/cache"
)

// Server answers GraphQL requests. It is an http.Handler for /graphql and for
// GraphiQL at /. It starts no goroutine of its own; Close ends the reads
// that the cache has under way.
type Server struct {
	cfg     Config
	schema  *served.Schema
	rules   *validate.Schema
	store   Store
	docs    *cache.Cache[*document.Document]
	pages   *cache.Pages[*document.Document, *listPage]
	loads   []cache.Load[*document.Document] // by Type.ID
	queries *queries
	meta    *introspection.Schema
	runs    sync.Pool
	lsn     lsnHeader
	gate    *gate
	apq     *apq
	trusted map[string]bool // the hashes of Config.Documents
	live    subscriptions
	stored  []*served.Type // by Type.ID
	graphql http.Handler
	mux     *http.ServeMux
}

// New returns a Server. It attaches its cache to the feed, so that it must be
// called before the feed runs.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	schema, err := served.New(cfg.Model, cfg.Layouts, served.Options{GlobalIDs: cfg.GlobalIDs})
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	s := &Server{cfg: cfg, schema: schema, rules: validate.NewSchema(schema.AST), store: cfg.Store, queries: newQueries(), meta: introspection.WrapSchema(schema.AST)}
	if s.store == nil {
		s.store = newPGStore(cfg.Pool, cfg.Slot, schema)
	}
	s.gate = newGate(cfg.MaxConcurrent, cfg.MaxQueued, cfg.QueueTimeout)
	s.apq, s.trusted = newAPQ(max(0, cfg.PersistedBytes)), trustedHashes(cfg.Documents)
	s.makeCache()
	s.makeSubscriptions()
	s.runs.New = func() any { return &run{s: s} }
	s.graphql = s.cors(s.transports())
	s.mux = http.NewServeMux()
	s.mux.Handle("/graphql", s.graphql)
	g := newGraphiQL()
	s.mux.HandleFunc("GET /{$}", g.servePage)
	s.mux.HandleFunc("GET /graphiql/{file}", g.serveFile)
	return s, nil
}

func (s *Server) transports() http.Handler {
	h := handler.New(s.Executable())
	h.AddTransport(webSocket{s})
	h.AddTransport(post{s})
	h.AddTransport(get{s})
	h.AddTransport(otherMethods{s})
	return h
}

func (s *Server) makeCache() {
	options := cache.Options[*document.Document]{
		Bytes:       s.cfg.CacheBytes,
		Cost:        (*document.Document).Size,
		LoadTimeout: s.cfg.RequestTimeout,
	}
	if s.cfg.Feed != nil {
		options.Watermark = s.cfg.Feed.Watermark
	}
	s.docs = cache.New(options)
	s.pages = cache.NewPages(s.docs, cache.PageOptions[*listPage]{Cost: (*listPage).size, Keep: (*listPage).keys})
	if s.cfg.Feed != nil {
		s.cfg.Feed.Attach(s.docs)
	}
	s.loads = make([]cache.Load[*document.Document], len(s.schema.Types))
	for _, t := range s.schema.Types {
		if t.Stored() {
			s.loads[t.ID] = s.loader(t)
		}
	}
}

// ServeHTTP serves /graphql and GraphiQL at /.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// GraphQL returns the handler of /graphql alone.
func (s *Server) GraphQL() http.Handler { return s.graphql }

// Schema returns the served schema.
func (s *Server) Schema() *ast.Schema { return s.schema.AST }

// SDL returns the served schema as text.
func (s *Server) SDL() string { return s.schema.SDL }

// CacheStats returns the counters of the cache's documents, by type.
func (s *Server) CacheStats() map[string]cache.Stats { return s.docs.Stats() }

// PageStats returns the counters of the cache's pages of lists, by type.
func (s *Server) PageStats() map[string]cache.Stats { return s.docs.PageStats() }

// CacheTotal returns the counters of the cache, of all types together: documents
// and pages.
func (s *Server) CacheTotal() cache.Stats { return s.docs.Total() }

// Close ends what subscriptions are left, cancels the reads that the cache has
// under way, and waits for them. The HTTP server should have been shut down before.
func (s *Server) Close(ctx context.Context) error {
	err := s.closeSubscriptions(ctx)
	if failed := s.docs.Close(ctx); failed != nil {
		err = errors.Join(err, fmt.Errorf("close the cache: %w", failed))
	}
	return err
}

// metaType returns a type of the served schema for __type, or nil.
func (s *Server) metaType(name string) *introspection.Type {
	return introspection.WrapTypeFromDef(s.schema.AST, s.schema.AST.Types[name])
}

// run returns a run that is ready for use.
func (s *Server) run(ctx context.Context) *run {
	r := s.runs.Get().(*run)
	r.ctx = ctx
	return r
}

// maxKept bounds the buffer that a run keeps for its next use.
const maxKept = 1 << 20

// release takes a run back.
func (s *Server) release(r *run) {
	if cap(r.out) > maxKept {
		r.out = nil
	}
	r.reset()
	s.runs.Put(r)
}

// recovered reports a panic.
func (s *Server) recovered(ctx context.Context, v any) {
	if s.cfg.OnError != nil {
		s.cfg.OnError(ctx, fmt.Errorf("panic while answering a request: %v\n%s", v, debug.Stack()))
	}
}
