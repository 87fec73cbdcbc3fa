package cache

import (
	"context"
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

// Querier runs a statement on the primary: a pgxpool.Pool, a pgx.Conn.
type Querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Marker puts markers into the WAL for strong reads. Every commit that was
// visible to anybody before LSN was called lies below the LSN that it returns;
// so once the watermark is at or past it (Feed.Wait), the documents reflect
// all of them.
//
// Callers share markers: those who come while one is being written get the
// next one, never the one under way, which may have been written before they
// came. So there is at most one statement at a time, however many ask.
type Marker struct {
	db      Querier
	flights lifetime

	mu      sync.Mutex
	next    *round // collects callers until the round before it is written
	running bool
}

// round is one marker and those who share it.
type round struct {
	done chan struct{} // closed when lsn or err is set
	lsn  pglogrepl.LSN
	err  error
}

// NewMarker returns a Marker that writes through db.
func NewMarker(db Querier) *Marker {
	m := &Marker{db: db}
	m.flights.init()
	return m
}

// LSN returns the LSN of a marker written after the call. Errors: of ctx, of
// the database, ErrClosed.
func (m *Marker) LSN(ctx context.Context) (pglogrepl.LSN, error) {
	r, err := m.board()
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
func (m *Marker) board() (*round, error) {
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
	return r, nil
}

// write writes rounds until nobody waits.
func (m *Marker) write(base context.Context) {
	for r := m.take(); r != nil; r = m.take() {
		r.lsn, r.err = m.emit(base)
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

func (m *Marker) emit(base context.Context) (pglogrepl.LSN, error) {
	ctx, cancel := context.WithTimeout(base, markerTimeout)
	defer cancel()
	var lsn pglogrepl.LSN
	if err := m.db.QueryRow(ctx, markerSQL).Scan(&lsn); err != nil {
		return 0, fmt.Errorf("write a marker: %w", err)
	}
	return lsn, nil
}

// Close cancels a marker under way and waits for its end.
func (m *Marker) Close(ctx context.Context) error { return m.flights.close(ctx) }
