package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"
)

const clients = 8

// triggers compares how many single-row changes a second eight clients can
// make for as long as they like: with Freshet, until all their documents are
// there, and with row triggers that keep the very same documents within the
// clients' transactions.
func triggers(ctx context.Context, w *world) error {
	var s sides
	for range w.rounds {
		theirs, err := w.triggered(ctx)
		if err != nil {
			return fmt.Errorf("with triggers: %w", err)
		}
		ours, err := w.streamed(ctx)
		if err != nil {
			return err
		}
		w.log("changes a second: triggers %.0f, freshet %.0f", theirs, ours)
		s.ours, s.theirs = append(s.ours, ours), append(s.theirs, theirs)
	}
	ours, theirs := s.values()
	w.triggerRate = theirs
	w.report.add(row{Name: "changes by 8 clients, documents included", Unit: "/s", Value: ours, Baseline: theirs,
		Against: "row triggers that keep the same documents"}, nothing)
	return nil
}

// triggered returns the rate with triggers.
func (w *world) triggered(ctx context.Context) (float64, error) {
	name, err := w.copyOf(ctx, documents)
	if err != nil {
		return 0, err
	}
	_, plan, err := w.compiled(ctx, name)
	if err != nil {
		return 0, err
	}
	err = w.with(ctx, name, func(conn *pgx.Conn) error {
		for _, source := range plan.Sources {
			if _, err := conn.Exec(ctx, rowTrigger(source)); err != nil {
				return fmt.Errorf("trigger of %s: %w", source.Table.Name, err)
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	made, took, err := w.change(ctx, name)
	if err != nil {
		return 0, err
	}
	if err := w.compare(ctx, name, plan); err != nil {
		return 0, err
	}
	return float64(made) / took.Seconds(), w.drop(ctx, name)
}

// streamed returns the rate with Freshet. The time that it takes to catch up
// counts.
func (w *world) streamed(ctx context.Context) (float64, error) {
	name, err := w.copyOf(ctx, documents)
	if err != nil {
		return 0, err
	}
	_, plan, err := w.compiled(ctx, name)
	if err != nil {
		return 0, err
	}
	s, err := w.start(ctx, name, "run")
	if err != nil {
		return 0, err
	}
	made, took, err := w.change(ctx, name)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := w.caughtUp(ctx, name); err != nil {
		return 0, err
	}
	late := time.Since(began)
	w.log("%d changes in %s, all documents %s later", made, took.Round(time.Millisecond), late.Round(time.Millisecond))
	if err := errors.Join(s.stop(), w.compare(ctx, name, plan)); err != nil {
		return 0, err
	}
	return float64(made) / (took + late).Seconds(), w.drop(ctx, name)
}

// caughtUp waits until all that is committed now is in the documents.
func (w *world) caughtUp(ctx context.Context, database string) error {
	return w.with(ctx, database, func(conn *pgx.Conn) error {
		var lsn string
		if err := conn.QueryRow(ctx, "SELECT pg_logical_emit_message(true, 'freshet', 'bench')::text").Scan(&lsn); err != nil {
			return err
		}
		for done := false; !done; {
			if err := pause(ctx, time.Millisecond); err != nil {
				return err
			}
			if err := conn.QueryRow(ctx, "SELECT complete >= $1::pg_lsn FROM freshet.checkpoint", lsn).Scan(&done); err != nil {
				return err
			}
		}
		return nil
	})
}

// change lets the clients make changes as fast as they can.
func (w *world) change(ctx context.Context, database string) (made int, took time.Duration, err error) {
	cs, err := w.changers(ctx, database)
	if err != nil {
		return 0, 0, err
	}
	while := time.Duration(w.seconds) * time.Second / 4
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for _, c := range cs {
		group.Go(func() error {
			return w.with(ctx, database, func(conn *pgx.Conn) error { return c.run(ctx, conn, began.Add(while)) })
		})
	}
	if err := group.Wait(); err != nil {
		return 0, 0, err
	}
	took = time.Since(began)
	for _, c := range cs {
		made += c.made
	}
	return made, took, nil
}

// changers makes the clients.
func (w *world) changers(ctx context.Context, database string) ([]*changer, error) {
	keys := map[string][]string{}
	err := w.with(ctx, database, func(conn *pgx.Conn) (err error) {
		for _, table := range []string{"tb_user", "tb_post", "tb_comment"} {
			if keys[table], err = keysOf(ctx, conn, table); err != nil {
				return err
			}
		}
		return nil
	})
	cs := make([]*changer, clients)
	for i := range cs {
		cs[i] = &changer{keys: keys, rng: rand.New(rand.NewPCG(seed, uint64(i)))}
	}
	return cs, err
}

// changes are what clients do, in percent.
var changes = []struct {
	percent    int
	table, sql string // $1 is a key of the table, $2 a text
}{
	{40, "tb_comment", "UPDATE tb_comment SET content = $2 WHERE id = $1"},
	{30, "tb_post", "UPDATE tb_post SET title = $2 WHERE id = $1"},
	{10, "tb_post", "UPDATE tb_post SET published = NOT published, content = $2 WHERE id = $1"},
	{10, "tb_user", "UPDATE tb_user SET full_name = $2 WHERE id = $1"},
	{10, "tb_post", "INSERT INTO tb_comment (post_id, author_id, content) SELECT id, author_id, $2 FROM tb_post WHERE id = $1"},
}

// changer is one client.
type changer struct {
	keys map[string][]string
	rng  *rand.Rand
	made int
}

func (c *changer) run(ctx context.Context, conn *pgx.Conn, end time.Time) error {
	for time.Now().Before(end) {
		if err := c.change(ctx, conn); err != nil {
			return err
		}
	}
	return nil
}

// change makes one of the changes.
func (c *changer) change(ctx context.Context, conn *pgx.Conn) error {
	n := c.rng.IntN(100)
	for _, ch := range changes {
		if n -= ch.percent; n < 0 {
			keys := c.keys[ch.table]
			return c.try(ctx, conn, ch.sql, keys[c.rng.IntN(len(keys))])
		}
	}
	return nil
}

// try makes a change, again after a deadlock: triggers lead to such.
func (c *changer) try(ctx context.Context, conn *pgx.Conn, sql, key string) error {
	for {
		_, err := conn.Exec(ctx, sql, key, fmt.Sprintf("changed at %d", time.Now().UnixNano()))
		var pg *pgconn.PgError
		if errors.As(err, &pg) && pg.Code == "40P01" {
			continue
		}
		if err == nil {
			c.made++
		}
		return err
	}
}
