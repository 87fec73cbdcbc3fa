package backfill

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/projector/apply"
	"freshet/projector/session"
	"freshet/projector/walk"
)

// maxAside is how many documents of a read model a fill sets aside. Past it
// the fault is taken to be one of the whole read model, which pauses.
const maxAside = 10_000

// errTooMany says that a fill has set aside as many documents as it may.
var errTooMany = fmt.Errorf("more than %d documents cannot be built", maxAside)

// careful fills a range in which a document cannot be built: it looks for the
// keys at fault by halves, each behind a savepoint, and sets them aside.
type careful struct {
	fill  *fill
	tx    pgx.Tx
	n     int64 // documents filled
	aside []apply.Quarantined
}

// fillCarefully fills a range but for the documents that cannot be built, in
// one transaction, and writes those down. It writes them before the range is
// committed: one that is set aside for nothing is built at its next try, one
// that is not known would be lost.
func (f *fill) fillCarefully(ctx context.Context, conn *pgx.Conn, r keyRange) error {
	c := &careful{fill: f}
	return f.inRange(ctx, conn, r, func(tx pgx.Tx) (int64, error) {
		c.tx = tx
		keys, err := c.keys(ctx, r)
		if err == nil && len(keys) > 0 {
			err = c.part(ctx, r.Lower, keys)
		}
		if err == nil {
			err = f.setAside(ctx, c.aside)
		}
		return c.n, err
	})
}

// keys are those of the range, in order.
func (c *careful) keys(ctx context.Context, r keyRange) ([]string, error) {
	m := c.fill.model
	key, cast := "t."+walk.Ident(m.Key.Column), walk.Cast(m)
	rows, err := c.tx.Query(ctx, "SELECT "+key+"::text FROM "+walk.Table(m.Root.Table.Name)+" AS t WHERE ($1::text IS NULL OR "+key+" > $1::text::"+cast+
		") AND ($2::text IS NULL OR "+key+" <= $2::text::"+cast+") ORDER BY "+key, r.Lower, r.Upper)
	if err != nil {
		return nil, fmt.Errorf("read the keys of a range: %w", err)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("read the keys of a range: %w", err)
	}
	return keys, nil
}

// part fills the keys, which are all that the range has behind lower and up to
// the last of them.
func (c *careful) part(ctx context.Context, lower *string, keys []string) error {
	if _, err := c.tx.Exec(ctx, "SAVEPOINT freshet_part"); err != nil {
		return err
	}
	last := keys[len(keys)-1]
	tag, err := c.tx.Exec(ctx, c.fill.model.Fill, lower, last, c.fill.cfg.Start, time.Now())
	if err == nil {
		c.n += tag.RowsAffected()
		_, err = c.tx.Exec(ctx, "RELEASE SAVEPOINT freshet_part")
		return err
	}
	if !apply.FaultOfData(err) {
		return err
	}
	// Rolled back to, a savepoint still stands: see apply.
	if _, fault := c.tx.Exec(ctx, "ROLLBACK TO SAVEPOINT freshet_part; RELEASE SAVEPOINT freshet_part"); fault != nil {
		return errors.Join(err, fault)
	}
	if len(keys) == 1 {
		c.aside = append(c.aside, apply.Quarantined{Model: c.fill.model.Name, Key: last, Err: err})
		if c.fill.aside.Add(1) > maxAside {
			return fmt.Errorf("%w: %w", errTooMany, err)
		}
		return nil
	}
	middle := len(keys) / 2
	if err := c.part(ctx, lower, keys[:middle]); err != nil {
		return err
	}
	return c.part(ctx, &keys[middle-1], keys[middle:])
}

// setAside writes documents that cannot be built into freshet.pending, over a
// connection of its own: the range's transaction may be older than what
// somebody else has written there of the same key.
func (f *fill) setAside(ctx context.Context, list []apply.Quarantined) error {
	conn, err := session.Connect(ctx, f.cfg.ConnConfig, "backfill")
	if err != nil {
		return err
	}
	defer session.Close(conn)
	for _, q := range list {
		if err := apply.SetAside(ctx, conn, f.cfg.Slot, q, f.cfg.Start); err != nil {
			return err
		}
		if f.cfg.Quarantined != nil {
			f.cfg.Quarantined(q.Model, q.Key, q.Err)
		}
	}
	return nil
}
