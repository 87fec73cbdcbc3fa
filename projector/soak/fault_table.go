package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

// lockDocuments holds locks on documents, as somebody's careless session might.
// Readers are let through.
func (r *run) lockDocuments(ctx context.Context, s *session, random *rand.Rand) (done bool, err error) {
	table := []string{"tv_person", "tv_org", "tv_product", "tv_wallet", "tv_counter", "tv_spoke", "tv_hub", "tv_event"}[random.IntN(8)]
	sql := []string{
		"SELECT 1 FROM " + table + " ORDER BY random() LIMIT 20 FOR UPDATE",
		"SELECT 1 FROM " + table + " FOR SHARE",
		"LOCK TABLE " + table + " IN EXCLUSIVE MODE",
	}[random.IntN(3)]
	wait := r.lasting(random, 0.2)
	err = s.do(ctx, func(c *pgx.Conn) error {
		tx, err := c.Begin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
		if _, err = tx.Exec(ctx, sql); err != nil {
			return err
		}
		done = true
		_ = pause(ctx, wait)
		return nil
	})
	return done, ignore(err)
}

// poison makes a row whose document cannot be built, waits until it is set
// aside, and mends it after a while.
func (r *run) poison(ctx context.Context, s *session, random *rand.Rand) (done bool, err error) {
	id, wait := 1+random.IntN(traps), r.lasting(random, 0.25)
	err = s.do(ctx, func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, `UPDATE tb_trap SET divisor = 0, label = $2 WHERE id = $1`, id, phrase(random))
		return err
	})
	if err == nil {
		done = true
		err = r.setAside(ctx, s, id)
	}
	if err == nil {
		_ = pause(ctx, wait)
	}
	merr := s.always(ctx, func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, `UPDATE tb_trap SET divisor = 3 WHERE id = $1`, id)
		return err
	})
	if merr != nil {
		return done, merr
	}
	return done, ignore(err)
}

// setAside waits until a trap is in quarantine with its error.
func (r *run) setAside(ctx context.Context, s *session, id int) error {
	for began := time.Now(); time.Since(began) < r.cfg.Patience; {
		var there bool
		err := s.do(ctx, func(c *pgx.Conn) error {
			return c.QueryRow(ctx, `SELECT EXISTS (SELECT FROM freshet.pending WHERE model = 'Trap' AND key = $1 AND error LIKE '%division by zero%')`, fmt.Sprint(id)).Scan(&there)
		})
		if err != nil || there {
			return err
		}
		if err := r.crew.err(); err != nil {
			return err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("trap %d cannot be built and is not in freshet.pending after %s", id, r.cfg.Patience)
}

// quietTables are those whose schema changes in ways that no document shows.
var quietTables = []string{"tb_org", "tb_person", "tb_profile", "tb_person_tag", "tb_product", "tb_order", "tb_order_line", "tb_note", "tb_wallet", "tb_transfer", "tb_spoke", "tb_counter"}

var quietChanges = []func(table string, n int) string{
	func(t string, n int) string {
		return fmt.Sprintf("ALTER TABLE %s ADD COLUMN IF NOT EXISTS soak_extra_%d text", t, n)
	},
	func(t string, n int) string {
		return fmt.Sprintf("ALTER TABLE %s ADD COLUMN IF NOT EXISTS soak_extra_%d integer NOT NULL DEFAULT %d", t, n, n)
	},
	func(t string, n int) string {
		return fmt.Sprintf("ALTER TABLE %s ADD COLUMN IF NOT EXISTS soak_extra_%d text DEFAULT md5(random()::text)", t, n) // rewrites the table
	},
	func(t string, n int) string {
		return fmt.Sprintf("ALTER TABLE %s DROP COLUMN IF EXISTS soak_extra_%d", t, n)
	},
	func(t string, n int) string {
		return fmt.Sprintf("ALTER TABLE %s DROP COLUMN IF EXISTS soak_extra_%d", t, (n+1)%8)
	},
	func(t string, n int) string {
		return fmt.Sprintf("CREATE INDEX IF NOT EXISTS soak_index_%s_%d ON %s ((1))", t, n, t)
	},
	func(t string, n int) string { return fmt.Sprintf("DROP INDEX IF EXISTS soak_index_%s_%d", t, n) },
	func(t string, _ int) string { return "VACUUM FULL " + t },
	func(t string, _ int) string { return "CLUSTER " + t + " USING " + t + "_pkey" },
	func(t string, _ int) string { return "REINDEX TABLE " + t },
	func(t string, _ int) string { return "ANALYZE " + t },
	func(t string, _ int) string { return "ALTER TABLE " + t + " SET (fillfactor = 80)" },
	func(string, int) string { return "ANALYZE" },
}

// quietSchema changes the schema in a way that must not matter.
func (r *run) quietSchema(ctx context.Context, s *session, random *rand.Rand) (done bool, err error) {
	sql := quietChanges[random.IntN(len(quietChanges))](quietTables[random.IntN(len(quietTables))], random.IntN(8))
	if random.IntN(10) == 0 {
		sql = []string{"VACUUM FULL tv_person", "REINDEX TABLE tv_order", "VACUUM tv_spoke"}[random.IntN(3)]
	}
	err = s.do(ctx, func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, sql)
		return err
	})
	done = err == nil
	if err = ignore(err); err != nil {
		err = fmt.Errorf("%s: %w", sql, err)
	}
	return done, err
}

// breaks are changes that a read model cannot live with, each with what mends
// it.
var breaks = []struct {
	hurt, mend  string
	publication bool // its name is to be put in
}{
	{`ALTER TABLE tb_note RENAME COLUMN title TO headline`, `ALTER TABLE tb_note RENAME COLUMN headline TO title`, false},
	{`ALTER TABLE tb_note RENAME TO tb_note_away`, `ALTER TABLE tb_note_away RENAME TO tb_note`, false},
	{`ALTER TABLE tb_profile RENAME COLUMN nickname TO alias`, `ALTER TABLE tb_profile RENAME COLUMN alias TO nickname`, false},
	{`ALTER PUBLICATION %[1]s DROP TABLE tb_note`, `ALTER PUBLICATION %[1]s ADD TABLE tb_note`, true},
	{`ALTER PUBLICATION %[1]s DROP TABLE tb_bolt`, `ALTER PUBLICATION %[1]s ADD TABLE tb_bolt`, true},
	{`ALTER TABLE tb_bolt REPLICA IDENTITY NOTHING`, `ALTER TABLE tb_bolt REPLICA IDENTITY FULL`, false},
	{`ALTER TABLE tb_trap DROP COLUMN label`, `ALTER TABLE tb_trap ADD COLUMN label text NOT NULL DEFAULT 'new'`, false},
}

// breakSchema hurts the read models of one table, and mends it after a while.
// The others must go on, and the hurt ones be right again by themselves.
func (r *run) breakSchema(ctx context.Context, s *session, random *rand.Rand) (done bool, err error) {
	b := breaks[random.IntN(len(breaks))]
	publication := pgx.Identifier{r.cfg.Slot}.Sanitize()
	at := func(sql string) string {
		if b.publication {
			return fmt.Sprintf(sql, publication)
		}
		return sql
	}
	wait := r.lasting(random, 0.25)
	err = s.do(ctx, func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, at(b.hurt))
		return err
	})
	if err != nil {
		return false, ignore(err)
	}
	r.say("for %s: %s", wait.Round(time.Millisecond), at(b.hurt))
	_ = pause(ctx, wait)
	return true, s.always(ctx, func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, at(b.mend))
		return err
	})
}
