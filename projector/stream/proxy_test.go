package stream

import (
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// proxy stands between the stream and the server, and can misbehave.
type proxy struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup
	mu       sync.Mutex
	conns    []net.Conn
	silent   atomic.Bool  // what comes from the server is swallowed
	chunk    atomic.Int64 // if not 0, what comes from the server goes on in pieces of so many bytes
	pause    atomic.Int64 // between the pieces, in ns
}

func newProxy(t *testing.T, cfg *pgconn.Config) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port)))}
	addr := l.Addr().(*net.TCPAddr)
	cfg.Host, cfg.Port, cfg.Fallbacks = addr.IP.String(), uint16(addr.Port), nil
	p.wg.Add(1)
	go p.serve()
	t.Cleanup(p.close)
	return p
}

func (p *proxy) serve() {
	defer p.wg.Done()
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.wg.Add(2)
		go func() { defer p.wg.Done(); _, _ = io.Copy(server, client); server.Close() }()
		go func() { defer p.wg.Done(); p.backward(client, server); client.Close() }()
	}
}

func (p *proxy) backward(client, server net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		if p.silent.Load() {
			continue
		}
		for rest := buf[:n]; len(rest) > 0; {
			piece := rest
			if c := int(p.chunk.Load()); c > 0 && c < len(rest) {
				piece = rest[:c]
			}
			if _, err := client.Write(piece); err != nil {
				return
			}
			rest = rest[len(piece):]
			time.Sleep(time.Duration(p.pause.Load()))
		}
	}
}

func (p *proxy) close() {
	p.listener.Close()
	p.mu.Lock()
	for _, c := range p.conns {
		c.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

func TestSilentConnectionIsNoticed(t *testing.T) {
	s := newSource(t).ready()
	cfg := s.config()
	cfg.Watchdog = 400 * time.Millisecond
	p := newProxy(t, cfg.Conn)
	f := s.follow(cfg)
	s.exec("INSERT INTO tb_post VALUES (1)")
	f.next()
	f.idleFor(3 * cfg.Watchdog) // the server, asked, answers
	p.silent.Store(true)
	began := time.Now()
	if err := f.fails(); !errors.Is(err, ErrSilent) {
		t.Errorf("%v, not ErrSilent", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("noticed after %s", took)
	}
}

// idleFor holds that nothing fails for so long.
func (f *follower) idleFor(d time.Duration) {
	f.t.Helper()
	over := time.After(d)
	for {
		select {
		case <-f.out:
		case err := <-f.done:
			f.t.Fatalf("Run: %v", err)
		case <-over:
			return
		}
	}
}

// Read deadlines pass in the middle of messages all the time: nothing may be
// lost by it.
func TestInterruptedReads(t *testing.T) {
	s := newSource(t).ready()
	cfg := s.config()
	cfg.StatusInterval = 300 * time.Microsecond
	p := newProxy(t, cfg.Conn)
	f := s.follow(cfg)
	p.chunk.Store(7)
	p.pause.Store(int64(200 * time.Microsecond))
	const n = 30
	for i := range n {
		s.exec("INSERT INTO tb_post VALUES (" + strconv.Itoa(i) + ", 'a', 'and a body of some length, to be cut in many places')")
	}
	for i := range n {
		if tx := f.next(); show(tx) != "post["+strconv.Itoa(i)+"] 1 changes" {
			t.Fatalf("transaction %d: %s", i, show(tx))
		}
	}
	p.chunk.Store(0)
	p.pause.Store(0)
}

func TestBrokenConnection(t *testing.T) {
	s := newSource(t).ready()
	cfg := s.config()
	p := newProxy(t, cfg.Conn)
	f := s.follow(cfg)
	s.exec("INSERT INTO tb_post VALUES (1)")
	f.next()
	p.close()
	if err := f.fails(); err == nil || errors.Is(err, ErrSilent) {
		t.Errorf("Run: %v", err)
	}
}
