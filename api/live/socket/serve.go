package socket

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// Subprotocol is the name of the protocol.
const Subprotocol = "graphql-transport-ws"

// Codes with which connections are closed.
const (
	codeBadMessage   = websocket.StatusCode(4400)
	codeUnauthorized = websocket.StatusCode(4401)
	codeBadProtocol  = websocket.StatusCode(4406)
	codeInitTimeout  = websocket.StatusCode(4408)
	codeDuplicate    = websocket.StatusCode(4409)
	codeManyInits    = websocket.StatusCode(4429)
)

// Operation is one under way. End may be called while Next runs, and Next once
// more after it.
type Operation interface {
	// Next appends the newest execution result to dst. ok is false if there is
	// none now; last says that there will be none after it.
	Next(dst []byte) (out []byte, last, ok bool)
	// End frees what the operation holds.
	End()
}

// ErrMessage is the error of Options.Open for a payload that is none of the
// protocol's: the connection is closed.
var ErrMessage = errors.New("the payload is not that of an operation")

// RefusedError is the error of Options.Open for an operation that cannot be
// begun: the client is told, and the connection goes on.
type RefusedError struct {
	Errors []byte // a JSON array of GraphQL errors
}

func (e *RefusedError) Error() string { return string(e.Errors) }

// Options are those of a connection.
type Options struct {
	// Open begins an operation. It may wait; its context ends with the operation
	// or the connection. notify must be called whenever Next may have something:
	// it returns at once.
	Open func(ctx context.Context, payload []byte, notify func()) (Operation, error)
	// Most is how many operations there may be at once.
	Most int
	// Full is what the client is told of one more: a JSON array of GraphQL errors.
	Full []byte
	// MaxMessage bounds a client's message, in bytes.
	MaxMessage int64
	// InitTimeout is how long a client may take to send connection_init.
	InitTimeout time.Duration
	// KeepAlive is the time between pings; a client that has not answered one
	// when the next is due is dropped. It also bounds how long a write may take.
	KeepAlive time.Duration
	// Closing ends when the server does: the client is told to go elsewhere.
	Closing context.Context
}

// session is a connection.
type session struct {
	conn *websocket.Conn
	o    Options
	ctx  context.Context // of the connection
	end  context.CancelFunc
	wg   sync.WaitGroup

	acked bool // only the reading goroutine knows

	mu      sync.Mutex
	inited  bool
	closed  bool
	entries map[string]*entry
	ready   []*entry // have something to write, each once
	pumping bool
}

// Serve serves a connection until it ends. The subprotocol must have been
// offered to the client; one that did not take it is sent away.
func Serve(ctx context.Context, conn *websocket.Conn, o Options) {
	if conn.Subprotocol() != Subprotocol {
		_ = conn.Close(codeBadProtocol, "Subprotocol not acceptable") // it may be gone
		return
	}
	conn.SetReadLimit(o.MaxMessage)
	s := &session{conn: conn, o: o, entries: map[string]*entry{}}
	s.ctx, s.end = context.WithCancel(ctx)
	defer s.finish()
	init := time.AfterFunc(o.InitTimeout, s.initLate)
	defer init.Stop()
	alive := s.keepAlive()
	defer alive.stop()
	stop := context.AfterFunc(o.Closing, func() {
		s.start(func() { s.close(websocket.StatusGoingAway, "Going away") })
	})
	defer stop()
	s.read(init)
}

// finish ends all that is left of a connection.
func (s *session) finish() {
	s.end()
	s.mu.Lock()
	s.closed = true
	left := s.entries
	s.entries, s.ready = map[string]*entry{}, nil
	s.mu.Unlock()
	_ = s.conn.CloseNow() // it may be closed already
	for _, e := range left {
		e.cancel()
	}
	s.wg.Wait()
	for _, e := range left {
		e.end()
	}
}

// start runs f in a goroutine that finish waits for, unless it is too late.
func (s *session) start(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.wg.Go(f)
	}
}

// close closes the connection with a code, and has the reading goroutine end.
func (s *session) close(code websocket.StatusCode, reason string) {
	const longest = 120 // of what fits a control frame
	if len(reason) > longest {
		reason = reason[:longest]
	}
	_ = s.conn.Close(code, reason) // the client may be gone
}

// initLate closes a connection whose client has said nothing in time.
func (s *session) initLate() {
	s.mu.Lock()
	late := !s.inited
	s.mu.Unlock()
	if late {
		s.start(func() { s.close(codeInitTimeout, "Connection initialisation timeout") })
	}
}

// write writes a message, as long as the client may take for it.
func (s *session) write(message []byte) error {
	ctx, cancel := context.WithTimeout(s.ctx, s.o.KeepAlive)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, message)
}
