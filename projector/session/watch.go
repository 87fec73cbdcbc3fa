package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrDead says that a connection was given up: the server waits for us, and we
// for its answer, which was lost on the way.
var ErrDead = errors.New("the connection is dead: the answer of the server is lost, for it has long been waiting for us")

// Watch notices connections that are dead although nobody closed them: a
// firewall or a proxy that forgot them, a cable that was pulled. A deadline for
// each statement would not do, since one may rightly take hours. So the server
// is asked, over another connection, what it is doing for us: where it has been
// waiting for its client (or has ended) for as long as the limit, while we were
// waiting for its answer and not a byte moved, the connection is cut, and
// whoever reads from it gets ErrDead.
//
// Replication connections are left alone: they have a watchdog of their own. A
// COPY to the server must not wait for its rows for as long as the limit.
type Watch struct {
	limit time.Duration
	admit func(context.Context, *pgconn.PgConn) error

	mu    sync.Mutex
	wires map[*wire]struct{}
}

// NewWatch returns a watch over connections that may be silent for limit.
// Every new connection, of replication too, is first given to admit, which may
// refuse it.
func NewWatch(limit time.Duration, admit func(context.Context, *pgconn.PgConn) error) *Watch {
	return &Watch{limit: limit, admit: admit, wires: map[*wire]struct{}{}}
}

// Over returns a copy of base whose connections are watched.
func (w *Watch) Over(base *pgx.ConnConfig) *pgx.ConnConfig {
	cfg := base.Copy()
	wrap, after := cfg.AfterNetConnect, cfg.AfterConnect
	cfg.AfterNetConnect = func(ctx context.Context, c *pgconn.Config, conn net.Conn) (net.Conn, error) {
		if wrap != nil {
			var err error
			if conn, err = wrap(ctx, c, conn); err != nil {
				return conn, err
			}
		}
		if c.RuntimeParams["replication"] != "" {
			return conn, nil
		}
		return w.add(conn), nil
	}
	cfg.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if wired, ok := conn.Conn().(*wire); ok {
			wired.pid.Store(int32(conn.PID()))
		}
		if after != nil {
			if err := after(ctx, conn); err != nil {
				return err
			}
		}
		return w.admit(ctx, conn)
	}
	return cfg
}

func (w *Watch) add(conn net.Conn) *wire {
	wired := &wire{Conn: conn, watch: w}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wires[wired] = struct{}{}
	return wired
}

func (w *Watch) remove(wired *wire) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.wires, wired)
}

func (w *Watch) open() []*wire {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]*wire, 0, len(w.wires))
	for wired := range w.wires {
		all = append(all, wired)
	}
	return all
}

// Cut cuts all connections there are, for a cause that their readers get.
func (w *Watch) Cut(cause error) {
	for _, wired := range w.open() {
		wired.cut(cause)
	}
}

// Look asks the server over conn what it does for the connections, and cuts
// the dead ones. It is to be called often compared with the limit.
func (w *Watch) Look(ctx context.Context, conn *pgx.Conn) error {
	all := w.open()
	states, err := serverSide(ctx, conn, all)
	if err != nil {
		return err
	}
	for _, wired := range all {
		if wired.dead(states, w.limit) {
			wired.cut(fmt.Errorf("%w (pid %d, for %s)", ErrDead, wired.pid.Load(), w.limit))
		}
	}
	return nil
}

// serverSide returns, by pid, whether the server waits for its client. A pid
// that is not there has ended.
func serverSide(ctx context.Context, conn *pgx.Conn, all []*wire) (map[int32]bool, error) {
	pids := make([]int32, 0, len(all))
	for _, wired := range all {
		pids = append(pids, wired.pid.Load())
	}
	rows, err := conn.Query(ctx, "SELECT pid, coalesce(wait_event_type = 'Client', false) FROM pg_stat_activity WHERE pid = ANY ($1)", pids)
	if err != nil {
		return nil, fmt.Errorf("ask what the server does for us: %w", err)
	}
	states := map[int32]bool{}
	var pid int32
	var waits bool
	_, err = pgx.ForEachRow(rows, []any{&pid, &waits}, func() error {
		states[pid] = waits
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask what the server does for us: %w", err)
	}
	return states, nil
}

// dead says whether both ends have been waiting for each other for the limit.
func (c *wire) dead(states map[int32]bool, limit time.Duration) bool {
	waits, there := states[c.pid.Load()]
	c.known = c.known || there
	value := "both wait " + strconv.FormatInt(c.moved.Load(), 10)
	if !c.asked.Load() || c.inside.Load() == 0 || !c.known || there && !waits {
		c.still = Still{}
		return false
	}
	return c.still.Observe(value, time.Now(), limit/3) >= limit
}
