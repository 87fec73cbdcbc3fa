package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
)

// errNoCheckpoint says that no projector has started on the slot yet.
var errNoCheckpoint = errors.New("there is no checkpoint of this slot yet")

// trimGuard is the pause in reading after which the feed asks whether rows it
// has not seen were trimmed: sync_log keeps its rows for much longer.
const trimGuard = time.Minute

// position is how far the feed has read.
type position struct {
	known  bool // false until the first connection
	gone   bool // the checkpoint was removed
	last   int64
	untold bool      // rows were carried out since the listeners were told of an advance
	lastAt time.Time // when the row last was logged: a server that crashed may give its id to another
	head   head
	readAt time.Time // when the log was last read to its end
}

// missedError says why rows of the log were missed.
type missedError struct{ reason string }

func (e *missedError) Error() string { return "rows of sync_log were missed: " + e.reason }

// session follows the log on one connection until it fails or ctx ends.
func (f *Feed) session(ctx context.Context, healthy func()) error {
	conn, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer f.hangUp(conn)
	if err := f.resume(ctx, conn); err != nil {
		return err
	}
	healthy()
	f.connected()
	for {
		if err := f.await(ctx, conn); err != nil {
			return err
		}
		if time.Since(f.pos.readAt) > trimGuard {
			err = f.resume(ctx, conn)
		} else {
			err = f.follow(ctx, conn)
		}
		if err != nil {
			return err
		}
	}
}

// open connects and listens, so that nothing written from now on goes unheard.
func (f *Feed) open(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.Timeout)
	defer cancel()
	conn, err := f.cfg.Connect(ctx)
	if err != nil {
		return nil, describe("connect", err)
	}
	if _, err := conn.Exec(ctx, "LISTEN freshet"); err != nil {
		f.hangUp(conn)
		return nil, describe("listen", err)
	}
	return conn, nil
}

// hangUp closes a connection, politely for a moment.
func (f *Feed) hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // it may be broken already
}

// resume reads on from the last row, or starts over where that cannot be.
func (f *Feed) resume(ctx context.Context, conn *pgx.Conn) error {
	h, err := f.readHead(ctx, conn)
	if err != nil {
		return err
	}
	if !f.pos.known {
		f.startOver(h)
		f.tellReset(h) // whoever has read before that knows of nothing since
		return f.follow(ctx, conn)
	}
	if reason := f.pos.missed(h); reason != "" {
		f.reset(h, reason)
	}
	return f.follow(ctx, conn)
}

// follow reads the log to its end. Where the end shows that this is no longer
// the log it followed, it starts over.
func (f *Feed) follow(ctx context.Context, conn *pgx.Conn) error {
	err := f.catchUp(ctx, conn)
	var missed *missedError
	if !errors.As(err, &missed) {
		return err
	}
	h, err := f.readHead(ctx, conn)
	if err != nil {
		return err
	}
	f.reset(h, missed.reason)
	return nil
}

// missed tells why rows after the last one read may be gone, or "".
func (p *position) missed(h head) string {
	switch {
	case p.gone:
		return "the checkpoint was removed"
	case h.maxID > 0 && h.maxID < p.last:
		return "the log is shorter than it was"
	case h.moved(p.head) != "":
		return h.moved(p.head)
	case p.last > 0 && h.minID > 0 && h.minID <= p.last && !h.lastAt.Equal(p.lastAt):
		return fmt.Sprintf("row %d is not the one that was read: the server lost it in a crash", p.last)
	case h.batch == p.head.batch && h.watermark == p.head.watermark:
		return "" // nothing was written meanwhile
	case h.minID > 0 && h.minID <= p.last+1:
		return "" // rows are trimmed from the oldest on: the next one stands yet
	}
	return fmt.Sprintf("the log was trimmed past row %d", p.last)
}

// startOver takes the head as the place to read on from. What was cached
// before is forgotten after the head was read: a fill that begins later sees
// at least the head's state, an earlier one is not stored.
func (f *Feed) startOver(h head) {
	for _, t := range f.targets {
		t.Purge()
	}
	f.pos = position{known: true, last: h.maxID, lastAt: h.maxAt, head: h, readAt: h.began}
	f.setLags(&h)
	f.come(h.batch)
	f.watermark.set(h.watermark)
	f.touched(h.began, h, 0, 0)
}

// reset starts over and tells so.
func (f *Feed) reset(h head, reason string) {
	f.startOver(h)
	f.mu.Lock()
	f.state.Resets++
	f.mu.Unlock()
	if f.cfg.Events.Reset != nil {
		f.cfg.Events.Reset(reason)
	}
	f.tellReset(h)
}

// tellReset tells the listeners that changes were missed.
func (f *Feed) tellReset(h head) {
	for _, l := range f.listening() {
		if l.Reset != nil {
			l.Reset(h.watermark)
		}
	}
}

// await returns when there may be something to read: a notification of a
// watermark that is not known yet, or the poll's time. A notification below
// the local watermark tells of a batch that was read already; an equal one may
// be another batch, for the watermark can stand still.
func (f *Feed) await(ctx context.Context, conn *pgx.Conn) error {
	wctx, cancel := context.WithTimeout(ctx, f.cfg.Poll)
	defer cancel()
	for {
		n, err := conn.WaitForNotification(wctx)
		if err != nil {
			if ctx.Err() == nil && wctx.Err() != nil && !conn.IsClosed() {
				return nil
			}
			return describe("wait for a notification", err)
		}
		lsn, err := pglogrepl.ParseLSN(n.Payload)
		if err != nil || lsn >= f.Watermark() {
			return nil
		}
	}
}
