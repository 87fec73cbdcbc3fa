package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
)

// tick does what is due, and sets the deadline of the next read to when
// something will be.
func (s *Stream) tick(ctx context.Context, now time.Time) error {
	silence := now.Sub(s.lastHeard)
	switch {
	case silence >= s.watchdog:
		return s.lost(fmt.Errorf("%w: for %s", ErrSilent, silence.Round(time.Millisecond)))
	case silence >= s.watchdog/2 && !s.asked:
		s.asked = true
		if err := s.sendStatus(true); err != nil {
			return err
		}
	case !now.Before(s.nextStatus):
		if err := s.sendStatus(false); err != nil {
			return err
		}
	}
	return s.sleepUntilDue(ctx)
}

// sleepUntilDue sets the read deadline. ctx is looked at afterwards, since it
// may have been done, and its deadline overwritten, just before.
func (s *Stream) sleepUntilDue(ctx context.Context) error {
	patience := s.watchdog / 2
	if s.asked {
		patience = s.watchdog
	}
	s.wake = s.nextStatus
	if silent := s.lastHeard.Add(patience); silent.Before(s.wake) {
		s.wake = silent
	}
	if err := s.socket.SetReadDeadline(s.wake); err != nil {
		return fmt.Errorf("receive from the stream: %w", err)
	}
	return ctx.Err()
}

// sendStatus tells the server all three positions. None is left out:
// pglogrepl would put the received one for it, and the slot would forget what
// was never applied.
func (s *Stream) sendStatus(ask bool) error {
	received := s.Received()
	durable := min(s.Confirmed(), received)
	if err := s.socket.SetWriteDeadline(time.Now().Add(s.watchdog)); err != nil {
		return fmt.Errorf("send a status: %w", err)
	}
	err := pglogrepl.SendStandbyStatusUpdate(context.Background(), s.conn, pglogrepl.StandbyStatusUpdate{
		WALWritePosition: received,
		WALFlushPosition: durable,
		WALApplyPosition: durable,
		ReplyRequested:   ask,
	})
	if err != nil {
		return fmt.Errorf("send a status: %w", err)
	}
	s.nextStatus = time.Now().Add(s.interval)
	return nil
}

// Close tells the slot what was confirmed, ends the stream and closes the
// connection: the server has then taken note, and let go of the slot. ctx
// bounds the farewell, and is the only cause of an error: there is nobody to
// tell on a connection that is broken, or closed already. It is closed in any
// case. Run must have returned.
func (s *Stream) Close(ctx context.Context) error {
	defer hangUp(s.conn)
	if s.broken || s.conn.IsClosed() {
		return nil
	}
	deadline, bounded := ctx.Deadline()
	if !bounded {
		deadline = time.Now().Add(s.watchdog)
	}
	release := s.wakeWhenDone(ctx)
	defer release()
	if err := s.sendStatus(false); err != nil {
		return nil //nolint:nilerr // it is broken: there is nobody to tell
	}
	if err := s.socket.SetDeadline(deadline); err != nil || ctx.Err() != nil {
		return ctx.Err()
	}
	if _, err := pglogrepl.SendStandbyCopyDone(ctx, s.conn); err != nil && ctx.Err() != nil {
		return fmt.Errorf("end the stream: %w", ctx.Err())
	}
	return nil
}
