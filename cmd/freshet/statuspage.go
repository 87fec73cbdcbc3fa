package main

import (
	"time"

	"freshet/api"
	"freshet/cache"
	"freshet/projector"
	"freshet/projector/status"
)

// processStatus is what /status says. /status/schema.json describes it to
// programs; a field may be added to it, none changes its meaning.
//
// What comes from this process (Projector, API, Freshness, History) is of the
// moment. What comes from the database is read while somebody looks, at most
// once a second however many look; Database says how old it is. A part that the
// process does not run is left out.
type processStatus struct {
	Version   string           `json:"version"`
	Started   time.Time        `json:"started"`
	Now       time.Time        `json:"now"`
	Ready     bool             `json:"ready"`
	Reason    string           `json:"reason,omitempty"` // why it is not ready
	Summary   summary          `json:"summary"`
	Projector *projectorStatus `json:"projector,omitempty"`
	API       *apiStatus       `json:"api,omitempty"`
	Lag       lagStatus        `json:"lag"`
	Freshness freshness        `json:"freshness"`
	// History are samples of one second each, the oldest first: the last five
	// minutes. An event of /status/events has only those since the one before.
	History  []sample       `json:"history"`
	Database databaseStatus `json:"database"`
	Filter   logFilter      `json:"filter"`
	// Log are the last rows of sync_log that pass Filter, the newest first.
	Log []logRow `json:"log"`
}

// level says how bad it is; the page has a colour for each, and Word beside it.
type level string

const (
	levelOK   level = "ok"
	levelBusy level = "busy" // at work on what will end by itself
	levelWarn level = "warn" // served, but somebody should look
	levelBad  level = "bad"  // documents are not kept fresh, or soon will not be
)

// summary is the state in words.
type summary struct {
	Level level  `json:"level"`
	Word  string `json:"word"` // such as "Streaming" or "Lost slot"
	Text  string `json:"text"` // a plain sentence
	// Notes are further sentences on what is not as it should be.
	Notes []string `json:"notes"`
}

type projectorStatus struct {
	projector.Status
	Received  string             `json:"receivedLsn"`
	Applied   string             `json:"appliedLsn"`
	Confirmed string             `json:"confirmedLsn"`
	Watermark string             `json:"watermark"`
	Complete  string             `json:"complete"` // the watermark without what fan-outs have put off
	Backfill  []backfillProgress `json:"backfill"` // while one is under way
}

// backfillProgress is one read model's first fill.
type backfillProgress struct {
	Model       string   `json:"model"`
	Documents   int64    `json:"documents"`
	Estimate    int64    `json:"estimate"` // in all; -1: unknown
	Done        bool     `json:"done"`
	SecondsLeft *float64 `json:"secondsLeft"` // null: unknown yet
}

type apiStatus struct {
	Feed      cache.FeedState          `json:"feed"`
	Watermark string                   `json:"watermark"`
	Complete  string                   `json:"complete"`
	Lagging   map[string]laggingStatus `json:"lagging"`
	HitRate   float64                  `json:"hitRate"` // 0 to 1, since the start
	Cache     cache.Stats              `json:"cache"`   // all models together
	Models    map[string]cache.Stats   `json:"models"`  // documents
	Pages     map[string]cache.Stats   `json:"pages"`   // of lists
	Pool      *poolStatus              `json:"pool,omitempty"`

	Subscriptions api.SubscriptionStats `json:"subscriptions"`
}

// laggingStatus is why a read model is not as fresh as the watermark.
type laggingStatus struct {
	Since  string `json:"since"`  // the first commit that its documents may lack
	Reason string `json:"reason"` // fan-out, refill, paused
}

// poolStatus is the API's connection pool.
type poolStatus struct {
	InUse  int32 `json:"inUse"`
	Idle   int32 `json:"idle"`
	Max    int32 `json:"max"`
	Waited int64 `json:"waited"` // requests, since the start, that found no free connection
}

// lagStatus is how far the documents are behind the server's log. Null:
// unknown, or nobody has read the database yet.
type lagStatus struct {
	Bytes *int64 `json:"bytes"` // of WAL
	// Seconds is at most the age of the oldest commit not in the documents.
	Seconds *float64 `json:"seconds"`
	// Commits are those received and not applied. Only none can be told.
	Commits *int64 `json:"commits"`
	// SecondsLeft is when a backlog will have been read, at the pace of the
	// last ten seconds.
	SecondsLeft *float64 `json:"secondsLeft"`
}

// databaseStatus is the last reading of the database.
type databaseStatus struct {
	Reachable  bool             `json:"reachable"`       // by the last try; false before the first
	Error      string           `json:"error,omitempty"` // of the last try
	ReadAt     *time.Time       `json:"readAt"`          // when State was read; null never
	AgeSeconds *float64         `json:"ageSeconds"`      // of State
	State      *status.Database `json:"state"`           // the last that could be read
}

// status collects what the parts of the process say, without waiting for any.
func (s *service) status() processStatus {
	p := processStatus{Version: buildVersion(), Started: s.started, Now: time.Now(), History: []sample{}, Log: []logRow{}}
	p.Ready, p.Reason = s.ready()
	if s.engine != nil {
		e := s.engine.Status()
		p.Projector = &projectorStatus{Status: e, Received: e.Received.String(), Applied: e.Applied.String(),
			Confirmed: e.Confirmed.String(), Watermark: e.Watermark.String(), Complete: e.Complete.String(), Backfill: []backfillProgress{}}
	}
	if s.graph != nil {
		p.API = s.graph.status()
	}
	return p
}

func (g *graph) status() *apiStatus {
	f, total := g.feed.State(), g.total()
	a := &apiStatus{Feed: f, Watermark: f.Watermark.String(), Complete: f.Complete.String(), Lagging: map[string]laggingStatus{},
		HitRate: total.HitRate(), Cache: total, Models: g.server.CacheStats(), Pages: g.server.PageStats(), Subscriptions: g.server.SubscriptionStats()}
	for model, l := range f.Lags {
		a.Lagging[model] = laggingStatus{l.Since.String(), l.Reason}
	}
	if g.pool != nil {
		st := g.pool.Stat()
		a.Pool = &poolStatus{InUse: st.AcquiredConns(), Idle: st.IdleConns(), Max: st.MaxConns(), Waited: st.EmptyAcquireCount()}
	}
	return a
}
