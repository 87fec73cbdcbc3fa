package session

import (
	"encoding/binary"
	"net"
	"sync/atomic"
)

// wire is a network connection that knows whether somebody waits for it, and
// whether anything moves.
type wire struct {
	net.Conn
	watch *Watch

	pid    atomic.Int32 // of the server's process; 0 while connecting
	inside atomic.Int32 // reads and writes under way
	moved  atomic.Int64 // bytes, both ways
	asked  atomic.Bool  // something was sent since the server last said that it was done
	frames frames       // read by whoever reads
	cause  atomic.Pointer[error]

	// The watch's own:
	known bool // the server has told of the process
	still Still
}

// Read reads, and tells why when the connection was cut.
func (c *wire) Read(b []byte) (int, error) {
	c.inside.Add(1)
	n, err := c.Conn.Read(b)
	if c.frames.last(b[:n]) == readyForQuery {
		c.asked.Store(false)
	}
	return n, c.done(n, err)
}

// Write writes, and tells why when the connection was cut.
func (c *wire) Write(b []byte) (int, error) {
	c.inside.Add(1)
	c.asked.Store(true) // before: the answer may be there before Write returns
	n, err := c.Conn.Write(b)
	return n, c.done(n, err)
}

func (c *wire) done(n int, err error) error {
	c.inside.Add(-1)
	c.moved.Add(int64(n))
	if cause := c.cause.Load(); err != nil && cause != nil {
		return *cause
	}
	return err
}

// Close closes it, and ends the watch over it.
func (c *wire) Close() error {
	c.watch.remove(c)
	return c.Conn.Close()
}

// NetConn returns what is below, as of a tls.Conn.
func (c *wire) NetConn() net.Conn { return c.Conn }

// cut ends the connection for a cause.
func (c *wire) cut(cause error) {
	c.cause.CompareAndSwap(nil, &cause)
	_ = c.Conn.Close() // whoever waits for it wakes up
}

// readyForQuery is the type of the message by which the server says that it is
// done with what it was asked.
const readyForQuery = 'Z'

// frames tells the messages in a stream of bytes from the server apart.
type frames struct {
	head [5]byte // type and length
	have int     // bytes of head
	left uint32  // bytes of the message still to come
}

// last returns the type of the last message that ends in b, or 0.
func (f *frames) last(b []byte) (kind byte) {
	for len(b) > 0 {
		if f.have < len(f.head) {
			n := copy(f.head[f.have:], b)
			f.have, b = f.have+n, b[n:]
			if f.have < len(f.head) {
				return kind
			}
			f.left = max(binary.BigEndian.Uint32(f.head[1:]), 4) - 4 // the length counts itself
		}
		n := min(uint64(f.left), uint64(len(b)))
		f.left, b = f.left-uint32(n), b[n:]
		if f.left == 0 {
			kind, f.have = f.head[0], 0
		}
	}
	return kind
}
