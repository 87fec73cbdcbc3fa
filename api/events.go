package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"
)

// Event streams are those of GraphQL over SSE, in its distinct connections
// mode: one operation for each stream, whose events are next and complete.
//
// https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverSSE.md

var mediaEvents = []string{"text/event-stream"}

// streams says whether the exchange is to be answered with events: a
// subscription where the client takes them, and anything where it takes
// nothing else.
func (x *exchange) streams() bool { return x.events && (x.media == nil || x.isLive()) }

// streamable refuses a subscription that no stream can be sent for.
func (x *exchange) streamable() *refusal {
	if x.isLive() && !x.events {
		return refuse(http.StatusNotAcceptable, "A subscription is answered with a stream: accept text/event-stream, or use a WebSocket with the subprotocol graphql-transport-ws.")
	}
	return nil
}

// stream answers with events until the operation or the client ends.
func (s *Server) stream(x *exchange) *refusal {
	if !s.connect() {
		return tooManyConnections
	}
	defer s.disconnect()
	ctx, cancel := context.WithCancel(x.r.Context())
	defer cancel()
	defer context.AfterFunc(s.live.hub.Context(), cancel)()
	wake := make(chan struct{}, 1)
	b, refused := s.begin(ctx, x, func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	})
	if refused != nil {
		return refused
	}
	defer b.End()
	s.leave(x)
	x.apart = x.isLive()
	x.run.out, x.body, x.text = nil, nil, nil // they may be large, and streams are long
	e := x.eventStream(s.cfg.KeepAlive)
	_ = e.follow(ctx, b, wake) // client, server or operation have ended: all the same here
	return nil
}

// streamAllowed says whether a page in a browser that may read the answer has
// asked for a stream: it cannot set any headers, and the browser asks nobody
// before. Requests that any page can send do not name the page.
func (s *Server) streamAllowed(x *exchange) bool {
	origin := first(x.r.Header, "Origin")
	return x.events && origin != "" && s.originAllowed(origin)
}

// streamErrors answers with the errors of a request that was well-formed: of a
// page of them a browser's program would learn nothing.
func (x *exchange) streamErrors(r *refusal) {
	x.errs = len(r.errs)
	e := x.eventStream(time.Minute)
	body := append(appendErrors([]byte(`{"errors":`), r.errs), '}')
	_ = e.send("event: next\ndata: ", body, "\n\nevent: complete\ndata:\n\n") // the client may be gone
}

// eventStream is a response that events are written to.
type eventStream struct {
	x         *exchange
	control   *http.ResponseController
	keepAlive time.Duration
	buffer    []byte
}

// eventStream begins the response.
func (x *exchange) eventStream(keepAlive time.Duration) *eventStream {
	h := x.w.Header()
	h["Content-Type"] = mediaEvents
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy would hold events back
	h.Set("X-Content-Type-Options", "nosniff")
	x.status = http.StatusOK
	x.w.WriteHeader(x.status)
	return &eventStream{x: x, control: http.NewResponseController(x.w), keepAlive: keepAlive}
}

// send writes and flushes, as long as the client may take for it.
func (e *eventStream) send(head string, body []byte, tail string) error {
	// Not every ResponseWriter can do so; those of net/http can.
	_ = e.control.SetWriteDeadline(time.Now().Add(e.keepAlive))
	e.buffer = append(append(append(e.buffer[:0], head...), body...), tail...)
	_, err := e.x.w.Write(e.buffer)
	if cap(e.buffer) > maxIdle {
		e.buffer = nil
	}
	if err != nil {
		return err
	}
	return e.control.Flush()
}

// maxIdle is the buffer that a stream keeps from one event to the next.
const maxIdle = 1 << 10

// errStreamEnd says that the operation has ended, and not the client.
var errStreamEnd = errors.New("the operation has ended")

// follow sends answers as they come. In between it sends comments, so that
// nobody on the way takes the connection for dead.
//
// When the server ends there is no complete: that would tell the client that
// there never will be more. It connects again, to another server, with the id of
// the last event.
func (e *eventStream) follow(ctx context.Context, b *subscriber, wake <-chan struct{}) error {
	tick := time.NewTicker(e.keepAlive)
	defer tick.Stop()
	if err := e.send(":\n\n", nil, ""); err != nil { // the headers go out, too
		return err
	}
	for {
		if err := e.drain(b); err != nil {
			return err
		}
		select {
		case <-wake:
		case <-tick.C:
			if err := e.send(":\n\n", nil, ""); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// drain sends what there is.
func (e *eventStream) drain(b *subscriber) error {
	for {
		m, ok := b.take()
		if !ok {
			return nil
		}
		body := appendMessage(nil, m)
		// A line break would end the data: within JSON none is needed.
		if slices.Contains(body, '\n') || slices.Contains(body, '\r') {
			body = slices.DeleteFunc(body, func(c byte) bool { return c == '\n' || c == '\r' })
		}
		tail := "\n\n"
		if m.Final {
			tail = "\n\nevent: complete\ndata:\n\n"
		}
		if err := e.send("event: next\nid: "+m.ID.String()+"\ndata: ", body, tail); err != nil {
			return err
		}
		if m.Final {
			return errStreamEnd
		}
	}
}
