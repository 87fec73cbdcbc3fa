package soak

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/jackc/pgx/v5"
)

// transactOf runs statements as one traced transaction of a fault.
func (r *run) transactOf(ctx context.Context, s *session, name string, stmts []stmt) (bool, error) {
	if err := r.gate.pass(ctx); err != nil {
		return false, err
	}
	defer r.gate.leave()
	t := &transaction{kind: name, begin: "BEGIN", end: commit}
	for _, st := range stmts {
		t.steps = append(t.steps, step{stmt: st})
	}
	o, err := s.transact(ctx, t, "")
	return o.committed, err
}

// fanOut renames hubs: one, or all of them with spokes that move meanwhile.
func (r *run) fanOut(ctx context.Context, s *session, random *rand.Rand) (bool, error) {
	stmts := []stmt{{renameHub, []any{1 + random.IntN(hubs), phrase(random)}}}
	if random.IntN(3) == 0 {
		stmts = upheaval(random)
	}
	return r.transactOf(ctx, s, "fan-out", stmts)
}

func (r *run) truncate(ctx context.Context, s *session, random *rand.Rand) (bool, error) {
	table := []string{"tb_note", "tb_person_tag", "tb_event", "tb_order CASCADE", "tb_bolt", weird, "tb_event, tb_note"}[random.IntN(7)]
	return r.transactOf(ctx, s, "truncate", []stmt{{"TRUNCATE " + table, nil}})
}

// huge writes more than a batch usually holds, in rows or in subtransactions.
func (r *run) huge(ctx context.Context, s *session, random *rand.Rand) (bool, error) {
	var stmts []stmt
	switch random.IntN(3) {
	case 0:
		stmts = subtransactions(random)
	case 1:
		stmts = []stmt{{fmt.Sprintf(`DELETE FROM tb_event WHERE id >= %d`, hugeEvents), nil}}
	default:
		stmts = append(hugeInsert(random), hugeInsert(random)...)
	}
	return r.transactOf(ctx, s, "huge", stmts)
}

// prepare leaves a transaction prepared for a while: the gate stays open to
// others.
func (r *run) prepare(ctx context.Context, s *session, random *rand.Rand) (bool, error) {
	return r.openFor(ctx, s, random, true)
}

// longTransaction leaves one open that has written.
func (r *run) longTransaction(ctx context.Context, s *session, random *rand.Rand) (bool, error) {
	return r.openFor(ctx, s, random, false)
}

// openFor writes, waits, and then commits or rolls back. A server that went
// down meanwhile has rolled back what was not prepared.
func (r *run) openFor(ctx context.Context, s *session, random *rand.Rand, twoPhase bool) (bool, error) {
	if twoPhase && !r.twoPhase {
		return false, nil
	}
	product, note, commits := 1+random.IntN(products), noteKey(random), random.IntN(3) > 0
	stmts := []stmt{
		{`UPDATE tb_product SET name = $2 WHERE id = $1`, []any{product, phrase(random)}},
		{`UPDATE tb_note SET title = $2 WHERE id = $1`, []any{note, phrase(random)}},
		{`INSERT INTO tb_tag VALUES ($1, 'late') ON CONFLICT DO NOTHING`, []any{word(random)}},
	}
	if twoPhase {
		return r.preparedFor(ctx, s, random, stmts, commits)
	}
	return r.heldFor(ctx, s, random, stmts, commits)
}

func (r *run) heldFor(ctx context.Context, s *session, random *rand.Rand, stmts []stmt, commits bool) (done bool, err error) {
	end := "ROLLBACK"
	if commits {
		end = "COMMIT"
	}
	wait := r.lasting(random, 0.25)
	err = s.do(ctx, func(c *pgx.Conn) error {
		tx, err := c.Begin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // nothing, after a commit
		if err := each(ctx, tx, stmts); err != nil {
			return err
		}
		_ = pause(ctx, wait)
		_, err = c.Exec(context.WithoutCancel(ctx), end)
		done = err == nil
		return err
	})
	if done && commits {
		r.trace.statements("a long transaction", stmts)
	}
	return done, ignore(err)
}

func (r *run) preparedFor(ctx context.Context, s *session, random *rand.Rand, stmts []stmt, commits bool) (done bool, err error) {
	gid := fmt.Sprintf("a wait %d", random.Uint32()) // not the session's prefix: it outlives connections
	err = s.do(ctx, func(c *pgx.Conn) error {
		tx, err := c.Begin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
		if err := each(ctx, tx, stmts); err != nil {
			return err
		}
		_, err = c.Exec(ctx, "PREPARE TRANSACTION '"+gid+"'")
		return err
	})
	if err == nil {
		_ = pause(ctx, r.lasting(random, 0.25))
	}
	end := "ROLLBACK PREPARED '"
	if commits {
		end = "COMMIT PREPARED '"
	}
	aerr := s.always(ctx, func(ctx context.Context, c *pgx.Conn) error {
		var there bool
		if err := c.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_prepared_xacts WHERE gid = $1)`, gid).Scan(&there); err != nil || !there {
			return err
		}
		_, err := c.Exec(ctx, end+gid+"'")
		done = err == nil
		return err
	})
	if done && commits {
		r.trace.statements("a prepared transaction", stmts)
	}
	if aerr != nil {
		return done, aerr
	}
	return done, ignore(err)
}

func each(ctx context.Context, tx pgx.Tx, stmts []stmt) error {
	for _, st := range stmts {
		if _, err := tx.Exec(ctx, st.sql, st.args...); err != nil {
			return err
		}
	}
	return nil
}

// ignore drops what random statements may run into.
func ignore(err error) error {
	if tolerable(err) {
		return nil
	}
	return err
}
