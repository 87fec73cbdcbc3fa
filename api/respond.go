package api

import (
	"mime"
	"net/http"
	"slices"
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
// preference it is application/json, as all clients can read it. Errors of the
// request have the newer media type also where a client asks for the older
// one: GraphQL over HTTP has it so, as their status tells enough.
func (x *exchange) negotiate() *refusal {
	x.media = mediaJSON
	accept := x.r.Header["Accept"]
	if len(accept) == 0 || len(accept) == 1 && (accept[0] == "*/*" || accept[0] == "application/json") {
		return nil
	}
	w := acceptable(strings.Join(accept, ","))
	x.events = w.events > 0
	switch {
	case w.graphQL > 0 && (w.graphQL > w.json || w.graphQL == w.json && w.named):
		x.media, x.strict = mediaGraphQL, true
	case w.json == 0:
		if x.media = nil; x.events {
			return nil
		}
		return refuse(http.StatusNotAcceptable, "Answers are application/graphql-response+json or application/json.")
	}
	return nil
}

// weights are what an Accept header gives to the two media types.
type weights struct {
	json, graphQL float64
	named         bool    // the newer one, and not by a wildcard alone
	events        float64 // of an event stream, by its name
}

// ranges are the media ranges that matter, the more specific ones last.
var ranges = []string{"*/*", "application/*", "application/json", "application/graphql-response+json", "text/event-stream"}

// acceptable reads an Accept header. A more specific range overrides a wildcard.
func acceptable(accept string) (w weights) {
	var given [5]float64
	var have [5]bool
	for part := range strings.SplitSeq(accept, ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q := 1.0
		if v, err := strconv.ParseFloat(params["q"], 64); err == nil {
			q = v
		}
		if i := slices.Index(ranges, media); i >= 0 {
			given[i], have[i] = max(given[i], q), true
		}
	}
	for i := range 2 {
		if have[i] {
			w.json, w.graphQL = given[i], given[i]
		}
	}
	if have[2] {
		w.json = given[2]
	}
	if have[3] {
		w.graphQL, w.named = given[3], true
	}
	w.events = given[4]
	return w
}

// statusPartial is what GraphQL over HTTP has for an answer with both data and
// errors, in the newer media type only.
const statusPartial = 294

// write sends the answer that the run has written.
func (x *exchange) write(s *Server) {
	h := x.w.Header()
	if x.run.lsn != maxLSN {
		h[HeaderLSN] = s.lsn.of(x.run.lsn)
	}
	if x.run.stale {
		h[HeaderStale] = headerTrue
	}
	status := http.StatusOK
	if x.errs > 0 && x.strict {
		status = statusPartial
	}
	if x.safe && x.errs == 0 && x.unchanged() {
		x.status = http.StatusNotModified
		x.w.WriteHeader(x.status)
		return
	}
	x.send(status, x.media, x.run.out)
}

// refuse sends an answer without data.
func (x *exchange) refuse(r *refusal) {
	if x.status != 0 {
		return // the answer is under way already
	}
	if x.events && x.media == nil && r.status == http.StatusUnprocessableEntity {
		x.streamErrors(r)
		return
	}
	media := mediaGraphQL
	if x.media == nil {
		media = mediaJSON // nothing is acceptable
	}
	x.errs = len(r.errs)
	out := append(x.run.out[:0], `{"errors":`...)
	out = append(appendErrors(out, r.errs), '}')
	x.run.out = out
	if r.status == http.StatusServiceUnavailable {
		x.w.Header().Set("Retry-After", "1")
	}
	x.send(r.status, media, out)
}

// sendsLength is the size from which net/http would not tell the length by
// itself, and would send chunks.
const sendsLength = 2048

func (x *exchange) send(status int, media []string, body []byte) {
	h := x.w.Header()
	h["Content-Type"] = media
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
	if s.cfg.Observe != nil && !x.apart {
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
	*x = exchange{body: x.body[:0], text: x.text[:0], opName: x.opName[:0], docID: x.docID[:0]}
	exchanges.Put(x)
}
