package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"freshet/projector"
)

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
	s.handleStatus(mux)
	mux.Handle("GET /{$}", http.RedirectHandler("/status", http.StatusFound))
	return mux
}

func text(w http.ResponseWriter, code int, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(line + "\n")) // a client that left has no use for it
}
