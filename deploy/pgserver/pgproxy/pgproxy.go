// Package pgproxy stands between a Postgres client and its server and does to
// the connections what networks do: it swallows bytes both ways without closing
// anything, cuts, refuses, delays and narrows. It is for tests of failures.
//
// Connections are chosen by what they say at their start, so that one of many
// of the same client can be hit. TLS is not understood: sslmode=disable.
package pgproxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Session is what a connection said of itself at its start.
type Session struct {
	Application string // application_name
	Replication bool
	Cancel      bool // a request to cancel, which holds no session
}

// All matches every session.
func All(Session) bool { return true }

// Proxy is a proxy under way. Its methods may be called by several goroutines.
type Proxy struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup

	refuse  atomic.Bool
	latency atomic.Int64 // of each piece, in ns
	rate    atomic.Int64 // bytes a second, each way; 0 unbounded
	sent    atomic.Int64 // pieces that clients have sent

	mu    sync.Mutex
	links map[*link]struct{}
	at    int64  // when so many pieces were sent,
	do    func() // call this
}

// Start begins to stand before a server, host:port.
func Start(target string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start a proxy: %w", err)
	}
	p := &Proxy{listener: l, target: target, links: map[*link]struct{}{}}
	p.wg.Add(1)
	go p.serve()
	return p, nil
}

// StartFor starts a proxy before the server that a URL leads to, and returns
// the URL that leads through it.
func StartFor(server string) (*Proxy, string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, "", fmt.Errorf("start a proxy: %w", err)
	}
	p, err := Start(u.Host)
	if err != nil {
		return nil, "", err
	}
	u.Host = p.listener.Addr().String()
	return p, u.String(), nil
}

// Swallow lets everything that open connections send, either way, vanish, the
// word of their end as well, and returns how many there were. New ones are not
// affected.
func (p *Proxy) Swallow(match func(Session) bool) int {
	return p.each(match, func(l *link) { l.swallow.Store(true) })
}

// Cut closes open connections at both ends, and returns how many.
func (p *Proxy) Cut(match func(Session) bool) int { return p.each(match, (*link).close) }

// Refuse closes every new connection at once, until it is told otherwise.
func (p *Proxy) Refuse(yes bool) { p.refuse.Store(yes) }

// Slow delays each piece and limits the bytes a second of each connection,
// each way; 0 and 0 is as fast as it goes.
func (p *Proxy) Slow(latency time.Duration, bytesPerSecond int) {
	p.latency.Store(int64(latency))
	p.rate.Store(int64(bytesPerSecond))
}

// After has do called, once, when the clients have sent n more pieces, before
// the last of them goes on. A piece is about what a client writes at once. It
// must not block.
func (p *Proxy) After(n int64, do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.do = p.sent.Load()+n, do
}

// Sent returns how many pieces clients have sent.
func (p *Proxy) Sent() int64 { return p.sent.Load() }

// Close ends the proxy and all connections.
func (p *Proxy) Close() {
	_ = p.listener.Close()
	p.refuse.Store(true)
	p.Cut(All)
	p.wg.Wait()
}

func (p *Proxy) each(match func(Session) bool, do func(*link)) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		if match(l.session) {
			n++
			do(l)
		}
	}
	return n
}

func (p *Proxy) serve() {
	defer p.wg.Done()
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		if p.refuse.Load() {
			_ = client.Close()
			continue
		}
		p.wg.Add(1)
		go func() {
			defer p.wg.Done()
			p.carry(client)
		}()
	}
}

// carry serves one connection to its end.
func (p *Proxy) carry(client net.Conn) {
	dialing, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = client.SetReadDeadline(time.Now().Add(5 * time.Second)) // whoever connects and says nothing must not hold up Close
	first, session, err := readStart(client)
	if err == nil {
		err = client.SetReadDeadline(time.Time{})
	}
	var server net.Conn
	if err == nil {
		server, err = new(net.Dialer).DialContext(dialing, "tcp", p.target)
	}
	if err != nil {
		_ = client.Close()
		return
	}
	l := &link{proxy: p, session: session, client: client, server: server, over: make(chan struct{})}
	if !p.add(l) {
		l.close()
		return
	}
	defer p.remove(l)
	if _, err = server.Write(first); err != nil {
		l.close()
		return
	}
	l.run()
}

func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse.Load() {
		return false
	}
	p.links[l] = struct{}{}
	return true
}

func (p *Proxy) remove(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// count counts a piece sent by a client.
func (p *Proxy) count() {
	n := p.sent.Add(1)
	p.mu.Lock()
	do := p.do
	if do != nil && n >= p.at {
		p.do = nil
	} else {
		do = nil
	}
	p.mu.Unlock()
	if do != nil {
		do()
	}
}

// link is one connection.
type link struct {
	proxy          *Proxy
	session        Session
	client, server net.Conn
	swallow        atomic.Bool
	once           sync.Once
	over           chan struct{} // closed by close
}

func (l *link) close() {
	l.once.Do(func() {
		close(l.over)
		_ = l.client.Close()
		_ = l.server.Close()
	})
}

// run copies both ways, until the end of either that is not swallowed.
func (l *link) run() {
	var both sync.WaitGroup
	for _, way := range []struct {
		to, from net.Conn
		piece    func()
	}{{l.server, l.client, l.proxy.count}, {l.client, l.server, func() {}}} {
		both.Add(1)
		go func() {
			defer both.Done()
			l.copy(way.to, way.from, way.piece)
			if l.swallow.Load() {
				<-l.over // the other end is not told
			}
			l.close()
		}()
	}
	both.Wait()
}

func (l *link) copy(to io.Writer, from io.Reader, piece func()) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			piece()
			l.delay(n)
		}
		if n > 0 && !l.swallow.Load() {
			if _, werr := to.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// delay waits for as long as a slow network would take for n bytes.
func (l *link) delay(n int) {
	d := time.Duration(l.proxy.latency.Load())
	if rate := l.proxy.rate.Load(); rate > 0 {
		d += time.Duration(int64(n) * int64(time.Second) / rate)
	}
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.over:
	}
}
