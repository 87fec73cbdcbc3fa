// Package backfill fills read models for the first time.
//
// Guarantees: every key of the source is filled by exactly one range; a range
// and the note that it is done commit together, so that a killed backfill goes
// on where it was; with a slot's exported snapshot all documents are of that
// snapshot, and without one (a resumed backfill) each is of a snapshot that is
// no older than the slot, so that the first batch of the stream makes all exact;
// and a document that cannot be built is set aside in freshet.pending with its
// error, as in a batch, and the others are filled.
// It takes no lock that blocks a writer of the source.
package backfill

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"freshet/projector/apply"
	"freshet/projector/compile"
	"freshet/projector/session"
)

// rangeSize is how many documents one range holds: small enough to show
// progress and to lose little at a kill, large enough that the commit does not
// count.
const rangeSize = 5000

// Config says what to fill, and how.
type Config struct {
	ConnConfig *pgx.ConnConfig
	Models     []*compile.ReadModel // those to fill
	Slot       string
	Workers    int // connections that fill at the same time
	// Snapshot is the slot's exported snapshot, or empty.
	Snapshot string
	// Start is where the slot begins: documents are stamped with it.
	Start pglogrepl.LSN
	// Release lets go of the exported snapshot: every range is filled. It may
	// be nil.
	Release func()
	// Progress is called after each range, from any of the workers.
	Progress func(Progress)
	// Quarantined is called for a document that could not be built and was set
	// aside in freshet.pending, from any of the workers. It may be nil.
	Quarantined func(model, key string, err error)
}

// Progress is how far the fill of one read model is.
type Progress struct {
	Model     string
	Documents int64 // filled so far
	Total     int64 // in all; -1 while it is being counted
	Done      bool
	Elapsed   time.Duration
}

// Run fills all models, one after the other, and then builds their indexes. They
// are filled, and not ready yet: their documents may be younger than those of
// the others, up to the first batch that follows. See Ready.
func Run(ctx context.Context, cfg Config) error {
	conn, err := session.Connect(ctx, cfg.ConnConfig, "backfill")
	if err != nil {
		return err
	}
	defer session.Close(conn)
	fills := make([]*fill, len(cfg.Models))
	for i, model := range cfg.Models {
		fills[i] = &fill{cfg: cfg, model: model, began: time.Now()}
		if err := fills[i].documentsOf(ctx, conn); err != nil {
			return compile.OfModel(model.Name, fmt.Errorf("backfill: %w", err))
		}
	}
	if cfg.Release != nil {
		cfg.Release()
	}
	for _, f := range fills {
		if err := f.complete(ctx, conn); err != nil {
			return compile.OfModel(f.model.Name, fmt.Errorf("backfill: %w", err))
		}
	}
	return nil
}

// Unfilled returns the names of the read models whose backfill has not
// finished.
func Unfilled(ctx context.Context, conn *pgx.Conn) (map[string]bool, error) {
	rows, err := conn.Query(ctx, "SELECT name FROM freshet.models WHERE state = 'backfilling' AND filled_at IS NULL")
	if err != nil {
		return nil, fmt.Errorf("read freshet.models: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("read freshet.models: %w", err)
	}
	set := map[string]bool{}
	for _, n := range names {
		set[n] = true
	}
	return set, nil
}

// Ready marks the read models that are filled as ready: a batch has been applied
// since, so that all documents are of one snapshot. It returns their names.
func Ready(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, `
WITH made AS (
    UPDATE freshet.models SET state = 'ready', paused_lsn = NULL, paused_at = NULL, error = NULL
    WHERE state = 'backfilling' AND filled_at IS NOT NULL RETURNING name)
SELECT name FROM made, (SELECT pg_notify('freshet', 'backfill')) AS woken`)
	if err != nil {
		return nil, fmt.Errorf("mark read models as ready: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("mark read models as ready: %w", err)
	}
	return names, nil
}

// Restart forgets what is filled: every read model is to be filled again, over
// what is there.
func Restart(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "WITH gone AS (DELETE FROM freshet.backfill) UPDATE freshet.models SET state = 'backfilling', filled_at = NULL")
	if err != nil {
		return fmt.Errorf("restart the backfill: %w", err)
	}
	return nil
}

// fill is the backfill of one read model.
type fill struct {
	cfg   Config
	model *compile.ReadModel
	began time.Time

	total     int64
	documents atomic.Int64
	aside     atomic.Int64 // documents that could not be built
}

// keyRange is one row of freshet.backfill.
type keyRange struct {
	Number       int
	Lower, Upper *string
}

// documentsOf fills the model's documents, range by range.
func (f *fill) documentsOf(ctx context.Context, conn *pgx.Conn) error {
	if err := f.plan(ctx, conn); err != nil {
		return err
	}
	f.report(false)
	return f.fillRanges(ctx, conn)
}

// complete does what is left when all documents are there. The indexes are
// built without CONCURRENTLY: nobody but the projector writes this table, its
// readers are not blocked, and a concurrent build would wait for every long
// transaction in the database.
func (f *fill) complete(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, f.model.Prune); err != nil {
		return fmt.Errorf("remove documents that are not defined any more: %w", err)
	}
	for _, index := range f.model.Indexes {
		if _, err := conn.Exec(ctx, strings.Replace(index.SQL, " CONCURRENTLY", "", 1)); err != nil {
			return fmt.Errorf("create index %s: %w", index.Name, err)
		}
	}
	if _, err := conn.Exec(ctx, "ANALYZE "+pgx.Identifier{f.model.Table.Schema, f.model.Table.Name}.Sanitize()); err != nil {
		return fmt.Errorf("analyze: %w", err)
	}
	if err := f.finish(ctx, conn); err != nil {
		return err
	}
	f.report(true)
	return nil
}

func (f *fill) report(done bool) {
	if f.cfg.Progress != nil {
		f.cfg.Progress(Progress{Model: f.model.Name, Documents: f.documents.Load(), Total: f.total, Done: done, Elapsed: time.Since(f.began)})
	}
}

// plan cuts the source into ranges, unless an earlier start has done so.
func (f *fill) plan(ctx context.Context, conn *pgx.Conn) error {
	var ranges int
	var done int64
	err := conn.QueryRow(ctx, `
SELECT (SELECT count(*) FROM freshet.backfill WHERE model = $1),
       (SELECT coalesce(sum(documents), 0) FROM freshet.backfill_done WHERE model = $1)`, f.model.Name).Scan(&ranges, &done)
	if err != nil {
		return fmt.Errorf("read freshet.backfill: %w", err)
	}
	if err = f.count(ctx, conn); err != nil {
		return err
	}
	if ranges > 0 {
		f.documents.Store(done)
		return nil
	}
	rows, err := conn.Query(ctx, f.model.Bounds, int64(rangeSize))
	if err != nil {
		return fmt.Errorf("cut the source into ranges: %w", err)
	}
	bounds, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("cut the source into ranges: %w", err)
	}
	return f.saveRanges(ctx, conn, bounds)
}

func (f *fill) count(ctx context.Context, conn *pgx.Conn) error {
	root := f.model.Root.Table.Name
	err := conn.QueryRow(ctx, "SELECT count(*) FROM "+pgx.Identifier{root.Schema, root.Name}.Sanitize()).Scan(&f.total)
	if err != nil {
		return fmt.Errorf("count the source: %w", err)
	}
	return nil
}

func (f *fill) saveRanges(ctx context.Context, conn *pgx.Conn, bounds []string) error {
	rows := make([][]any, 0, len(bounds)+1)
	var lower *string
	for i := range bounds {
		rows = append(rows, []any{f.model.Name, i, lower, &bounds[i]})
		lower = &bounds[i]
	}
	rows = append(rows, []any{f.model.Name, len(bounds), lower, nil})
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if _, err = tx.Exec(ctx, "DELETE FROM freshet.backfill_done WHERE model = $1", f.model.Name); err != nil {
		return fmt.Errorf("write freshet.backfill_done: %w", err)
	}
	if _, err = tx.CopyFrom(ctx, pgx.Identifier{"freshet", "backfill"}, []string{"model", "range", "lower_key", "upper_key"}, pgx.CopyFromRows(rows)); err != nil {
		return fmt.Errorf("write freshet.backfill: %w", err)
	}
	return tx.Commit(ctx)
}

// fillRanges gives the ranges that are not done to the workers.
func (f *fill) fillRanges(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `
SELECT range, lower_key, upper_key FROM freshet.backfill
WHERE model = $1 AND range NOT IN (SELECT range FROM freshet.backfill_done WHERE model = $1) ORDER BY range`, f.model.Name)
	if err != nil {
		return fmt.Errorf("read freshet.backfill: %w", err)
	}
	ranges, err := pgx.CollectRows(rows, pgx.RowToStructByPos[keyRange])
	if err != nil {
		return fmt.Errorf("read freshet.backfill: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	next := make(chan keyRange)
	group.Go(func() error {
		defer close(next)
		for _, r := range ranges {
			select {
			case next <- r:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range min(max(f.cfg.Workers, 1), max(len(ranges), 1)) {
		group.Go(func() error { return f.worker(ctx, next) })
	}
	return group.Wait()
}

func (f *fill) worker(ctx context.Context, ranges <-chan keyRange) error {
	conn, err := session.Connect(ctx, f.cfg.ConnConfig, "backfill")
	if err != nil {
		return err
	}
	defer session.Close(conn)
	// A range that is lost in a crash is simply filled again. And each range is
	// planned by its bounds: a plan for any bounds would read the whole table.
	if _, err = conn.Exec(ctx, "SELECT set_config('synchronous_commit', 'off', false), set_config('plan_cache_mode', 'force_custom_plan', false)"); err != nil {
		return err
	}
	for r := range ranges {
		if err = f.fillRange(ctx, conn, r); apply.FaultOfData(err) {
			err = f.fillCarefully(ctx, conn, r)
		}
		if err != nil {
			return err
		}
		f.report(false)
	}
	return nil
}

func (f *fill) fillRange(ctx context.Context, conn *pgx.Conn, r keyRange) error {
	return f.inRange(ctx, conn, r, func(tx pgx.Tx) (int64, error) {
		tag, err := tx.Exec(ctx, f.model.Fill, r.Lower, r.Upper, f.cfg.Start, time.Now())
		return tag.RowsAffected(), err
	})
}

// inRange has a range filled in one transaction, on the slot's snapshot where
// there is one, and notes that it is done. do returns how many documents it
// filled.
func (f *fill) inRange(ctx context.Context, conn *pgx.Conn, r keyRange, do func(pgx.Tx) (int64, error)) error {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // an error after Commit: there is nothing to roll back
	if f.cfg.Snapshot != "" {
		// The name comes from the server, which takes it as a literal only.
		if _, err = tx.Exec(ctx, "SET TRANSACTION SNAPSHOT "+quoteLiteral(f.cfg.Snapshot)); err != nil {
			return fmt.Errorf("take the slot's snapshot: %w", err)
		}
	}
	n, err := do(tx)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "INSERT INTO freshet.backfill_done (model, range, documents) VALUES ($1, $2, $3)", f.model.Name, r.Number, n)
	if err != nil {
		return err
	}
	if err = tx.Commit(ctx); err != nil {
		return err
	}
	f.documents.Add(n)
	return nil
}

// finish marks the model as filled, logs the backfill and wakes the feed: any
// key of the model may have changed. The entry bears the watermark of now, not
// of the slot's start: of a model that is filled again, a cache may be about to
// store a document read at that watermark, and must not.
func (f *fill) finish(ctx context.Context, conn *pgx.Conn) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	_, err = tx.Exec(ctx, `
INSERT INTO freshet.sync_log (slot, batch, model, operation, whole, moved, upserted, last_lsn, watermark, started_at, duration_ms)
SELECT $1, coalesce(c.batch, 0), $2, 'backfill', true, '{*}', $3, $4, greatest($4::pg_lsn, c.watermark), $5, $6
FROM (SELECT) AS one LEFT JOIN freshet.checkpoint AS c ON c.slot = $1`,
		f.cfg.Slot, f.model.Name, f.documents.Load(), f.cfg.Start, f.began, float64(time.Since(f.began))/float64(time.Millisecond))
	if err == nil {
		_, err = tx.Exec(ctx, "UPDATE freshet.models SET filled_at = now() WHERE name = $1", f.model.Name)
	}
	for _, done := range []string{"backfill", "fanout"} { // a fill is younger than any fan-out to it
		if err == nil {
			_, err = tx.Exec(ctx, "DELETE FROM freshet."+done+" WHERE model = $1", f.model.Name)
		}
	}
	if err == nil {
		_, err = tx.Exec(ctx, "SELECT pg_notify('freshet', 'backfill')")
	}
	if err = errors.Join(err); err != nil {
		return fmt.Errorf("finish: %w", err)
	}
	return tx.Commit(ctx)
}

func quoteLiteral(s string) string {
	quoted := "'"
	for _, r := range s {
		if r == '\'' {
			quoted += "'"
		}
		quoted += string(r)
	}
	return quoted + "'"
}
