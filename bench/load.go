package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// load makes requests over HTTP/1.1, on each connection one after the other.
// Its client is a simple one, which leaves more of the machine to the server
// than net/http's would.
type load struct {
	Address     string
	Requests    [][]byte // with their headers; made in turn
	Connections int
	WarmUp      time.Duration
	For         time.Duration
	Once        bool // make each request once, and end
	// Rate is how many requests are made a second, over all connections; 0 is as
	// many as are answered.
	Rate float64
}

// answered is what came of it.
type answered struct {
	Count int
	Took  time.Duration
	Bytes int64 // of bodies
	P50   float64
	P99   float64 // milliseconds
}

func (a answered) rate() float64 { return float64(a.Count) / a.Took.Seconds() }

// run makes the requests. An answer that is not 200, or tells of errors, ends it.
func (l load) run(ctx context.Context) (answered, error) {
	r := &loadRun{load: l}
	clients := make([]*client, l.Connections)
	r.counts = time.Now().Add(l.WarmUp)
	r.ends = r.counts.Add(l.For)
	group, ctx := errgroup.WithContext(ctx)
	for i := range clients {
		clients[i] = &client{next: i * len(l.Requests) / l.Connections, due: r.first(i)}
		group.Go(func() error { return clients[i].run(ctx, r) })
	}
	if err := group.Wait(); err != nil {
		return answered{}, err
	}
	var a answered
	var all []time.Duration
	for _, c := range clients {
		all = append(all, c.times...)
		a.Bytes += c.bytes
	}
	a.Count, a.Took = len(all), time.Since(r.counts)
	a.P50, a.P99 = quantile(all, 0.5), quantile(all, 0.99)
	return a, nil
}

// loadRun is what the clients of a load share.
type loadRun struct {
	load
	counts, ends time.Time // when counting begins, and when it is over
	made         atomic.Int64
}

// interval is the time between two requests of one connection at a rate.
func (r *loadRun) interval() time.Duration {
	return time.Duration(float64(r.Connections) / r.Rate * float64(time.Second))
}

// first is when a connection makes its first request at a rate: they take turns.
func (r *loadRun) first(connection int) time.Time {
	if r.Rate == 0 {
		return time.Time{}
	}
	return time.Now().Add(r.interval() * time.Duration(connection) / time.Duration(r.Connections))
}

// client is one connection.
type client struct {
	conn  net.Conn
	in    *bufio.Reader
	body  []byte
	next  int
	due   time.Time // of the next request at a rate
	times []time.Duration
	bytes int64
}

// dial opens the connection. The end of ctx, too, closes it.
func (c *client) dial(ctx context.Context, address string) (hangUp func(), err error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // ends a wait
	c.conn, c.in = conn, bufio.NewReaderSize(conn, 32<<10)
	return func() {
		stop()
		_ = conn.Close() // all was read
	}, nil
}

func (c *client) run(ctx context.Context, r *loadRun) error {
	hangUp, err := c.dial(ctx, r.Address)
	if err != nil {
		return err
	}
	defer hangUp()
	for {
		request, ok := c.take(r)
		if !ok {
			return nil
		}
		began := c.turn(r)
		if err := c.exchange(request); err != nil {
			return errors.Join(ctx.Err(), err)
		}
		ended := time.Now()
		if !r.Once && ended.After(r.ends) {
			return nil
		}
		if ended.After(r.counts) {
			c.times = append(c.times, ended.Sub(began))
			c.bytes += int64(len(c.body))
		}
	}
}

// turn waits until the next request is due, and returns when it began: now, or
// when it was due where the one before it has taken longer than that.
func (c *client) turn(r *loadRun) time.Time {
	if r.Rate == 0 {
		return time.Now()
	}
	due := c.due
	c.due = due.Add(r.interval())
	if wait := time.Until(due); wait > 0 {
		time.Sleep(wait) // a few milliseconds
		return time.Now()
	}
	return due
}

// take chooses the next request.
func (c *client) take(r *loadRun) ([]byte, bool) {
	if r.Once {
		n := int(r.made.Add(1)) - 1
		if n >= len(r.Requests) {
			return nil, false
		}
		return r.Requests[n], true
	}
	c.next = (c.next + 1) % len(r.Requests)
	return r.Requests[c.next], true
}

var (
	okLine     = []byte("HTTP/1.1 200")
	someErrors = []byte(`{"errors"`)
)

// exchange makes a request and reads its answer.
func (c *client) exchange(request []byte) error {
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	length, err := c.header()
	if err != nil {
		return err
	}
	if err := c.read(length); err != nil {
		return err
	}
	if bytes.HasPrefix(c.body, someErrors) {
		return fmt.Errorf("an answer with errors: %.300s", c.body)
	}
	return nil
}

// read reads a body of a length, or what comes in chunks.
func (c *client) read(length int) (err error) {
	if length == chunked {
		c.body, err = chunks(c.in, c.body)
		return err
	}
	if cap(c.body) < length {
		c.body = make([]byte, length)
	}
	c.body = c.body[:length]
	_, err = io.ReadFull(c.in, c.body)
	return err
}

// header reads up to the body, and returns its length, or that it is chunked.
func (c *client) header() (int, error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if !bytes.HasPrefix(line, okLine) {
		rest, _ := c.in.Peek(min(c.in.Buffered(), 1000)) // as much as is there
		return 0, fmt.Errorf("an answer that is not 200: %s%s", line, rest)
	}
	length := unsaid
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if len(line) <= 2 {
			break
		}
		said, err := framing(line)
		if err != nil {
			return 0, err
		}
		if said != unsaid {
			length = said
		}
	}
	if length == unsaid {
		return 0, errors.New("an answer without its length")
	}
	return length, nil
}

// elsewhere runs the load in a process of its own.
func (l load) elsewhere(ctx context.Context) (answered, error) {
	var result answered
	p, err := cast(ctx, roleLoad, l)
	if err != nil {
		return result, err
	}
	line, err := p.line()
	if err != nil {
		return result, err
	}
	if err := json.Unmarshal([]byte(line), &result); err != nil {
		return result, err
	}
	return result, p.end()
}
