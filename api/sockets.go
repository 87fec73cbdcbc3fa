package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"

	"freshet/api/live/socket"
)

// webSocket serves operations over WebSocket.
type webSocket struct{ s *Server }

func (webSocket) Supports(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.EqualFold(first(r.Header, "Upgrade"), "websocket")
}

// Do serves a connection until it ends.
func (t webSocket) Do(w http.ResponseWriter, r *http.Request, _ graphql.GraphExecutor) {
	if !t.s.ownOrigin(r) {
		t.s.turnAway(w, r, refuse(http.StatusForbidden, "Pages of this origin may not connect here."))
		return
	}
	if !t.s.connect() {
		t.s.turnAway(w, r, tooManyConnections)
		return
	}
	defer t.s.disconnect()
	t.s.live.sockets.Add(1)
	defer t.s.live.sockets.Done()
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{socket.Subprotocol}, InsecureSkipVerify: true})
	if err != nil {
		return // the client was told
	}
	socket.Serve(context.WithoutCancel(r.Context()), conn, socket.Options{
		Open: func(ctx context.Context, payload []byte, notify func()) (socket.Operation, error) {
			return t.s.open(r.WithContext(ctx), payload, notify)
		},
		Most:       t.s.cfg.MaxOperations,
		Full:       appendErrors(nil, tooManyOperations.errs),
		MaxMessage: t.s.cfg.MaxMessage, InitTimeout: t.s.cfg.InitTimeout, KeepAlive: t.s.cfg.KeepAlive,
		Closing: t.s.live.hub.Context(),
	})
}

// turnAway answers a request that shall not become a connection.
func (s *Server) turnAway(w http.ResponseWriter, r *http.Request, refused *refusal) {
	x := exchanges.Get().(*exchange)
	x.w, x.r, x.began, x.media, x.run = w, r, time.Now(), mediaJSON, s.run(r.Context())
	defer s.finish(x)
	x.refuse(refused)
}

// ownOrigin says whether a request comes from a page that may read answers, or
// from no page at all: browsers let every page open a WebSocket to anywhere.
func (s *Server) ownOrigin(r *http.Request) bool {
	origin := first(r.Header, "Origin")
	if origin == "" || s.originAllowed(origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

// open begins an operation that came over a WebSocket.
func (s *Server) open(r *http.Request, payload []byte, notify func()) (_ socket.Operation, err error) {
	x := exchanges.Get().(*exchange)
	x.w, x.r, x.began, x.run, x.status = unwritten{}, r, time.Now(), s.run(r.Context()), http.StatusOK
	defer s.finish(x)
	defer s.leave(x)
	defer func() {
		if v := recover(); v != nil {
			s.recovered(r.Context(), v)
			err = &socket.RefusedError{Errors: appendErrors(nil, internalError.errs)}
		}
	}()
	x.body = append(x.body[:0], payload...)
	if refused := x.parameters(); refused != nil {
		return nil, socket.ErrMessage
	}
	b, refused := s.openOperation(x, notify)
	if refused != nil {
		x.status, x.errs = refused.status, len(refused.errs)
		return nil, &socket.RefusedError{Errors: appendErrors(nil, refused.errs)}
	}
	return b, nil
}

// openOperation goes the way of a request, up to where it would be answered.
func (s *Server) openOperation(x *exchange, notify func()) (*subscriber, *refusal) {
	if refused := s.document(x); refused != nil {
		return nil, refused
	}
	if refused := s.enter(x); refused != nil {
		return nil, refused
	}
	if refused := s.prepare(x); refused != nil {
		return nil, refused
	}
	x.apart = x.isLive()
	return s.begin(x.r.Context(), x, notify)
}

// unwritten stands for a response that nobody writes: the answer goes
// elsewhere.
type unwritten struct{}

var errUnwritten = errors.New("there is no response to write")

func (unwritten) Header() http.Header       { return http.Header{} }
func (unwritten) Write([]byte) (int, error) { return 0, errUnwritten }
func (unwritten) WriteHeader(int)           {}
