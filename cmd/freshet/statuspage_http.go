package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"strings"
	"time"

	"freshet/projector"
)

// viewerTimeout is how long a viewer may take to read one event.
const viewerTimeout = 5 * time.Second

//go:embed statuspage
var pageFiles embed.FS

//go:embed status.html
var statusHTML string

var statusPage = template.Must(template.New("status").Parse(statusHTML))

// pageAssets are served beside the page, by their path.
var pageAssets = []struct{ path, file, kind string }{
	{"/status/page.js", "statuspage/page.js", "text/javascript; charset=utf-8"},
	{"/status/charts.js", "statuspage/charts.js", "text/javascript; charset=utf-8"},
	{"/status/page.css", "statuspage/page.css", "text/css; charset=utf-8"},
	{"/status/icon.svg", "statuspage/icon.svg", "image/svg+xml"},
	{"/status/schema.json", "statuspage/schema.json", "application/schema+json"},
}

// pagePolicy lets the page load nothing but its own files.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// adminPart serves the admin address, and keeps the board that /status shows.
// The board ends with the first word of the end, so that streams of events do
// not hold up the drain.
func (s *service) adminPart(l net.Listener) part {
	serve := httpPart("admin", l, s.adminHandler(), s.adminTLS, s.log)
	return part{name: serve.name, run: func(ctx context.Context) error {
		own, cancel := context.WithCancel(ctx)
		kept := make(chan error, 1)
		go func() { kept <- s.board.run(own, s.counters) }()
		err := serve.run(ctx)
		cancel()
		<-kept // ends by its context alone
		return err
	}}
}

// counters are the engine's, all zero without one.
func (s *service) counters() projector.Status {
	if s.engine == nil {
		return projector.Status{}
	}
	return s.engine.Status()
}

func (s *service) handleStatus(mux *http.ServeMux) {
	mux.HandleFunc("GET /status", s.serveStatus)
	mux.HandleFunc("GET /status/events", s.serveEvents)
	for _, a := range pageAssets {
		body, err := pageFiles.ReadFile(a.file)
		if err != nil {
			panic(err) // they are embedded
		}
		mux.HandleFunc("GET "+a.path, func(w http.ResponseWriter, _ *http.Request) {
			guard(w, "no-cache")
			w.Header().Set("Content-Type", a.kind)
			_, _ = w.Write(body) // a client that left has no use for it
		})
	}
}

func guard(w http.ResponseWriter, caching string) {
	h := w.Header()
	h.Set("Cache-Control", caching)
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
}

// readFilter reads ?model=Post&failed=true.
func readFilter(r *http.Request) logFilter {
	q := r.URL.Query()
	return logFilter{Model: q.Get("model"), Failed: q.Get("failed") == "true"}
}

// serveStatus answers a browser with a page and everyone else with JSON.
func (s *service) serveStatus(w http.ResponseWriter, r *http.Request) {
	guard(w, "no-store")
	w.Header().Set("Vary", "Accept")
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		s.servePage(w)
		return
	}
	v, err := s.board.join(readFilter(r))
	if err != nil {
		full(w)
		return
	}
	defer s.board.leave(v)
	s.board.recent(r.Context(), v)
	p, _ := s.snapshot(v.filter, 0)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Link", `</status/schema.json>; rel="describedby"`)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(p) // a client that left has no use for it
}

// servePage writes the page as it can be without script, and without waiting.
func (s *service) servePage(w http.ResponseWriter) {
	var page bytes.Buffer
	p, _ := s.snapshot(logFilter{}, 0)
	if err := statusPage.Execute(&page, p); err != nil {
		text(w, http.StatusInternalServerError, "the page cannot be made")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page.Bytes()) // as above
}

// snapshot is the status with the samples from number n on, and the number of
// the next.
func (s *service) snapshot(f logFilter, n int64) (processStatus, int64) {
	p := s.status()
	n = s.board.complete(&p, f, n)
	return p, n
}

func full(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "10")
	text(w, http.StatusServiceUnavailable, fmt.Sprintf("%d are looking already; try again, or close another page", maxViewers))
}

// serveEvents sends the status as server-sent events: one at once with the
// whole history, then one about each second with what is new in it. Event
// "bye" is the last of a process that ends in good order.
func (s *service) serveEvents(w http.ResponseWriter, r *http.Request) {
	v, err := s.board.join(readFilter(r))
	if err != nil {
		full(w)
		return
	}
	defer s.board.leave(v)
	guard(w, "no-store")
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	stream := &eventStream{w: w, c: http.NewResponseController(w)}
	s.follow(r.Context(), v, stream)
}

func (s *service) follow(ctx context.Context, v *viewer, stream *eventStream) {
	var n int64
	for {
		var p processStatus
		p, n = s.snapshot(v.filter, n)
		if stream.send("status", p) != nil {
			return
		}
		select {
		case <-v.wake:
		case <-ctx.Done():
			return
		case <-s.board.done:
			_ = stream.send("bye", struct{}{}) // a client that left has no use for it
			return
		}
	}
}

// eventStream writes server-sent events, each within a time.
type eventStream struct {
	w http.ResponseWriter
	c *http.ResponseController
}

func (e *eventStream) send(kind string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := e.c.SetWriteDeadline(time.Now().Add(viewerTimeout)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(e.w, "event: %s\nretry: 3000\ndata: %s\n\n", kind, data); err != nil {
		return err
	}
	return e.c.Flush()
}
