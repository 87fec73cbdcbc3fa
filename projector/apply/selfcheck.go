package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"freshet/projector/compile"
	"freshet/projector/difference"
	"freshet/projector/walk"
)

// Wrong is a stored document that does not equal its definition on a batch's
// snapshot. By design there is none: it was changed by hand, or it is a fault
// of Freshet's.
type Wrong struct {
	Model string
	Key   string
	Kind  string // "data", "columns", "missing", "extra" or "error": its definition fails, and nobody knew
	// Path is where they differ first, and Stored and Defined are what is
	// there, as JSON: for kind "data". For "error" Defined is the error.
	Path, Stored, Defined string
}

const (
	// checkedBytes is the size of a stored document, as it is on disk, past
	// which it is not checked: to build it would hold a batch up.
	checkedBytes = 16 << 10
	// presence is how many keys are looked up in the table for each document
	// that is compared.
	presence = 16
)

// round is the state of the self-check: it goes round all read models, and
// through each in the order of its keys, from batch to batch. Under any load
// it has in time seen every document.
type round struct {
	models []*checkedModel
	next   int
}

type checkedModel struct {
	model    *compile.ReadModel
	small    walk.Keys
	source   walk.Keys
	unstored string

	keys    []string // of stored documents: the next to be compared
	stored  place    // in the stored keys
	rows    []string // keys of source rows: the next to be looked up
	defined place    // in these
}

// place is how far a walk has come.
type place struct {
	after string
	moved bool // after is a key; else the walk is at its beginning
}

func (p *place) query(k walk.Keys, limit int) (string, []any) {
	return k.Query(p.after, !p.moved, limit)
}

// move goes on behind the keys of a page, and back to the beginning after the
// last one.
func (p *place) move(keys []string, limit int) {
	*p = place{}
	if len(keys) == limit {
		*p = place{after: keys[limit-1], moved: true}
	}
}

func newRound(plan *compile.Plan) *round {
	r := &round{}
	for _, m := range plan.ReadModels {
		r.models = append(r.models, &checkedModel{
			model: m, small: walk.Small(m, checkedBytes), source: walk.Source(m), unstored: walk.Unstored(m),
		})
	}
	return r
}

// turn returns the next read model that is not skipped, or nil where all are.
func (r *round) turn(skip func(model string) bool) *checkedModel {
	for range r.models {
		m := r.models[r.next]
		r.next = (r.next + 1) % len(r.models)
		if !skip(m.model.Name) {
			return m
		}
	}
	return nil
}

// selfCheck compares n stored documents of one read model with their
// definition, and looks whether presence times as many source rows have
// documents, all on the batch's snapshot: it is to be called when the batch has
// written all its documents, before it commits. The next call goes on where
// this one ended. Documents that wait in freshet.pending are left out, and so
// are read models of which this batch has put documents off, and those that
// skip names: with an earlier fan-out under way, or paused.
//
// It returns how many documents were compared, and those that are wrong: a
// fault of what they hold never fails the batch. It takes one round trip, or
// three where something is wrong.
func (a *Applier) selfCheck(ctx context.Context, n int, skip func(model string) bool) (checked int, wrong []Wrong, err error) {
	if n <= 0 {
		return 0, nil, nil
	}
	if a.round == nil {
		a.round = newRound(a.plan)
	}
	m := a.round.turn(func(model string) bool { return skip != nil && skip(model) || a.w.putsOff(model) })
	if m == nil {
		return 0, nil, nil
	}
	keys := a.unheld(m.model.Name, m.keys)
	wrong, err = a.checkPages(ctx, m, keys, n)
	if err == nil && len(wrong) > 0 {
		wrong, err = a.unasked(ctx, m.model.Name, wrong)
	}
	if err != nil {
		return 0, nil, compile.OfModel(m.model.Name, fmt.Errorf("compare stored documents with their definition: %w", err))
	}
	return len(keys), wrong, nil
}

// checkPages compares keys, looks for the documents of rows, and reads which
// come next.
func (a *Applier) checkPages(ctx context.Context, m *checkedModel, keys []string, n int) (wrong []Wrong, err error) {
	var b pgx.Batch
	if len(keys) > 0 {
		b.Queue("SAVEPOINT freshet_check")
		b.Queue(m.model.Differences, keys).Query(func(rows pgx.Rows) error { return readWrong(rows, m.model.Name, &wrong) })
		b.Queue("RELEASE SAVEPOINT freshet_check")
	}
	var missing, stored, defined []string
	rows := a.unheld(m.model.Name, m.rows)
	b.Queue(m.unstored, rows).Query(collect(&missing))
	sql, args := m.stored.query(m.small, n)
	b.Queue(sql, args...).Query(collect(&stored))
	sql, args = m.defined.query(m.source, n*presence)
	b.Queue(sql, args...).Query(collect(&defined))
	m.keys, m.rows = nil, nil
	err = a.conn.SendBatch(ctx, &b).Close()
	if len(keys) > 0 && FaultOfData(err) {
		return a.checkEach(ctx, m.model, keys)
	}
	if err != nil {
		return nil, err
	}
	m.stored.move(stored, n)
	m.defined.move(defined, n*presence)
	// A row that has no document may be gone by now, or not be defined to have
	// one: the comparison tells, the next time.
	m.keys, m.rows = append(stored, missing...), defined
	return wrong, nil
}

// checkEach finds the documents whose definition fails.
func (a *Applier) checkEach(ctx context.Context, model *compile.ReadModel, keys []string) (wrong []Wrong, err error) {
	for _, key := range keys {
		if _, err := a.conn.Exec(ctx, "ROLLBACK TO SAVEPOINT freshet_check"); err != nil {
			return nil, err
		}
		rows, err := a.conn.Query(ctx, model.Differences, []string{key})
		if err != nil {
			return nil, err
		}
		err = readWrong(rows, model.Name, &wrong)
		rows.Close()
		if FaultOfData(err) {
			wrong = append(wrong, Wrong{Model: model.Name, Key: key, Kind: "error", Defined: describe(err)})
		} else if err != nil {
			return nil, err
		}
	}
	_, err = a.conn.Exec(ctx, "ROLLBACK TO SAVEPOINT freshet_check; RELEASE SAVEPOINT freshet_check")
	return wrong, err
}

func readWrong(rows pgx.Rows, model string, wrong *[]Wrong) error {
	for rows.Next() {
		w := Wrong{Model: model}
		var stored, defined *string
		if err := rows.Scan(&w.Key, &w.Kind, &stored, &defined); err != nil {
			return fmt.Errorf("read a difference: %w", err)
		}
		if w.Kind == "data" && stored != nil && defined != nil {
			w.Path, w.Stored, w.Defined = difference.First(*stored, *defined)
		}
		*wrong = append(*wrong, w)
	}
	return rows.Err()
}

func collect(keys *[]string) func(pgx.Rows) error {
	return func(rows pgx.Rows) (err error) {
		*keys, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	}
}

// unheld leaves out keys that are known not to be right: those that waited
// before this batch, and those that it has set aside.
func (a *Applier) unheld(model string, keys []string) []string {
	left := make([]string, 0, len(keys))
	for _, key := range keys {
		k := PendingKey{Model: model, Key: key}
		if _, held := a.held[k]; !held && !a.w.hasSetAside(k) {
			left = append(left, key)
		}
	}
	return left
}

// putsOff says whether the batch leaves documents of the read model to a
// fan-out.
func (w *writer) putsOff(model string) bool {
	return slices.ContainsFunc(w.overflows, func(o overflow) bool { return o.path.Model.Name == model })
}

func (w *writer) hasSetAside(k PendingKey) bool {
	_, ok := w.aside[k]
	return ok
}

const askedFor = `
SELECT key FROM freshet.pending WHERE model = $1 AND key = ANY ($2)
AND hashtextextended(key, 0) = ANY (ARRAY(SELECT hashtextextended(k, 0) FROM unnest($2::text[]) AS k))`

// unasked leaves out what somebody has asked to be rebuilt.
func (a *Applier) unasked(ctx context.Context, model string, wrong []Wrong) ([]Wrong, error) {
	keys := make([]string, len(wrong))
	for i, w := range wrong {
		keys[i] = w.Key
	}
	rows, err := a.conn.Query(ctx, askedFor, model, keys)
	if err != nil {
		return nil, err
	}
	asked := map[string]bool{}
	var key string
	if _, err = pgx.ForEachRow(rows, []any{&key}, func() error { asked[key] = true; return nil }); err != nil {
		return nil, err
	}
	var left []Wrong
	for _, w := range wrong {
		if !asked[w.Key] {
			left = append(left, w)
		}
	}
	return left, nil
}

const mend = `
INSERT INTO freshet.pending (model, key, reason, since_lsn, priority) VALUES ($1, $2, 'resync', $3, 1)
ON CONFLICT (model, hashtextextended(key, 0), hashtextextended(key, 1)) DO NOTHING`

// logWrong puts what is wrong into the log of what failed.
func (w *writer) logWrong(wrong []Wrong) {
	for _, x := range wrong {
		text := "the stored document did not equal its definition: " + strings.TrimSpace(x.Kind+" "+x.Path)
		w.logs = append(w.logs, logRow{model: x.Model, outcome: outcome{upserted: []string{x.Key}}, fault: errors.New(text), operation: "repair"})
	}
}

// queueWrong has documents that are wrong rebuilt: in the next batch, so that
// what is rebuilt is in the log.
func (w *writer) queueWrong(b *pgx.Batch, wrong []Wrong) {
	for _, x := range wrong {
		b.Queue(mend, x.Model, x.Key, w.work.Batch.Watermark)
	}
}
