package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"freshet/projector/wal"
)

// Run reads the stream and sends what comes to out, until ctx is done or an
// error occurs; it never returns nil. It may be called once. While out does
// not accept, nothing is read.
//
// Afterwards the connection is still open: Close tells the slot what was
// confirmed meanwhile.
func (s *Stream) Run(ctx context.Context, out chan<- Event) error {
	release := s.wakeWhenDone(ctx)
	defer release()
	now := time.Now()
	s.lastHeard, s.nextStatus = now, now.Add(s.interval)
	if err := s.tick(ctx, now); err != nil {
		return err
	}
	for {
		if err := s.step(ctx, out); err != nil {
			return err
		}
	}
}

// wakeWhenDone ends a blocking read when ctx is done, by a deadline in the
// past: that is the only thing another goroutine ever does to the connection.
// The result releases the watch, and waits for it if it is at work.
func (s *Stream) wakeWhenDone(ctx context.Context) (release func()) {
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		_ = s.socket.SetReadDeadline(time.Unix(1, 0))
	})
	return func() {
		if !stop() {
			<-woken
		}
	}
}

// step receives one message, if one comes before something else is due.
//
// The deadline is set on the socket, and only when it changes, because a
// context per message would cost more than the message. A read that ends early
// loses nothing: the frontend keeps the bytes of an unfinished message.
func (s *Stream) step(ctx context.Context, out chan<- Event) error {
	msg, err := s.conn.ReceiveMessage(context.Background())
	if ctx.Err() != nil {
		return ctx.Err()
	}
	now := time.Now()
	if err != nil {
		if !pgconn.Timeout(err) {
			return s.lost(runError(err))
		}
		return s.tick(ctx, now)
	}
	s.lastHeard, s.asked = now, false
	if err := s.handle(ctx, out, msg); err != nil {
		return err
	}
	if now.Before(s.wake) {
		return nil
	}
	return s.tick(ctx, now)
}

// handle deals with one message of the server.
func (s *Stream) handle(ctx context.Context, out chan<- Event, msg pgproto3.BackendMessage) error {
	switch m := msg.(type) {
	case *pgproto3.CopyData:
		return s.copyData(ctx, out, m.Data)
	case *pgproto3.ErrorResponse:
		return s.lost(runError(pgconn.ErrorResponseToPgError(m)))
	case *pgproto3.NoticeResponse:
		return s.notice(m)
	case *pgproto3.ParameterStatus, *pgproto3.NotificationResponse:
		return nil
	case *pgproto3.CopyDone, *pgproto3.CommandComplete:
		return s.lost(ErrServerClosed)
	}
	return s.lost(fmt.Errorf("unexpected message %T", msg))
}

// notice looks for the one warning that matters. From version 18 on a server
// whose publication is gone goes on and leaves out every change, where older
// ones end the stream with an error.
func (s *Stream) notice(m *pgproto3.NoticeResponse) error {
	if m.SeverityUnlocalized != "WARNING" || m.Code != "55000" {
		return nil
	}
	return s.lost(withCause(ErrPublicationMissing, pgconn.ErrorResponseToPgError((*pgproto3.ErrorResponse)(m))))
}

// lost reports that the stream ended at the other end, or that nothing more
// can be understood of it.
func (s *Stream) lost(err error) error {
	s.broken = true
	return fmt.Errorf("receive from the stream: %w", err)
}

// runError names the cause of an error in the middle of a stream. There an
// unknown object can only be the publication: the slot is ours.
func runError(err error) error {
	if sqlState(err) == "42704" {
		return withCause(ErrPublicationMissing, err)
	}
	return classify(err)
}

func (s *Stream) copyData(ctx context.Context, out chan<- Event, data []byte) error {
	if len(data) == 0 {
		return fmt.Errorf("receive from the stream: %w: an empty message", wal.ErrMalformed)
	}
	switch data[0] {
	case pglogrepl.XLogDataByteID:
		return s.xlogData(ctx, out, data[1:])
	case pglogrepl.PrimaryKeepaliveMessageByteID:
		return s.keepalive(ctx, out, data[1:])
	}
	return fmt.Errorf("receive from the stream: %w: of unknown kind %q", wal.ErrMalformed, data[0])
}

func (s *Stream) xlogData(ctx context.Context, out chan<- Event, data []byte) error {
	x, err := pglogrepl.ParseXLogData(data)
	if err != nil {
		return fmt.Errorf("receive from the stream: %w: %w", wal.ErrMalformed, err)
	}
	msg, err := wal.Decode(x.WALData)
	if err != nil {
		return fmt.Errorf("decode WAL at %s: %w", position(x), err)
	}
	tx, err := s.assembler.Feed(msg)
	if err != nil {
		return fmt.Errorf("read WAL at %s: %w", position(x), err)
	}
	if tx == nil {
		return nil
	}
	s.receivedUpTo(tx.EndLSN)
	s.delivered = max(s.delivered, tx.EndLSN)
	return s.deliver(ctx, out, Event{Transaction: tx})
}

// position is where a message stands; one that describes a table has none of
// its own.
func position(x pglogrepl.XLogData) pglogrepl.LSN {
	if x.WALStart == 0 {
		return x.ServerWALEnd
	}
	return x.WALStart
}

// keepalive answers the server if it asks, and tells the consumer what has
// been passed without a transaction for it. Inside a transaction the position
// says nothing: the server has read further than it has sent.
func (s *Stream) keepalive(ctx context.Context, out chan<- Event, data []byte) error {
	k, err := pglogrepl.ParsePrimaryKeepaliveMessage(data)
	if err != nil {
		return fmt.Errorf("receive from the stream: %w: %w", wal.ErrMalformed, err)
	}
	inside := s.assembler.InTransaction()
	if !inside {
		s.receivedUpTo(k.ServerWALEnd)
	}
	if k.ReplyRequested {
		if err := s.sendStatus(false); err != nil {
			return err
		}
	}
	if inside || k.ServerWALEnd <= s.delivered {
		return nil
	}
	s.delivered = k.ServerWALEnd
	return s.deliver(ctx, out, Event{Idle: k.ServerWALEnd})
}

func (s *Stream) receivedUpTo(lsn pglogrepl.LSN) {
	if uint64(lsn) > s.received.Load() { // Run is the only writer
		s.received.Store(uint64(lsn))
	}
}

// deliver waits until the consumer takes the event, and keeps the server
// informed meanwhile. Time spent here is not the server's silence.
func (s *Stream) deliver(ctx context.Context, out chan<- Event, e Event) error {
	select {
	case out <- e:
		return nil
	default:
	}
	defer func() { s.lastHeard = time.Now() }()
	for {
		due := time.NewTimer(time.Until(s.nextStatus))
		select {
		case out <- e:
			due.Stop()
			return nil
		case <-ctx.Done():
			due.Stop()
			return ctx.Err()
		case <-due.C:
			if err := s.sendStatus(false); err != nil {
				return err
			}
		}
	}
}
