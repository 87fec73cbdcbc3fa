package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/projector/stream"
)

// createSlot creates the slot. It has to wait for every transaction that runs
// now, in any database of the server: for Config.SlotWait at most, and saying
// for whom. Giving up leaves no slot behind.
func (e *Engine) createSlot(ctx context.Context, control *pgx.Conn) (*stream.SlotSnapshot, error) {
	horizon, err := xmax(ctx, control)
	if err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, e.cfg.SlotWait)
	defer cancel()
	over := make(chan struct{})
	named := make(chan string, 1)
	go func() { named <- e.sayWhoDelays(ctx, over, control, horizon) }() // waited for below
	created, err := stream.CreateSlot(bounded, e.streamConfig())
	close(over)
	who := <-named
	if err != nil && ctx.Err() == nil && errors.Is(bounded.Err(), context.DeadlineExceeded) {
		return nil, fmt.Errorf("create the slot: gave up after %s, and left none behind: these transactions must end first: %s (%w)", e.cfg.SlotWait, who, err)
	}
	return created, err
}

// xmax is the id of a transaction that begins now: every transaction that has
// written anything before has a lower one. (The xmax of a snapshot would not
// do: it is the one after the last that ended, and others may run beyond it.)
func xmax(ctx context.Context, conn *pgx.Conn) (string, error) {
	var horizon string
	if err := conn.QueryRow(ctx, "SELECT pg_current_xact_id()::text").Scan(&horizon); err != nil {
		return "", fmt.Errorf("note the running transactions: %w", err)
	}
	return horizon, nil
}

// sayWhoDelays tells whom the creation waits for, until it is over, and
// returns whom it named last. It never gives up a query half way, which would
// cost the connection.
func (e *Engine) sayWhoDelays(ctx context.Context, over <-chan struct{}, control *pgx.Conn, horizon string) (who string) {
	ticker := time.NewTicker(min(500*time.Millisecond, e.cfg.SlotWait/4))
	defer ticker.Stop()
	who = "none that this role can see"
	for {
		select {
		case <-over:
			return who
		case <-ctx.Done():
			return who
		case <-ticker.C:
		}
		names, err := elders(ctx, control, horizon)
		if err != nil {
			return who // the session fails by itself
		}
		who = names
		e.setState(Starting, "the slot is created when these transactions have ended: "+who)
	}
}
