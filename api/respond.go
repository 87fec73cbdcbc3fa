package api

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Content types of answers, as headers have them.
var (
	mediaJSON    = []string{"application/json; charset=utf-8"}
	mediaGraphQL = []string{"application/graphql-response+json; charset=utf-8"}
	headerTrue   = []string{"true"}
)

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// negotiate chooses the answer's media type by the Accept header. Without any
// preference it is application/json.
func (x *exchange) negotiate() *refusal {
	x.media = mediaJSON
	accept := x.r.Header["Accept"]
	if len(accept) == 0 || len(accept) == 1 && (accept[0] == "*/*" || accept[0] == "application/json") {
		return nil
	}
	json, graphQL := acceptable(strings.Join(accept, ","))
	switch {
	case graphQL > 0 && graphQL >= json:
		x.media, x.strict = mediaGraphQL, true
	case json == 0:
		return refuse(http.StatusNotAcceptable, "Answers are application/graphql-response+json or application/json.")
	}
	return nil
}

// acceptable returns the weights that an Accept header gives to application/json
// and to application/graphql-response+json; a wildcard means the former.
func acceptable(accept string) (json, graphQL float64) {
	for _, part := range strings.Split(accept, ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q := 1.0
		if v, err := strconv.ParseFloat(params["q"], 64); err == nil {
			q = v
		}
		switch media {
		case "application/graphql-response+json":
			graphQL = max(graphQL, q)
		case "application/json", "application/*", "*/*":
			json = max(json, q)
		}
	}
	return json, graphQL
}

// write sends the answer that the run has written.
func (x *exchange) write(s *Server) {
	h := x.w.Header()
	if x.run.lsn != maxLSN {
		h[HeaderLSN] = s.lsn.of(x.run.lsn)
	}
	if x.run.stale {
		h[HeaderStale] = headerTrue
	}
	x.send(http.StatusOK, x.run.out)
}

// refuse sends an answer without data.
func (x *exchange) refuse(r *refusal) {
	if x.status != 0 {
		return // the answer is under way already
	}
	if x.media == nil {
		x.media = mediaJSON
	}
	x.errs = len(r.errs)
	out := append(x.run.out[:0], `{"errors":`...)
	out = append(appendErrors(out, r.errs), '}')
	x.run.out = out
	if r.status == http.StatusServiceUnavailable {
		x.w.Header().Set("Retry-After", "1")
	}
	x.send(r.status, out)
}

// sendsLength is the size from which net/http would not tell the length by
// itself, and would send chunks.
const sendsLength = 2048

func (x *exchange) send(status int, body []byte) {
	h := x.w.Header()
	h["Content-Type"] = x.media
	if len(body) >= sendsLength {
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	x.status = status
	if status != http.StatusOK {
		h.Set("X-Content-Type-Options", "nosniff")
		x.w.WriteHeader(status)
	}
	// A client that is gone is nobody's error.
	_, _ = x.w.Write(body)
}

// finish tells of the request and makes the exchange ready for its next use.
func (s *Server) finish(x *exchange) {
	if s.cfg.Observe != nil {
		info := RequestInfo{
			Operation: x.name, Status: x.status, Duration: time.Since(x.began), Waited: x.waited,
			Queries: x.run.queries, Errors: x.errs, Bytes: len(x.run.out), LSN: x.run.lsn,
			Bypass: x.run.bypass, Stale: x.run.stale,
		}
		if info.LSN == maxLSN {
			info.LSN = 0
		}
		s.cfg.Observe(info)
	}
	s.release(x.run)
	if cap(x.body) > maxKept {
		x.body = nil
	}
	if cap(x.text) > maxKept {
		x.text = nil
	}
	*x = exchange{body: x.body[:0], text: x.text[:0], opName: x.opName[:0]}
	exchanges.Put(x)
}
