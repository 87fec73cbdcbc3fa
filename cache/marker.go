package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
)

// markerTimeout bounds the writing of a marker, which is shared and therefore
// runs apart from the callers' contexts.
const markerTimeout = 5 * time.Second

// markerSQL writes a marker and returns its LSN, in one round trip. The commit
// is local: it flushes the WAL, without which the marker would not be streamed,
// and never waits for a standby. The setting is the statement's own.
const markerSQL = `WITH local AS MATERIALIZED (SELECT set_config('synchronous_commit', 'local', true))
SELECT pg_logical_emit_message(true, 'freshet', 'read') FROM local`

// wantSQL writes the message by which the projector is asked for documents. It
// is not flushed: the marker that follows it does that, with one wait for both.
// The content is bytes, so that no encoding of the database comes between.
const wantSQL = `WITH later AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
SELECT pg_logical_emit_message(true, 'freshet', $1::bytea) FROM later`

// wantPrefix begins the content: a JSON object of keys by read model follows.
const wantPrefix = "want "

// maxWant is how many keys one message has at most.
const maxWant = 1000

// Querier runs a statement on the primary: a pgxpool.Pool, a pgx.Conn.
type Querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Marker puts markers into the WAL for strong reads. Every commit that was
// visible to anybody before LSN was called lies below the LSN that it returns;
// so once the watermark is at or past it (Feed.Wait), the documents reflect
// all of them.
//
// With Want it asks the projector for documents that lag behind the watermark.
//
// Callers share markers: those who come while one is being written get the
// next one, never the one under way, which may have been written before they
// came; the keys that they want go with it, each once. So there is at most one
// statement at a time, however many ask.
type Marker struct {
	db      Querier
	flights lifetime

	mu      sync.Mutex
	next    *round // collects callers until the round before it is written
	running bool
}

// round is one marker and those who share it.
type round struct {
	wants wants
	done  chan struct{} // closed when lsn or err is set
	lsn   pglogrepl.LSN
	err   error
}

// wants are the keys that the callers of a round want, by model.
type wants map[string]map[string]struct{}

// NewMarker returns a Marker that writes through db.
func NewMarker(db Querier) *Marker {
	m := &Marker{db: db}
	m.flights.init()
	return m
}

// LSN returns the LSN of a marker written after the call. Errors: of ctx, of
// the database, ErrClosed.
func (m *Marker) LSN(ctx context.Context) (pglogrepl.LSN, error) {
	return m.join(ctx, nil)
}

// Want asks the projector to rebuild documents of models that lag behind the
// watermark for a fan-out (Lag.Wantable): keys by model. Once the watermark is at or past the LSN that it
// returns, these documents reflect every commit that the watermark had come to
// when Want was called. Errors as of LSN.
//
// The LSN is that of a marker behind the message, not the message's own: the
// watermark may stand between a message and its commit, and then tells nothing
// of it.
func (m *Marker) Want(ctx context.Context, keys map[string][]string) (pglogrepl.LSN, error) {
	return m.join(ctx, keys)
}

func (m *Marker) join(ctx context.Context, keys map[string][]string) (pglogrepl.LSN, error) {
	r, err := m.board(keys)
	if err != nil {
		return 0, err
	}
	select {
	case <-r.done:
		return r.lsn, r.err
	case <-ctx.Done():
		return 0, fmt.Errorf("write a marker: %w", ctx.Err())
	}
}

// board joins the round that is yet to be written, and starts the writer if it
// is not at work.
func (m *Marker) board(keys map[string][]string) (*round, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.next == nil {
		m.next = &round{done: make(chan struct{})}
	}
	r := m.next
	if !m.running {
		if !m.flights.start(m.write) {
			return nil, fmt.Errorf("write a marker: %w", ErrClosed)
		}
		m.running = true
	}
	r.add(keys)
	return r, nil
}

func (r *round) add(keys map[string][]string) {
	for model, list := range keys {
		if r.wants == nil {
			r.wants = wants{}
		}
		if r.wants[model] == nil {
			r.wants[model] = make(map[string]struct{}, len(list))
		}
		for _, key := range list {
			r.wants[model][key] = struct{}{}
		}
	}
}

// write writes rounds until nobody waits.
func (m *Marker) write(base context.Context) {
	for r := m.take(); r != nil; r = m.take() {
		r.lsn, r.err = m.round(base, r.wants)
		close(r.done)
	}
}

// take closes the next round to further callers, or ends the writer.
func (m *Marker) take() *round {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.next
	m.next = nil
	m.running = r != nil
	return r
}

// round writes what is wanted, and then the marker.
func (m *Marker) round(base context.Context, wanted wants) (pglogrepl.LSN, error) {
	messages, err := wanted.messages()
	if err != nil {
		return 0, err
	}
	for _, content := range messages {
		if _, err := m.emit(base, wantSQL, content); err != nil {
			return 0, fmt.Errorf("ask for documents: %w", err)
		}
	}
	lsn, err := m.emit(base, markerSQL)
	if err != nil {
		return 0, fmt.Errorf("write a marker: %w", err)
	}
	return lsn, nil
}

func (m *Marker) emit(base context.Context, sql string, args ...any) (pglogrepl.LSN, error) {
	ctx, cancel := context.WithTimeout(base, markerTimeout)
	defer cancel()
	var lsn pglogrepl.LSN
	err := m.db.QueryRow(ctx, sql, args...).Scan(&lsn)
	return lsn, err
}

// messages returns the contents of the messages that ask for the keys.
func (w wants) messages() (contents [][]byte, err error) {
	part, n := map[string][]string{}, 0
	flush := func() {
		text, failed := json.Marshal(part)
		err = errors.Join(err, failed)
		contents = append(contents, append([]byte(wantPrefix), text...))
		part, n = map[string][]string{}, 0
	}
	for model, keys := range w {
		for key := range keys {
			part[model] = append(part[model], key)
			if n++; n == maxWant {
				flush()
			}
		}
	}
	if n > 0 {
		flush()
	}
	return contents, err
}

// Close cancels a marker under way and waits for its end.
func (m *Marker) Close(ctx context.Context) error { return m.flights.close(ctx) }
