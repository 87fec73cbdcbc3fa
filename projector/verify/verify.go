// Package verify compares read models with their definition.
//
// Guarantees: each document is compared on one snapshot of source and read
// model, and no snapshot is held for longer than a thousand of them take;
// memory is bounded, however many differ; and there is no false alarm while a
// projector is at work. What differs is looked at again each time that the
// projector has applied everything that the look before saw, fan-outs
// included. It counts as different when several looks in a row have found the
// same stored row, untouched since the first of them, against the same
// definition. Where no projector applies what was seen, nothing is said to
// differ: it is unproven.
package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"freshet/projector/compile"
	"freshet/projector/migrate"
	"freshet/projector/session"
	"freshet/projector/walk"
)

// Config says what to compare.
type Config struct {
	ConnConfig *pgx.ConnConfig
	// Plan is the whole model, for the structure. Without it only documents are
	// compared.
	Plan   *compile.Plan
	Models []*compile.ReadModel
	Slot   string
	// Publication is by default "freshet".
	Publication string
	// Keys has these documents of the one read model in Models compared, and no
	// others: as text that the key's type can read.
	Keys []string
	// Sample has about so many documents of each read model compared, taken by
	// chance. The same Seed takes the same ones as long as the tables do not
	// change.
	Sample int
	Seed   int64
	// IncludePaused has read models compared that are paused or yet to be
	// filled.
	IncludePaused bool
	// Patience is how long the projector may stand still before what differs
	// counts as unproven. The default is ten seconds.
	Patience time.Duration
	// Repair asks the projector to rebuild what differs.
	Repair bool
	// Keep is how many differences of a read model are returned in full; all
	// are counted and repaired. The default is 100.
	Keep int
	// Progress is called after each thousand documents, with the number that
	// there are, about; 0: unknown.
	Progress func(model string, compared, of int64)
}

const (
	// chunk is how many documents are compared on one snapshot.
	chunk = 1000
	// maxSuspects is how many differences are held in memory before they are
	// looked at again.
	maxSuspects = 10_000
)

// Run compares. Where ctx ends before, the report tells of what was compared
// so far, and the error is that of ctx. A *KeyError is the caller's fault.
func Run(ctx context.Context, cfg Config) (Report, error) {
	if cfg.Patience <= 0 {
		cfg.Patience = 10 * time.Second
	}
	if cfg.Keep <= 0 {
		cfg.Keep = 100
	}
	v := &verifier{cfg: cfg, report: Report{Structure: []Finding{}, Models: []ModelReport{}}}
	err := v.run(ctx)
	if ctx.Err() != nil {
		v.report.Interrupted = true
		err = ctx.Err()
	}
	return v.report, err
}

type verifier struct {
	cfg    Config
	conn   *pgx.Conn
	report Report
}

func (v *verifier) run(ctx context.Context) error {
	conn, err := session.Connect(ctx, v.cfg.ConnConfig, "verify", session.Indexed)
	if err != nil {
		return err
	}
	defer session.Close(conn)
	v.conn = conn
	if err := v.structure(ctx); err != nil {
		return err
	}
	for _, rm := range v.cfg.Models {
		if err := v.model(ctx, rm); err != nil {
			return fmt.Errorf("verify %s: %w", rm.Name, err)
		}
	}
	return nil
}

// structure looks at what the documents stand on.
func (v *verifier) structure(ctx context.Context) error {
	if v.cfg.Plan == nil {
		return nil
	}
	findings, err := migrate.Structure(ctx, v.conn, v.cfg.Plan, v.cfg.Slot, v.cfg.Publication)
	if err != nil {
		return err
	}
	for _, f := range findings {
		v.report.Structure = append(v.report.Structure, Finding{Severity: f.Severity.String(), Where: f.Where, What: f.What, Remedy: f.Remedy})
	}
	return nil
}

// model compares one read model, and books what was found, whatever ended it.
func (v *verifier) model(ctx context.Context, rm *compile.ReadModel) error {
	c := &comparison{verifier: v, rm: rm, report: ModelReport{Model: rm.Name, State: Compared}}
	err := c.run(ctx)
	switch {
	case ctx.Err() != nil:
		c.report.State = Interrupted
	case sqlClass(err) == "42":
		// A table or a column is not there, or may not be read.
		c.report.State, c.report.Reason, err = Failed, err.Error(), nil
	}
	v.report.add(c.report)
	return err
}

// sqlClass is the class of the server's error, or "".
func sqlClass(err error) string {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || len(pg.Code) != 5 {
		return ""
	}
	return pg.Code[:2]
}

// comparison is that of one read model.
type comparison struct {
	*verifier
	rm       *compile.ReadModel
	report   ModelReport
	of       int64 // documents to compare, about
	suspects map[string]suspect
	explain  bool // look for the place of a difference
}

func (c *comparison) run(ctx context.Context) error {
	c.suspects = map[string]suspect{}
	if stop, err := c.resting(ctx); err != nil || stop {
		return err
	}
	if err := c.documents(ctx); err != nil {
		return err
	}
	if err := c.settle(ctx); err != nil {
		return err
	}
	// It may have been paused since.
	if c.report.Differ+c.report.Unproven > 0 {
		_, err := c.resting(ctx)
		return err
	}
	return nil
}

// resting says whether the read model is one whose documents are not kept up
// to date just now, and books that.
func (c *comparison) resting(ctx context.Context) (bool, error) {
	var state, reason string
	err := c.conn.QueryRow(ctx, "SELECT state, coalesce(error, '') FROM freshet.models WHERE name = $1", c.rm.Name).Scan(&state, &reason)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return false, fmt.Errorf("read freshet.models: %w", err)
	}
	if c.cfg.IncludePaused || state == "ready" || state == "" {
		return false, nil
	}
	c.report = ModelReport{Model: c.rm.Name, State: Paused, Reason: reason}
	if state == "backfilling" {
		c.report.State, c.report.Reason = Filling, "the projector has yet to fill it"
	}
	return true, nil
}

// documents compares those that were asked for.
func (c *comparison) documents(ctx context.Context) error {
	switch {
	case len(c.cfg.Keys) > 0:
		keys, err := c.canonical(ctx, c.cfg.Keys)
		if err != nil {
			return err
		}
		return c.keys(ctx, keys)
	case c.cfg.Sample > 0:
		keys, err := c.sample(ctx)
		if err != nil {
			return err
		}
		return c.keys(ctx, keys)
	}
	return c.all(ctx)
}

// all compares every key that the definition yields, and then those that only
// the table has.
func (c *comparison) all(ctx context.Context) error {
	var err error
	if c.of, err = c.estimate(ctx, c.rm.Root.Table.Name); err != nil {
		return err
	}
	err = walk.Source(c.rm).Each(ctx, c.conn, chunk, func(keys []string) error { return c.compare(ctx, keys) })
	if err != nil {
		return err
	}
	return walk.Stored(c.rm).Each(ctx, c.conn, chunk, func(keys []string) error {
		rows, err := c.conn.Query(ctx, walk.Unsourced(c.rm), keys)
		if err != nil {
			return err
		}
		extra, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(extra) == 0 {
			return err
		}
		return c.compare(ctx, extra)
	})
}

func (c *comparison) keys(ctx context.Context, keys []string) error {
	c.of = int64(len(keys))
	for part := range chunks(keys) {
		if err := c.compare(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// compare looks at keys for the first time.
func (c *comparison) compare(ctx context.Context, keys []string) error {
	l, err := c.look(ctx, keys)
	if err != nil {
		return err
	}
	c.setAside(l.aside)
	for _, f := range l.found {
		c.suspects[f.Key] = suspect{digest: f.digest}
	}
	c.report.Compared += int64(len(keys) - len(l.aside))
	if c.cfg.Progress != nil {
		c.cfg.Progress(c.rm.Name, c.report.Compared, max(c.of, c.report.Compared))
	}
	if len(c.suspects) >= maxSuspects {
		return c.settle(ctx)
	}
	return nil
}

func (c *comparison) setAside(aside []Aside) {
	c.report.SetAside += int64(len(aside))
	for _, a := range aside {
		if len(c.report.Aside) < c.cfg.Keep {
			c.report.Aside = append(c.report.Aside, a)
		}
	}
}
