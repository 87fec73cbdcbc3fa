package socket

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
)

// entry is an operation of a connection. Its session's lock guards it.
type entry struct {
	s      *session
	id     string
	ctx    context.Context
	cancel context.CancelFunc

	op    Operation // nil until it is open
	ready bool      // it is in session.ready
	over  bool      // the client has left it, or was told of its end
	full  bool      // there was no room for it
}

// newEntry takes an operation in; nil: there is one with that id. One that
// there is no room for is full, and not kept.
func newEntry(s *session, id string) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries[id] != nil {
		return nil
	}
	e := &entry{s: s, id: id, full: len(s.entries) >= s.o.Most}
	if !e.full {
		e.ctx, e.cancel = context.WithCancel(s.ctx)
		s.entries[id] = e
	}
	return e
}

// open begins the operation.
func (e *entry) open(payload []byte) {
	op, err := e.s.o.Open(e.ctx, payload, e.notify)
	var refused *RefusedError
	switch {
	case err == nil:
	case errors.As(err, &refused):
		if e.leave() {
			_ = e.s.write(e.append(nil, "error", refused.Errors)) // the reader sees it
		}
		return
	default:
		if e.leave() {
			e.s.close(codeBadMessage, "Invalid subscribe message received: "+err.Error())
		}
		return
	}
	e.s.mu.Lock()
	e.op = op
	left := e.over
	e.s.mu.Unlock()
	if left {
		op.End()
		return
	}
	e.notify() // what came before op was set
}

// leave takes the operation out; it says whether it was in.
func (e *entry) leave() bool {
	e.s.mu.Lock()
	defer e.s.mu.Unlock()
	was := !e.over
	e.over = true
	if e.s.entries[e.id] == e {
		delete(e.s.entries, e.id)
	}
	e.cancel()
	return was
}

// end frees what an operation holds.
func (e *entry) end() {
	e.s.mu.Lock()
	op := e.op
	e.op, e.over = nil, true
	e.s.mu.Unlock()
	if op != nil {
		op.End()
	}
}

// complete is the client's end of an operation. It may be over already.
func (s *session) complete(id string) {
	s.mu.Lock()
	e := s.entries[id]
	s.mu.Unlock()
	if e != nil && e.leave() {
		e.end()
	}
}

// notify has the operation's results written.
func (e *entry) notify() {
	s := e.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || e.ready || e.over || e.op == nil {
		return
	}
	e.ready = true
	s.ready = append(s.ready, e)
	if !s.pumping {
		s.pumping = true
		s.wg.Go(s.pump)
	}
}

// next takes an operation that has something to write, or ends the pump.
func (s *session) next() (*entry, Operation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.ready) == 0 {
		s.pumping, s.ready = false, nil
		return nil, nil
	}
	e := s.ready[0]
	s.ready[0] = nil
	s.ready = s.ready[1:]
	e.ready = false
	return e, e.op
}

// buffers are those of pumps at work.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxKept bounds a buffer that is kept.
const maxKept = 1 << 20

// pump writes what the operations have, each in its turn, until there is
// nothing more. There is one at a time, so that messages stay in order.
func (s *session) pump() {
	buffer := buffers.Get().(*[]byte)
	defer func() {
		if cap(*buffer) <= maxKept {
			buffers.Put(buffer)
		}
	}()
	for {
		e, op := s.next()
		if e == nil {
			return
		}
		if op != nil && !e.flush(op, buffer) {
			return // the connection is broken; pumping stays set
		}
	}
}

// flush writes an operation's newest result; ok is false if that fails.
func (e *entry) flush(op Operation, buffer *[]byte) (ok bool) {
	head := e.append((*buffer)[:0], "next", nil)
	out, last, some := op.Next(head)
	*buffer = out
	if !some {
		return true
	}
	out = append(out, '}')
	*buffer = out
	if e.s.write(out) != nil {
		_ = e.s.conn.CloseNow() // it may be closed already
		return false
	}
	if last && e.leave() {
		e.end()
		return e.s.write(e.append(nil, "complete", nil)) == nil
	}
	e.notify() // there may be more, but others first
	return true
}

// append appends a message of the operation: without a payload, up to where it
// comes, unless there is none to come.
func (e *entry) append(dst []byte, kind string, payload []byte) []byte {
	dst = append(dst, `{"id":`...)
	id, err := json.Marshal(e.id)
	if err != nil {
		panic("a string always has a JSON form: " + err.Error())
	}
	dst = append(dst, id...)
	dst = append(dst, `,"type":"`+kind+`"`...)
	switch {
	case kind == "complete":
		return append(dst, '}')
	case payload == nil:
		return append(dst, `,"payload":`...)
	}
	dst = append(dst, `,"payload":`...)
	return append(append(dst, payload...), '}')
}
