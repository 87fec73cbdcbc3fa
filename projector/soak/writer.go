package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

// connect opens a connection for the workload. Its timeouts keep writers that
// block each other moving.
func connect(ctx context.Context, url, name string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	cfg.RuntimeParams["application_name"] = "soak " + name
	cfg.RuntimeParams["lock_timeout"] = "2s"
	cfg.RuntimeParams["deadlock_timeout"] = "50ms"
	return pgx.ConnectConfig(ctx, cfg)
}

// session keeps one connection, and opens another when it was lost and the
// run restarts the server.
type session struct {
	run  *run
	name string
	conn *pgx.Conn
}

// do calls f with a connection, again while the server is restarting.
func (s *session) do(ctx context.Context, f func(*pgx.Conn) error) error {
	for {
		err := s.try(ctx, f)
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		lost := s.conn == nil || s.conn.IsClosed()
		if !lost || !s.run.restarts() {
			return err
		}
		s.conn = nil
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

func (s *session) try(ctx context.Context, f func(*pgx.Conn) error) (err error) {
	if s.conn == nil {
		if s.conn, err = connect(ctx, s.run.cfg.URL, s.name); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		if err = s.forget(ctx); err != nil {
			return fmt.Errorf("roll back what was prepared: %w", err)
		}
	}
	return f(s.conn)
}

// transactionTime bounds a transaction of a writer.
const transactionTime = 2 * time.Minute

// transact runs a transaction to its end, even when the run is over: one that
// was prepared must not be left behind.
func (s *session) transact(ctx context.Context, t *transaction, gid string) (o outcome, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), transactionTime)
	defer cancel()
	err = s.do(ctx, func(c *pgx.Conn) (err error) {
		o, err = t.run(ctx, c, gid)
		if err != nil && c.IsClosed() {
			s.run.trace.transaction(s.name, t, o, true)
		}
		return err
	})
	if err == nil {
		s.run.trace.transaction(s.name, t, o, false)
		s.run.drawn.book(t, o)
	}
	return o, err
}

// prepared begins the names of the session's prepared transactions.
func (s *session) prepared() string { return s.name + " " }

// forget rolls back what a lost connection had prepared.
func (s *session) forget(ctx context.Context) error {
	rows, err := s.conn.Query(ctx, `SELECT gid FROM pg_prepared_xacts WHERE database = current_database() AND starts_with(gid, $1)`, s.prepared())
	if err != nil {
		return err
	}
	gids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, gid := range gids {
		if err == nil {
			_, err = s.conn.Exec(ctx, "ROLLBACK PREPARED '"+gid+"'")
		}
	}
	return err
}

func (s *session) close() {
	if s.conn != nil {
		_ = s.conn.Close(context.Background()) // the run is over
	}
}

// pause waits; it is for pacing, never for something to have happened.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// generator returns the generator of one actor of a run.
func (r *run) generator(actor uint64) *rand.Rand { return rand.New(rand.NewPCG(r.cfg.Seed, actor)) }

// write is the life of one writer: transaction after transaction, at the
// configured rate, none while the gate is shut.
func (r *run) write(ctx context.Context, number int) error {
	s := &session{run: r, name: fmt.Sprintf("writer %d", number)}
	defer s.close()
	random := r.generator(uint64(number))
	interval := time.Duration(float64(time.Second) * float64(r.cfg.Writers) / r.cfg.Rate)
	next := time.Now()
	for n := 0; ; n++ {
		t := drawTransaction(random, r.twoPhase)
		if err := r.gate.pass(ctx); err != nil {
			return nil
		}
		_, err := s.transact(ctx, t, fmt.Sprintf("%s%d", s.prepared(), n))
		r.gate.leave()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("writer %d, transaction %d: %w", number, n, err)
		}
		if next = next.Add(interval); time.Until(next) < -time.Second {
			next = time.Now()
		}
		if pause(ctx, time.Until(next)) != nil {
			return nil
		}
	}
}
