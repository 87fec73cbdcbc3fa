package projector

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/projector/apply"
	"freshet/projector/compile"
	"freshet/projector/migrate"
)

// A read model that is to be filled while others stream is filled beside them:
// one that was paused, one that somebody asks to have filled again, one that a
// new model file has brought. It takes part in every batch from the beginning,
// and a row of freshet.fanout says that all its documents are put off. They are
// done in chunks as those of any fan-out are (see lanes), by the keys that the
// source and its table have. The commit of the last chunk makes it ready.
//
// Why it is exact: a document that was not yet done may be wrong, and
// freshet.lag says so. One that was done equals its definition on its batch's
// snapshot, and whatever changes it later is in the stream. Keys that the
// cursor does not see are in the stream too, since it is opened when every
// transaction has ended that was running when this stretch of streaming began
// (see openFills): what of these is not in the stream, or was behind its
// beginning and not yet visible, is visible to the cursor and to every chunk.

// modelState is what freshet.models says of a read model.
type modelState struct {
	state  string
	filled bool // since it was last asked for
}

// sorted is what is to be done with the read models before streaming begins.
type sorted struct {
	pauses map[string]string // with their reasons
	anew   []string          // to be filled from the beginning
	beside []string          // to be filled while the others stream
}

// sortModels decides it. Where none is ready nobody would wait: then a fill with
// all workers is the faster one.
func (e *Engine) sortModels(v *migrate.Survey, done map[string][]migrate.Finding, states map[string]modelState) sorted {
	s := sorted{pauses: map[string]string{}}
	streams := false
	for _, rm := range e.base.ReadModels {
		faults, is := v.Models[rm.Name], states[rm.Name]
		switch {
		case len(faults) > 0:
			s.pauses[rm.Name] = findingsText(faults)
		case is.state == "paused" && e.waited[rm.Name]:
			s.anew = append(s.anew, rm.Name)
			s.beside = append(s.beside, rm.Name)
		case is.state == "backfilling" && len(done[rm.Name]) > 0: // what was filled already may be wrong
			s.anew = append(s.anew, rm.Name)
			s.beside = append(s.beside, rm.Name)
		case is.state == "backfilling" && !is.filled:
			s.beside = append(s.beside, rm.Name)
		case is.state == "ready" && len(done[rm.Name]) > 0:
			s.pauses[rm.Name] = findingsText(done[rm.Name])
		case is.state == "ready":
			streams = true
		}
	}
	if !streams {
		s.beside = nil
	}
	return s
}

// besideModels has the documents of read models done beside the batches. One
// that was begun goes on under its own row.
const besideModels = `
INSERT INTO freshet.fanout (slot, model, path, start, since_lsn, created_at)
SELECT $1, m.name, $3, '[]', coalesce(m.paused_lsn, '0/1'), now() FROM freshet.models AS m
WHERE m.name = ANY ($2) AND NOT EXISTS (SELECT FROM freshet.fanout AS f WHERE f.slot = $1 AND f.model = m.name AND f.path = $3)`

// prepareFill makes the indexes that the table of a read model lacks, before
// it is filled beside the others: a new table is empty, and they cost a moment.
// Afterwards they would lock out the batches, or, made concurrently, wait for
// every transaction in the database.
func prepareFill(ctx context.Context, conn *pgx.Conn, model *compile.ReadModel) error {
	for _, index := range model.Indexes {
		var there bool
		err := conn.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", pgx.Identifier{model.Table.Schema, index.Name}.Sanitize()).Scan(&there)
		if err == nil && !there {
			_, err = conn.Exec(ctx, strings.Replace(index.SQL, " CONCURRENTLY", "", 1))
		}
		if err != nil {
			return compile.OfModel(model.Name, fmt.Errorf("create index %s: %w", index.Name, err))
		}
	}
	return nil
}

// unbegun says whether a read model that takes part is to be filled and is not
// being filled: somebody has asked for it since this stretch began, perhaps
// while it was being filled already, whose row is gone then.
func (l *loop) unbegun(ctx context.Context, name, state string) (bool, error) {
	if state != "backfilling" {
		return false, nil
	}
	if !l.fanOuts.fills.lagging(name) {
		return true, nil
	}
	var begun bool
	err := l.control.QueryRow(ctx, "SELECT EXISTS (SELECT FROM freshet.fanout WHERE slot = $1 AND model = $2 AND path = $3)",
		l.engine.cfg.Slot, name, apply.WholeModel).Scan(&begun)
	if err != nil {
		return false, fmt.Errorf("read freshet.fanout: %w", err)
	}
	return !begun, nil
}

// openFills lets the fills of this stretch begin when every transaction has
// ended that was running when it began, and says for whom they wait. Nobody
// else waits meanwhile.
func (l *loop) openFills(ctx context.Context) error {
	if l.fanOuts.open || l.fanOuts.fills.count() == 0 {
		return nil
	}
	if l.horizon == "" {
		var err error
		if l.horizon, err = xmax(ctx, l.control); err != nil {
			return err
		}
	}
	over, err := passed(ctx, l.control, l.horizon)
	if err != nil {
		return err
	}
	if !over {
		return l.tellFills(ctx)
	}
	if err := l.writeWaits(ctx, nil); err != nil {
		return err
	}
	l.fanOuts.open = true
	l.fanOuts.begin(l.plan)
	return nil
}

// tellFills writes down what the fills wait for.
func (l *loop) tellFills(ctx context.Context) error {
	who, err := elders(ctx, l.control, l.horizon)
	if err != nil {
		return err
	}
	text := "to be filled when these transactions end, which began before: " + who
	return l.writeWaits(ctx, &text)
}

func (l *loop) writeWaits(ctx context.Context, text *string) error {
	_, err := l.control.Exec(ctx, "UPDATE freshet.models SET waits = $2 WHERE name = ANY ($1) AND state = 'backfilling' AND waits IS DISTINCT FROM $2",
		l.fanOuts.fills.models(), text)
	if err != nil {
		return fmt.Errorf("write freshet.models: %w", err)
	}
	return nil
}

// passed says whether every transaction from before a horizon has ended, and
// is visible or undone.
func passed(ctx context.Context, conn *pgx.Conn, horizon string) (over bool, err error) {
	err = conn.QueryRow(ctx, "SELECT pg_snapshot_xmin(pg_current_snapshot()) >= $1::text::xid8", horizon).Scan(&over)
	if err != nil {
		return false, fmt.Errorf("look for running transactions: %w", err)
	}
	return over, nil
}

// splitFills parts the fan-outs of an earlier stretch: those of whole read
// models, and the others.
func splitFills(all []apply.FanOut) (changes, fills []apply.FanOut) {
	for _, f := range all {
		if f.Path == apply.WholeModel {
			fills = append(fills, f)
		} else {
			changes = append(changes, f)
		}
	}
	return changes, fills
}

// models are the read models of the fan-outs, each once.
func (f *fanOuts) models() []string {
	names := []string{}
	for _, list := range [][]apply.FanOut{f.current, f.waiting} {
		for _, o := range list {
			if !slices.Contains(names, o.Model) {
				names = append(names, o.Model)
			}
		}
	}
	return names
}

// fillProgress tells how far a fill is, after the commit of one of its chunks.
func (l *loop) fillProgress(c *apply.Chunk, filled string) {
	f, e := l.fanOuts.fills, l.engine
	f.documents += int64(len(c.Keys))
	if e.cfg.Events.Refill != nil {
		e.cfg.Events.Refill(BackfillEvent{Model: c.Model.Name, Documents: f.documents, Estimate: f.total.Load(), Done: c.Last && filled != "", Elapsed: time.Since(f.began)})
	}
	if filled != "" {
		e.rejoined([]string{filled})
	}
}
