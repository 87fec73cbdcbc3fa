package socket

import (
	"context"
	"sync"
	"time"
)

// alive pings a client from time to time, with no goroutine in between.
type alive struct {
	s       *session
	mu      sync.Mutex
	stopped bool
	timer   *time.Timer
}

func (s *session) keepAlive() *alive {
	a := &alive{s: s}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.timer = time.AfterFunc(s.o.KeepAlive, func() { s.start(a.ping) })
	return a
}

// ping drops the connection if the client does not answer.
func (a *alive) ping() {
	ctx, cancel := context.WithTimeout(a.s.ctx, a.s.o.KeepAlive)
	defer cancel()
	if a.s.conn.Ping(ctx) != nil {
		_ = a.s.conn.CloseNow() // it may be closed already
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.stopped {
		a.timer.Reset(a.s.o.KeepAlive)
	}
}

func (a *alive) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
	a.timer.Stop()
}
