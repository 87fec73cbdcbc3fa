package socket

import (
	"encoding/json"
	"time"

	"github.com/coder/websocket"
)

// message is one of the protocol's, as a client sends it.
type message struct {
	ID      *string         `json:"id"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

// read takes messages until the connection ends.
func (s *session) read(init *time.Timer) {
	for {
		kind, data, err := s.conn.Read(s.ctx)
		if err != nil {
			return
		}
		var m message
		if kind != websocket.MessageText || json.Unmarshal(data, &m) != nil {
			s.close(codeBadMessage, "Invalid message received")
			return
		}
		code, reason := s.take(&m)
		if code != 0 {
			s.close(code, reason)
			return
		}
		if s.acked {
			init.Stop()
		}
	}
}

// take carries a message out. A code closes the connection.
func (s *session) take(m *message) (code websocket.StatusCode, reason string) {
	switch m.Type {
	case "connection_init":
		return s.init(m)
	case "ping":
		if !isObject(m.Payload) {
			return badMessage("ping")
		}
		return s.answer([]byte(`{"type":"pong"}`))
	case "pong":
		return 0, ""
	case "subscribe":
		return s.subscribe(m)
	case "complete":
		if m.ID == nil || *m.ID == "" {
			return badMessage("complete")
		}
		s.complete(*m.ID)
		return 0, ""
	}
	return codeBadMessage, "Invalid message received: its type is none of the protocol's"
}

func badMessage(kind string) (websocket.StatusCode, string) {
	return codeBadMessage, "Invalid " + kind + " message received"
}

// isObject says whether an optional payload is one.
func isObject(payload json.RawMessage) bool {
	return len(payload) == 0 || payload[0] == '{' || string(payload) == "null"
}

func (s *session) init(m *message) (websocket.StatusCode, string) {
	if s.acked {
		return codeManyInits, "Too many initialisation requests"
	}
	if !isObject(m.Payload) {
		return badMessage("connection_init")
	}
	s.mu.Lock()
	s.inited = true
	s.mu.Unlock()
	s.acked = true
	return s.answer([]byte(`{"type":"connection_ack"}`))
}

// answer writes a message of the connection's own. A client that does not read
// is read no further.
func (s *session) answer(text []byte) (websocket.StatusCode, string) {
	if err := s.write(text); err != nil {
		return websocket.StatusInternalError, "Write failed" // it is closed already
	}
	return 0, ""
}

// subscribe begins an operation.
func (s *session) subscribe(m *message) (websocket.StatusCode, string) {
	switch {
	case !s.acked:
		return codeUnauthorized, "Unauthorized"
	case m.ID == nil || *m.ID == "" || len(m.Payload) == 0 || m.Payload[0] != '{':
		return badMessage("subscribe")
	}
	e := newEntry(s, *m.ID)
	if e == nil {
		return codeDuplicate, "Subscriber for " + *m.ID + " already exists"
	}
	if e.full {
		return s.answer(e.append(nil, "error", s.o.Full))
	}
	s.start(func() { e.open(m.Payload) })
	return 0, ""
}
