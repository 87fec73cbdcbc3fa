package main

import (
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"freshet/cache"
	"freshet/projector"
)

// processStatus is what /status says of this process. A part that it does not
// run is left out.
type processStatus struct {
	Version   string           `json:"version"`
	Started   time.Time        `json:"started"`
	Now       time.Time        `json:"now"`
	Ready     bool             `json:"ready"`
	Reason    string           `json:"reason,omitempty"` // why it is not ready
	Projector *projectorStatus `json:"projector,omitempty"`
	API       *apiStatus       `json:"api,omitempty"`
}

type projectorStatus struct {
	projector.Status
	Received  string `json:"receivedLsn"`
	Applied   string `json:"appliedLsn"`
	Confirmed string `json:"confirmedLsn"`
	Watermark string `json:"watermark"`
}

type apiStatus struct {
	Feed      cache.FeedState `json:"feed"`
	Watermark string          `json:"watermark"`
	HitRate   float64         `json:"hitRate"`
	Cache     cache.Stats     `json:"cache"`
}

// status collects what the parts of the process say.
func (s *service) status() processStatus {
	p := processStatus{Version: buildVersion(), Started: s.started, Now: time.Now()}
	p.Ready, p.Reason = s.ready()
	if s.engine != nil {
		e := s.engine.Status()
		p.Projector = &projectorStatus{Status: e, Received: e.Received.String(), Applied: e.Applied.String(),
			Confirmed: e.Confirmed.String(), Watermark: e.Watermark.String()}
	}
	if s.graph != nil {
		f, c := s.graph.feed.State(), s.graph.total()
		p.API = &apiStatus{Feed: f, Watermark: f.Watermark.String(), HitRate: c.HitRate(), Cache: c}
	}
	return p
}

// ready says whether requests should be sent here, or why not. A projector
// that stands by is ready: it is there to take over.
func (s *service) ready() (bool, string) {
	if s.engine != nil {
		switch e := s.engine.Status(); e.State {
		case projector.Streaming, projector.Standby, projector.CatchingUp:
		default:
			return false, "the projector is " + string(e.State)
		}
	}
	if s.graph != nil {
		if fresh, _ := s.graph.feed.Fresh(); !fresh {
			return false, "the invalidation feed is not connected"
		}
	}
	return true, ""
}

func (s *service) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if ok, reason := s.ready(); !ok {
			text(w, http.StatusServiceUnavailable, reason)
			return
		}
		text(w, http.StatusOK, "ready")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /status", s.serveStatus)
	mux.Handle("GET /{$}", http.RedirectHandler("/status", http.StatusFound))
	return mux
}

func text(w http.ResponseWriter, code int, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(line + "\n")) // a client that left has no use for it
}

// serveStatus answers a browser with a page and everyone else with JSON.
func (s *service) serveStatus(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept")
	w.Header().Set("Cache-Control", "no-store")
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = statusPage.Execute(w, s.status()) // as above
		return
	}
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(s.status()) // as above
}

//go:embed status.html
var statusHTML string

var statusPage = template.Must(template.New("status").Funcs(template.FuncMap{
	"percent": func(f float64) float64 { return f * 100 },
	"since":   func(t time.Time) string { return time.Since(t).Round(time.Second).String() },
	"size":    size,
}).Parse(statusHTML))
