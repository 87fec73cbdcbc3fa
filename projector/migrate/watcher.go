package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// session is another session, as far as this role may see it.
type session struct {
	PID         int32
	User        string
	Application string
	Address     string
	State       string
	Seconds     float64 // since its transaction began
}

// String says who it is.
func (s session) String() string {
	if s.PID == 0 {
		return "a prepared transaction (SELECT * FROM pg_prepared_xacts)"
	}
	text := fmt.Sprintf("pid %d", s.PID)
	if s.User != "" {
		text += " of user " + s.User
	}
	if s.Application != "" {
		text += fmt.Sprintf(" (%s)", s.Application)
	}
	if s.Address != "" {
		text += " from " + s.Address
	}
	if s.State != "" {
		text += fmt.Sprintf(", %s, in its transaction for %s", s.State, time.Duration(s.Seconds*float64(time.Second)).Round(100*time.Millisecond))
	}
	return text
}

// watcher looks whom the worker waits for, on a connection of its own.
type watcher struct {
	conn  *pgx.Conn // nil: it sees nothing
	every time.Duration

	mu   sync.Mutex
	last []string
}

// seen returns whom the worker waited for last in this step.
func (w *watcher) seen() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.last)
}

// watch begins to look whom pid waits for, and calls tell when that changes.
// The returned function ends it, and returns when it has ended.
func (w *watcher) watch(ctx context.Context, pid uint32, tell func(who string)) (stop func()) {
	w.mu.Lock()
	w.last = nil
	w.mu.Unlock()
	if w.conn == nil {
		return func() {}
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		w.look(ctx, pid, quit, tell)
	}()
	return func() {
		close(quit)
		<-ended
	}
}

// look polls until quit. An error ends it: the work goes on without.
func (w *watcher) look(ctx context.Context, pid uint32, quit <-chan struct{}, tell func(string)) {
	tick := time.NewTicker(max(w.every, 10*time.Millisecond))
	defer tick.Stop()
	var told []int32
	for {
		select {
		case <-quit:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		found, err := holders(ctx, w.conn, pid)
		if err != nil {
			return
		}
		pids := make([]int32, len(found))
		names := make([]string, len(found))
		for i, s := range found {
			pids[i], names[i] = s.PID, s.String()
		}
		if len(found) == 0 || slices.Equal(pids, told) {
			continue
		}
		told = pids
		w.mu.Lock()
		w.last = names
		w.mu.Unlock()
		tell("waits for " + strings.Join(names, ", "))
	}
}

// holders returns the sessions that pid waits for.
func holders(ctx context.Context, conn *pgx.Conn, pid uint32) ([]session, error) {
	rows, err := conn.Query(ctx, `
SELECT DISTINCT b.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''), coalesce(host(a.client_addr), ''),
       coalesce(a.state, ''), coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::float8
  FROM unnest(pg_catalog.pg_blocking_pids($1)) b (pid)
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid
 ORDER BY b.pid`, int32(pid))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[session])
}
