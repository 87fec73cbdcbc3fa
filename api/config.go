package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgxpool"

	"freshet/api/live"
	"freshet/api/served"
	"freshet/cache"
	"freshet/model"
)

// Layout is the physical form of a read model, as freshet.models keeps it.
type Layout = served.Layout

// LayoutColumn is a typed column of a tv_* table.
type LayoutColumn = served.LayoutColumn

// Feed tells how fresh the cache is: a cache.Feed.
type Feed interface {
	Watermark() pglogrepl.LSN
	// Lags are the models that are not as fresh as a Watermark read before; nil
	// if there are none. It is asked by each request.
	Lags() cache.Lags
	// Wait returns once the watermark is at or past lsn, or with an error when ctx ends.
	Wait(ctx context.Context, lsn pglogrepl.LSN) error
	// WaitModels returns once all documents of the models are as fresh as lsn.
	// Its error is a cache.LagError where one of them is not.
	WaitModels(ctx context.Context, lsn pglogrepl.LSN, models []string) error
	// Fresh says whether the feed has been heard of lately enough.
	Fresh() (ok bool, since time.Duration)
	Attach(cache.Invalidator)
}

// Marker writes markers into the WAL: a cache.Marker. Every commit that was
// visible before LSN was called lies below the LSN that it returns.
type Marker interface {
	LSN(ctx context.Context) (pglogrepl.LSN, error)
	// Want asks for documents that lag behind the watermark, as keys by model:
	// they are as fresh as the watermark was once it is at or past the LSN that
	// it returns. The keys are the caller's, and not to be kept.
	Want(ctx context.Context, keys map[string][]string) (pglogrepl.LSN, error)
}

// Config configures a Server. Model, Layouts and either Pool or Store are
// required; the rest has defaults.
type Config struct {
	Model   *model.Model
	Layouts []Layout
	// Pool reads from the database: see PoolConfig.
	Pool *pgxpool.Pool
	// Store takes the place of Pool, for tests.
	Store Store
	// Slot names the checkpoint whose watermark counts. Default "freshet".
	Slot string

	// CacheBytes bounds the documents held, 0 for none. It needs a Feed, which
	// keeps them right.
	CacheBytes int64
	// Feed tells how fresh the cache is. Without it every read goes to the
	// database.
	Feed Feed
	// Marker is needed for Freshet-Consistency: strong, and to read documents
	// that a large change has not come to yet.
	Marker Marker
	// WaitTimeout is how long a request waits for the freshness that it asks
	// for. Default 200 ms.
	WaitTimeout time.Duration

	RequestTimeout time.Duration // from the first read on; default 30 s
	BodyTimeout    time.Duration // for a request's body to come in; default 30 s
	MaxBody        int64         // bytes of a request's body; default 1 MiB
	MaxTokens      int           // of a query; default 10,000
	MaxDepth       int           // levels of fields; default 15
	MaxAliases     int           // default 100
	MaxFields      int           // of a query with its fragments spread; default 5,000
	DefaultPage    int           // first, where a list has neither first nor last; default 20
	MaxPage        int           // elements of a page, and keys of a look-up of many; default 100
	MaxOffset      int           // of a plain list; default 10,000
	MaxComplexity  int           // values that a query could yield, with the pages it asks for; default 100,000

	MaxConcurrent int           // requests answered at once; default 256
	MaxQueued     int           // requests that wait; beyond, 503; default 1,024
	QueueTimeout  time.Duration // for which one waits, then 503; default 5 s
	// Client names whom a request is from: clients that wait take turns. By
	// default it is the address of the other end of the connection.
	Client func(*http.Request) string

	MaxSubscriptions int           // at once; default 20,000
	MaxConnections   int           // WebSockets and event streams at once; default 20,000
	MaxOperations    int           // at once on one WebSocket; default 100
	MaxMessage       int64         // bytes of a client's message on a WebSocket; default 128 KiB
	InitTimeout      time.Duration // for a client to begin on a WebSocket; default 10 s
	KeepAlive        time.Duration // between signs of life on WebSockets and event streams; default 20 s

	// NoIntrospection refuses queries for the schema, and suggests no names.
	NoIntrospection bool
	// NoSuggestions leaves out of messages which names may have been meant.
	NoSuggestions bool

	// PersistedBytes is the memory for automatic persisted queries: default 8
	// MiB, and none if negative.
	PersistedBytes int
	// Documents are trusted documents by their id: see ParseDocuments.
	Documents map[string]string
	// DocumentsOnly refuses all queries but those.
	DocumentsOnly bool

	// GlobalIDs serves node(id:), and a nodeId of each document.
	GlobalIDs bool

	// Origins are those whose pages may read answers in a browser (CORS):
	// "https://app.example", or "*" for all. None by default.
	Origins []string

	// OnError is told what clients are not: the causes of failed reads, and
	// panics.
	OnError func(ctx context.Context, err error)
	// Observe is called after each request.
	Observe func(RequestInfo)
}

// RequestInfo is what is to be counted of a request.
type RequestInfo struct {
	Operation string // its name; empty if it has none
	Status    int    // of HTTP
	Duration  time.Duration
	Waited    time.Duration // of it, for the freshness asked for
	Queries   int           // reads that the cache did not answer
	Errors    int
	Bytes     int
	LSN       pglogrepl.LSN // that it was served at
	Bypass    bool          // the cache was not trusted
	Stale     bool          // older than asked for, as the caller allows
}

// withDefaults checks the configuration and fills in what is left out.
func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Model == nil:
		return c, errors.New("api: Config.Model is required")
	case c.Pool == nil && c.Store == nil:
		return c, errors.New("api: Config.Pool is required")
	case c.CacheBytes > 0 && c.Feed == nil:
		return c, errors.New("api: a cache needs Config.Feed: nothing else keeps it right")
	}
	if c.DocumentsOnly && len(c.Documents) == 0 {
		return c, errors.New("api: Config.DocumentsOnly without Documents would refuse everything")
	}
	if err := checkOrigins(c.Origins); err != nil {
		return c, err
	}
	if c.Slot == "" {
		c.Slot = "freshet"
	}
	defaultTo(&c.WaitTimeout, 200*time.Millisecond)
	defaultTo(&c.RequestTimeout, 30*time.Second)
	defaultTo(&c.BodyTimeout, 30*time.Second)
	defaultTo(&c.MaxBody, 1<<20)
	defaultTo(&c.MaxTokens, 10_000)
	defaultTo(&c.MaxDepth, 15)
	defaultTo(&c.MaxAliases, 100)
	defaultTo(&c.MaxFields, 5000)
	defaultTo(&c.DefaultPage, 20)
	defaultTo(&c.MaxPage, 100)
	defaultTo(&c.MaxOffset, 10_000)
	defaultTo(&c.MaxComplexity, 100_000)
	defaultTo(&c.MaxConcurrent, 256)
	defaultTo(&c.MaxQueued, 1024)
	defaultTo(&c.QueueTimeout, 5*time.Second)
	defaultTo(&c.MaxSubscriptions, live.DefaultMax)
	defaultTo(&c.MaxConnections, 20_000)
	defaultTo(&c.MaxOperations, 100)
	defaultTo(&c.MaxMessage, 128<<10)
	defaultTo(&c.InitTimeout, 10*time.Second)
	defaultTo(&c.KeepAlive, 20*time.Second)
	if c.PersistedBytes == 0 {
		c.PersistedBytes = 8 << 20
	}
	if c.Client == nil {
		c.Client = remoteHost
	}
	c.DefaultPage = min(c.DefaultPage, c.MaxPage)
	return c, nil
}

func defaultTo[T int | int64 | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// Pool sizes and the statement timeout that PoolConfig sets.
const (
	MinConns         = 5
	MaxConns         = 20
	StatementTimeout = 60 * time.Second
)

// sessionSettings make values come out and go in as documents have them.
var sessionSettings = map[string]string{
	"TimeZone": "UTC", "IntervalStyle": "iso_8601", "DateStyle": "ISO", "extra_float_digits": "1",
	"bytea_output": "hex", "jit": "off", "application_name": "freshet api",
}

// PoolConfig returns the configuration of a pool for a Server: sizes,
// statement timeout, and the session settings that documents rely on. What the
// URL itself sets is kept, but for those settings. Its error never has the
// password in it.
func PoolConfig(url string) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	cfg.MinConns, cfg.MaxConns = MinConns, MaxConns
	params := cfg.ConnConfig.RuntimeParams
	if _, ok := params["statement_timeout"]; !ok {
		params["statement_timeout"] = fmt.Sprint(StatementTimeout.Milliseconds())
	}
	for name, value := range sessionSettings {
		params[name] = value
	}
	return cfg, nil
}

// LoadLayouts reads the layouts of all read models from freshet.models.
func LoadLayouts(ctx context.Context, pool *pgxpool.Pool) ([]Layout, error) {
	rows, err := pool.Query(ctx, "SELECT layout::text FROM freshet.models ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("read the layouts in freshet.models: %w", err)
	}
	defer rows.Close()
	var layouts []Layout
	for rows.Next() {
		var text string
		var l Layout
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("read the layouts in freshet.models: %w", err)
		}
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			return nil, fmt.Errorf("a layout in freshet.models: %w", err)
		}
		layouts = append(layouts, l)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the layouts in freshet.models: %w", err)
	}
	return layouts, nil
}
