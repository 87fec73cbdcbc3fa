// Package stream owns the replication connection: it follows a logical slot,
// hands on whole transactions and tells the server how far they are durable.
//
// Guarantees: transactions come in commit order, each whole; after a reconnect
// those that were not confirmed come again. What is confirmed to the slot is
// only what Confirm was told, and never beyond what was received. While the
// consumer is slow nothing more is read, but the server goes on being answered,
// so that it does not drop the connection. A silent connection is noticed. What
// cannot be decoded is an error, never skipped.
package stream

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"

	"freshet/projector/batch"
)

// Config says what to follow, and how.
type Config struct {
	// Conn is how to connect. It is copied; what replication needs is set in
	// the copy.
	Conn        *pgconn.Config
	Slot        string // a-z, 0-9 and _
	Publication string
	// Origin leaves out what was written by a session with a replication
	// origin, any origin: where a subscription writes to source tables its
	// changes would be missed. It needs a server of version 16, and is ignored
	// on others. The projector does not use it: see docs/how-it-works.md.
	Origin bool
	// Start, where it is beyond what is confirmed to the slot, is where to
	// resume: transactions that end at or before it are not sent. 0: go by the
	// slot alone.
	Start pglogrepl.LSN
	// StatusInterval is how often the server is told how far we are. 0: a third
	// of its wal_sender_timeout, at most 10 s.
	StatusInterval time.Duration
	// Watchdog is how long the server may say nothing; at half of it it is
	// asked. 0: its wal_sender_timeout, at least 10 s; 60 s where it has none.
	Watchdog time.Duration
}

// Event is what a Stream delivers: a Transaction, or else word that everything
// up to Idle has been delivered.
type Event struct {
	Transaction *batch.Transaction
	Idle        pglogrepl.LSN
}

// System says what server a Stream is connected to.
type System struct {
	ID       string // of the cluster
	Timeline int32
	Position pglogrepl.LSN // how far its WAL was flushed at the time of connecting
	Database string
	Version  int // as server_version_num: 150018
}

// Stream is an open replication stream. Confirm, Received and Confirmed may be
// called from any goroutine at any time; Run and Close belong to one.
type Stream struct {
	conn      *pgconn.PgConn
	socket    net.Conn
	assembler *batch.Assembler
	system    System
	resumed   pglogrepl.LSN
	interval  time.Duration
	watchdog  time.Duration

	// The three positions, each on its own: received is the end of what was
	// read from the stream, confirmed what the consumer said is durable. What
	// was applied is the consumer's to know.
	received  atomic.Uint64
	confirmed atomic.Uint64

	// Run's alone:
	nextStatus time.Time     // when a status is due
	lastHeard  time.Time     // when the server last said something
	asked      bool          // a reply was requested since
	wake       time.Time     // the read deadline in force
	delivered  pglogrepl.LSN // the consumer knows that everything up to here has been delivered
	broken     bool          // nobody listens at the other end any more
}

// Open connects and starts streaming from the slot. Nothing is read until Run.
// The assembler is reset: it must be used by this stream only.
//
// Its errors are the Err… values of this package where a caller may want to
// branch, *SlotActiveError among them.
func Open(ctx context.Context, cfg Config, assembler *batch.Assembler) (*Stream, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	conn, err := connect(ctx, cfg.Conn, nil)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, conn, cfg, assembler)
	if err != nil {
		hangUp(conn)
		return nil, fmt.Errorf("stream from slot %s: %w", cfg.Slot, err)
	}
	return s, nil
}

func (cfg Config) validate() error {
	if err := CheckSlotName(cfg.Slot); err != nil {
		return err
	}
	if cfg.Publication == "" {
		return fmt.Errorf("%w: no publication is named", ErrPublicationMissing)
	}
	return nil
}

func open(ctx context.Context, conn *pgconn.PgConn, cfg Config, assembler *batch.Assembler) (*Stream, error) {
	system, err := identify(ctx, conn)
	if err != nil {
		return nil, err
	}
	info, err := inspect(ctx, conn, cfg)
	if err != nil {
		return nil, err
	}
	system.Version = info.version
	if err := info.check(cfg, system); err != nil {
		return nil, err
	}
	if err := start(ctx, conn, cfg, info); err != nil {
		return nil, err
	}
	assembler.Reset()
	s := &Stream{
		conn: conn, socket: conn.Conn(), assembler: assembler, system: system,
		resumed:  max(info.confirmed, cfg.Start),
		interval: statusInterval(cfg, info.senderTimeout),
		watchdog: watchdog(cfg, info.senderTimeout),
	}
	s.confirmed.Store(uint64(info.confirmed))
	s.received.Store(uint64(s.resumed))
	s.delivered = s.resumed
	return s, nil
}

func statusInterval(cfg Config, senderTimeout time.Duration) time.Duration {
	const most = 10 * time.Second
	switch {
	case cfg.StatusInterval > 0:
		return cfg.StatusInterval
	case senderTimeout > 0:
		return min(senderTimeout/3, most)
	}
	return most
}

func watchdog(cfg Config, senderTimeout time.Duration) time.Duration {
	switch {
	case cfg.Watchdog > 0:
		return cfg.Watchdog
	case senderTimeout > 0:
		return max(senderTimeout, 10*time.Second)
	}
	return time.Minute
}

// System says what server the stream comes from.
func (s *Stream) System() System { return s.system }

// PID is the process of the server that sends the stream.
func (s *Stream) PID() uint32 { return s.conn.PID() }

// Resumed is where the stream began: everything that ends at or before it had
// been confirmed, or was left out by Config.Start.
func (s *Stream) Resumed() pglogrepl.LSN { return s.resumed }

// Received is the end of what was read from the stream: of the last whole
// transaction, or of WAL that holds none.
func (s *Stream) Received() pglogrepl.LSN { return pglogrepl.LSN(s.received.Load()) }

// Confirmed is what Confirm was told last, or what the slot had confirmed.
func (s *Stream) Confirmed() pglogrepl.LSN { return pglogrepl.LSN(s.confirmed.Load()) }

// Confirm says that every transaction that ends at or before lsn is durably
// applied. The server is told with the next status, or by Close. A position
// below an earlier one is ignored.
func (s *Stream) Confirm(lsn pglogrepl.LSN) {
	for {
		before := s.confirmed.Load()
		if uint64(lsn) <= before || s.confirmed.CompareAndSwap(before, uint64(lsn)) {
			return
		}
	}
}
