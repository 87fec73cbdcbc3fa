package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"freshet/api/live"
	"freshet/api/served"
	"freshet/cache"
)

// resumeWait is how long a subscriber that comes back is kept waiting until
// this server has what it has seen elsewhere. Then it gets what there is.
const resumeWait = 10 * time.Second

// changeFeed is a Feed that tells of changes: a cache.Feed.
type changeFeed interface {
	Subscribe(cache.Listener) (cancel func())
}

// subscriptions are the server's live queries and those who listen to them.
type subscriptions struct {
	hub    *live.Hub
	cancel func() // of the feed's listener; nil: the feed tells of no changes

	connections atomic.Int64   // WebSockets and event streams
	sockets     sync.WaitGroup // net/http does not wait for them
}

func (s *Server) makeSubscriptions() {
	s.live.hub = live.New(live.Config{Max: s.cfg.MaxSubscriptions, Timeout: s.cfg.RequestTimeout, Values: s.values})
	if feed, ok := s.cfg.Feed.(changeFeed); ok {
		s.live.cancel = feed.Subscribe(s.live.hub.Listener())
	}
	s.stored = make([]*served.Type, len(s.schema.Types))
	for _, t := range s.schema.Types {
		if t.Stored() {
			s.stored[t.ID] = t
		}
	}
}

// SubscriptionStats are counters of the subscriptions.
type SubscriptionStats struct {
	live.Stats
	Connections int64 `json:"connections"` // now: WebSockets and event streams
}

// SubscriptionStats returns the counters of the subscriptions.
func (s *Server) SubscriptionStats() SubscriptionStats {
	return SubscriptionStats{Stats: s.live.hub.Stats(), Connections: s.live.connections.Load()}
}

// EndSubscriptions tells all subscribers that the server is ending, and takes
// no new ones. It returns at once. An HTTP server does not shut down before its
// event streams have ended, so it is for http.Server.RegisterOnShutdown.
func (s *Server) EndSubscriptions() { s.live.hub.Shutdown() }

// closeSubscriptions ends what is left of them.
func (s *Server) closeSubscriptions(ctx context.Context) error {
	if s.live.cancel != nil {
		s.live.cancel()
	}
	err := s.live.hub.Close(ctx)
	done := make(chan struct{})
	go func() {
		s.live.sockets.Wait()
		close(done)
	}()
	select {
	case <-done:
		return err
	case <-ctx.Done():
		return errors.Join(err, fmt.Errorf("wait for WebSockets to end: %w", ctx.Err()))
	}
}

// connect counts a connection with subscriptions, if there may be one more.
func (s *Server) connect() (ok bool) {
	if s.live.connections.Add(1) <= int64(s.cfg.MaxConnections) && s.live.hub.Context().Err() == nil {
		return true
	}
	s.live.connections.Add(-1)
	return false
}

func (s *Server) disconnect() { s.live.connections.Add(-1) }

func refuseBusy(message string) *refusal {
	return &refusal{http.StatusServiceUnavailable, []*gqlerror.Error{coded(codeBusy, message)}}
}

var (
	tooManyConnections = refuseBusy("There are too many open connections just now.")
	tooManyOperations  = refuseBusy("There are too many operations on this connection.")
)

// isLive says whether the exchange's operation is a subscription.
func (x *exchange) isLive() bool { return x.op != nil && x.op.def.Operation == ast.Subscription }

// subscriber is who gets the answers of one operation.
type subscriber struct {
	sub  *live.Subscription
	only atomic.Pointer[live.Message] // without sub: all there is, until it is taken
}

// Next appends the newest answer, as it is sent, if there is one.
func (b *subscriber) Next(dst []byte) (out []byte, last, ok bool) {
	m, ok := b.take()
	if !ok {
		return dst, false, false
	}
	return appendMessage(dst, m), m.Final, true
}

// take takes the newest answer, if there is one.
func (b *subscriber) take() (live.Message, bool) {
	if b.sub != nil {
		return b.sub.Take()
	}
	if m := b.only.Swap(nil); m != nil {
		return *m, true
	}
	return live.Message{}, false
}

// End frees what the subscriber holds.
func (b *subscriber) End() {
	if b.sub != nil {
		b.sub.End()
	}
}

// begin begins the exchange's operation, which was prepared. The exchange
// needs to be kept no longer.
func (s *Server) begin(ctx context.Context, x *exchange, notify func()) (*subscriber, *refusal) {
	d, have, refused := x.demand()
	if refused != nil {
		return nil, refused
	}
	if !x.isLive() {
		m, refused := s.once(x, d)
		if refused != nil {
			return nil, refused
		}
		m.Final = true
		b := &subscriber{}
		b.only.Store(m)
		return b, nil
	}
	if s.live.cancel == nil {
		return nil, &refusal{http.StatusServiceUnavailable, []*gqlerror.Error{coded(codeUnavailable, "Subscriptions are not available here: this API does not follow changes.")}}
	}
	query, key := x.run.liveQuery(x.op)
	o := live.Options{Have: have.Tag, Notify: notify}
	if d.min != 0 || d.strong {
		m, refused := s.once(x, d)
		if refused != nil {
			return nil, refused
		}
		o.Floor = m.ID.LSN
		if m.ID.Tag != have.Tag {
			o.First = m
		}
	}
	s.leave(x)
	if have.LSN != 0 && s.following() {
		s.catchUp(ctx, have)
	}
	sub, err := s.live.hub.Subscribe(key, query, o)
	if err != nil {
		return nil, refuseBusy("There are too many subscriptions just now.")
	}
	return &subscriber{sub: sub}, nil
}

// catchUp waits until this server has what the subscriber has.
func (s *Server) catchUp(ctx context.Context, have live.ID) {
	ctx, cancel := context.WithTimeout(ctx, resumeWait)
	defer cancel()
	defer context.AfterFunc(s.live.hub.Context(), cancel)()
	s.follow(ctx, have.LSN)
}

// once answers the operation once, as fresh as is asked for.
func (s *Server) once(x *exchange, d demand) (*live.Message, *refusal) {
	if refused := s.wait(x, d); refused != nil {
		return nil, refused
	}
	if late := x.run.execute(); late != nil {
		return nil, &refusal{http.StatusServiceUnavailable, []*gqlerror.Error{late}}
	}
	if x.isLive() && slices.ContainsFunc(x.run.errs, passes) {
		return nil, &refusal{http.StatusServiceUnavailable, slices.Clone(x.run.errs)}
	}
	x.errs = len(x.run.errs)
	a := x.run.answer()
	return &live.Message{Body: a.Body, Final: a.Final, ID: live.ID{LSN: a.LSN, Tag: live.TagOf(a.Body)}}, nil
}

// headerLastEvent is what browsers send when they come back to a stream.
const headerLastEvent = "Last-Event-Id"

// inExtensions are the members of extensions.freshet that stand for headers,
// where a client cannot set these for each of its operations.
var inExtensions = map[string]string{
	"consistency": HeaderConsistency, "minLsn": HeaderMinLSN, "onTimeout": HeaderOnTimeout, "lastEventId": headerLastEvent,
}

// demand is what a subscriber asks for, in the headers of its request or in
// extensions.freshet, and where it wants to go on.
func (x *exchange) demand() (d demand, have live.ID, refused *refusal) {
	h, refused := x.wishes()
	if refused != nil {
		return d, have, refused
	}
	d, err := demandOf(h)
	if err == nil {
		have, err = lastEvent(h)
	}
	if err != nil {
		return d, have, refuse(http.StatusBadRequest, err.Error())
	}
	return d, have, nil
}

// wishes returns the exchange's headers, with those that extensions.freshet
// stands for.
func (x *exchange) wishes() (http.Header, *refusal) {
	if len(x.ext) == 0 {
		return x.r.Header, nil
	}
	h := x.r.Header.Clone()
	var entry []byte
	wrong := members(x.ext, func(name, value []byte) {
		if string(name) == "freshet" {
			entry = value
		}
	}) != nil
	if entry != nil {
		wrong = wrong || members(entry, func(name, value []byte) {
			header, known := inExtensions[string(name)]
			var out []byte
			wrong = wrong || !known || !text(&out, value)
			h[header] = []string{string(out)}
		}) != nil
	}
	if wrong {
		return nil, malformed("extensions.freshet may have consistency, minLsn, onTimeout and lastEventId, each a string.")
	}
	return h, nil
}

// lastEvent is what the subscriber has, by its own word.
func lastEvent(h http.Header) (live.ID, error) {
	v := first(h, headerLastEvent)
	if v == "" {
		return live.ID{}, nil
	}
	id, err := live.ParseID(v)
	if err != nil {
		return id, fmt.Errorf("the last event's id %q is not one of this server's, such as 0/16B3748", v)
	}
	return id, nil
}
