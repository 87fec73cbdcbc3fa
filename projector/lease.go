package projector

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"freshet/projector/checkpoint"
	"freshet/projector/session"
)

// Leadership. The leader holds an advisory lock by a session of its own, and
// shows that it is alive by a statement on it every second, from a goroutine
// that does nothing else: a batch may take hours. Postgres keeps the time of a
// session's last statement, so that this writes nothing.
//
// The lock alone would not do: the sessions of a leader that is frozen, or
// whose machine is gone, stay open for minutes or for ever. A projector that
// stands by therefore watches the leader, and when it has seen no statement of
// it for Config.Lease it ends that session and takes the lock. Before it does
// anything else it ends all the other sessions of earlier leaders, which may
// hold the slot, locks on documents, or a half-done batch. Should any write be
// on its way nevertheless, the checkpoint's epoch stops it.

// beats is how many signs of life a leader gives in the time after which it is
// taken for dead.
const beats = 10

// lease is the leader's session.
type lease struct {
	engine *Engine
	conn   *pgx.Conn
	beat   time.Duration
}

// lead waits until this engine holds the slot's lock, and no session of an
// earlier leader is left.
func (e *Engine) lead(ctx context.Context) (*lease, error) {
	conn, err := session.Connect(ctx, e.cfg.ConnConfig, checkpoint.Purpose)
	if err != nil {
		return nil, err
	}
	l := &lease{engine: e, conn: conn, beat: min(standbyPoll, e.cfg.Lease/beats)}
	if err = l.take(ctx); err != nil {
		session.Close(conn)
		return nil, err
	}
	return l, nil
}

// take waits for the lock.
func (l *lease) take(ctx context.Context) error {
	e := l.engine
	var still session.Still
	for {
		ok, _, err := checkpoint.TryLock(ctx, l.conn, e.cfg.Slot)
		if err != nil {
			return err
		}
		if ok {
			return l.taken(ctx)
		}
		leader, err := checkpoint.Holder(ctx, l.conn, e.cfg.Slot)
		if err != nil {
			return err
		}
		if err = l.standBy(ctx, leader, &still); err != nil {
			return err
		}
		if err = sleep(ctx, l.beat); err != nil {
			return err
		}
	}
}

// standBy watches the leader, and ends its session when it is dead.
func (l *lease) standBy(ctx context.Context, leader checkpoint.Leader, still *session.Still) error {
	e := l.engine
	if leader.PID == 0 {
		return nil
	}
	ghost := leader.Is(e.ghost) // our own, from before a connection broke
	silent := still.Observe(fmt.Sprint(leader.PID, leader.Since, leader.Beat), time.Now(), 2*l.beat)
	switch {
	case leader.Beat == "":
		e.setState(Standby, "another projector leads: "+leader.String()+
			". Whether it lives cannot be seen: it belongs to another role, or to a command that holds the lock, or track_activities is off")
		return nil
	case !ghost && silent < e.cfg.Lease/2:
		e.setState(Standby, "another projector leads: "+leader.String())
		return nil
	case !ghost && silent < e.cfg.Lease:
		e.setState(Standby, fmt.Sprintf("another projector leads: %s, silent for %s", leader, silent.Round(time.Second)))
		return nil
	}
	err := checkpoint.Depose(ctx, l.conn, leader)
	if checkpoint.Denied(err) {
		e.setState(Standby, "the leading projector is dead, and this role may not end its session: SELECT pg_terminate_backend(PID) as its owner: "+leader.String())
		return nil
	}
	if err == nil && !ghost {
		e.setState(Standby, fmt.Sprintf("taking over: the projector that leads has been silent for %s, and its session was ended: %s", silent.Round(time.Second), leader))
	}
	return err
}

// taken makes the lock's holder the leader.
func (l *lease) taken(ctx context.Context) error {
	e := l.engine
	self, err := checkpoint.Self(ctx, l.conn)
	if err != nil {
		return err
	}
	left, err := checkpoint.Evict(ctx, l.conn, e.cfg.Slot)
	if err != nil {
		return err
	}
	if left > 0 {
		e.setState(Starting, fmt.Sprintf("ended %d sessions that the projector before had left", left))
	}
	e.ghost = self
	e.leader.Store(self.PID)
	return nil
}

// admit has every connection of a leading engine join its household.
func (e *Engine) admit(ctx context.Context, conn *pgconn.PgConn) error {
	if pid := e.leader.Load(); pid != 0 {
		return checkpoint.Join(ctx, conn, e.cfg.Slot, pid)
	}
	return nil
}

// during does work for as long as the lease can be kept, and then ends it.
func (l *lease) during(ctx context.Context, work func(context.Context) (bool, error)) (up bool, err error) {
	defer session.Close(l.conn)
	defer l.engine.leader.Store(0)
	held, drop := context.WithCancel(ctx)
	defer drop()
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx)) // to the end of an orderly stop
	kept := make(chan error, 1)
	go func() { // waited for below
		lost := l.keep(keeping)
		if lost != nil {
			drop()
			l.engine.watch.Cut(lost) // what another may lead by now is no business of ours
		}
		kept <- lost
	}()
	up, err = work(held)
	stop()
	if lost := <-kept; lost != nil && ctx.Err() == nil {
		return up, lost
	}
	return up, err
}

// keep gives signs of life until ctx ends, or returns why it could not. Each
// also asks after the engine's other connections.
func (l *lease) keep(ctx context.Context) error {
	ticker := time.NewTicker(l.beat)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		if err := l.show(ctx); err != nil && ctx.Err() == nil {
			return fmt.Errorf("lost the lead: %w", err)
		}
	}
}

// show is one sign of life. It has half of the lease's time: a leader gives up
// before another takes it for dead.
func (l *lease) show(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, l.engine.cfg.Lease/2)
	defer cancel()
	return l.engine.watch.Look(bounded, l.conn)
}
