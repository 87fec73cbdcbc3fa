package projector

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"freshet/projector/backfill"
	"freshet/projector/batch"
	"freshet/projector/compile"
	"freshet/projector/migrate"
)

// What is done to a source table may make the documents of some read models
// impossible to keep: a column that they read is dropped, the table leaves the
// publication, its replica identity is lost. These read models pause, and the
// others go on. It is noticed in three ways: the stream describes the table
// otherwise than the plan needs it, a statement fails, or the catalog, looked
// at every few seconds and at each start, is not as it should be, or bears the
// trace of something that was done and undone.
//
// To pause is a note in freshet.models and a new beginning of the stream at
// the place of the last batch, with a plan that does not have the read model.
// When the catalog is as the plan wants it again the read model is filled
// anew, and joins (see mend). So documents that were not kept are never
// mistaken for right ones: freshet.lag tells from which commit on they may
// lack something.

// pauseOrder ends a stretch of streaming because read models must pause.
type pauseOrder struct {
	reasons map[string]string // by read model
}

// Error lists the read models with their reasons.
func (p *pauseOrder) Error() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(p.reasons)) {
		all = append(all, name+": "+p.reasons[name])
	}
	return strings.Join(all, "; ")
}

// errMend ends a stretch of streaming because read models can be filled again.
var errMend = errors.New("read models are to be filled again")

// blame returns for which read models an error is a reason to pause; none
// where it concerns all of them, or passes.
func blame(err error) map[string]string {
	var order *pauseOrder
	var schema *batch.SchemaError
	var model *compile.ModelError
	reasons := map[string]string{}
	switch {
	case errors.As(err, &order):
		return order.reasons
	case errors.As(err, &schema):
		for _, name := range schema.Models {
			reasons[name] = schema.Error()
		}
	case errors.As(err, &model) && faultOfSchema(model):
		reasons[model.Model] = describe(model) + ". Mend that, and the documents are filled again by themselves; freshet check says more"
	}
	return reasons
}

// describe is the error of a read model's statement.
func describe(model *compile.ModelError) string {
	var pg *pgconn.PgError
	if !errors.As(model, &pg) {
		return model.Err.Error()
	}
	return fmt.Sprintf("its documents cannot be built: %s (SQLSTATE %s)", pg.Message, pg.Code)
}

// faultOfSchema tells a statement that does not fit its tables any more, or
// the values that they hold, from what ails the whole server.
func faultOfSchema(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || len(pg.Code) != 5 {
		return false
	}
	switch pg.Code[:2] {
	case "42", "0A", "3F", "22", "23", "2F", "38", "39", "54", "P0":
		return true
	}
	return false
}

// absorb pauses the read models that an error concerns. again says that the
// engine goes on at once.
func (e *Engine) absorb(ctx context.Context, control *pgx.Conn, err error) (again bool, _ error) {
	if errors.Is(err, errMend) {
		return true, nil
	}
	reasons := blame(err)
	fresh := false
	for name := range reasons {
		_, paused := e.paused[name]
		fresh = fresh || !paused
	}
	if !fresh || ctx.Err() != nil {
		return false, err
	}
	for name := range reasons {
		delete(e.mending, name)
		delete(e.waited, name)
	}
	if fault := e.storePauses(ctx, control, sorted{pauses: reasons}, nil); fault != nil {
		return false, fmt.Errorf("pause read models: %w", fault) // the reason comes again
	}
	return true, e.tellPauses(ctx, control)
}

// look looks at the database. Where the plan has become too old for the types
// of the source columns it tries to compile it again.
func (e *Engine) look(ctx context.Context, control *pgx.Conn) (*migrate.Survey, error) {
	v, err := migrate.Look(ctx, control, e.base, e.cfg.Slot, e.cfg.Publication)
	if err != nil {
		return nil, err
	}
	if adopted, err := e.recompile(ctx, control, v); err != nil {
		return nil, err
	} else if adopted {
		if v, err = migrate.Look(ctx, control, e.base, e.cfg.Slot, e.cfg.Publication); err != nil {
			return nil, err
		}
	}
	return v, v.Err()
}

// sortOut decides, before read models are filled and streaming begins, which
// of them pause, and makes the plan of the others.
func (e *Engine) sortOut(ctx context.Context, control *pgx.Conn) error {
	known, err := e.traces(ctx, control)
	if err != nil {
		return err
	}
	v := e.survey
	done := v.Traces.Since(known, e.base)
	states, err := states(ctx, control)
	if err != nil {
		return err
	}
	todo := e.sortModels(v, done, states)
	if err := e.storePauses(ctx, control, todo, v); err != nil {
		return err
	}
	e.beside = map[string]bool{}
	for _, name := range todo.beside {
		e.beside[name] = true
	}
	return e.tellPauses(ctx, control)
}

// findingsText is what is shown of faults: what, where, what to do.
func findingsText(list []migrate.Finding) string {
	var all []string
	for _, f := range list {
		all = append(all, f.Where+": "+f.What+". "+f.Remedy)
	}
	return strings.Join(slices.Compact(all), "\n")
}

// reduce makes the plan without the paused read models, and with the source
// tables as they are now: one that was created again has another OID.
func (e *Engine) reduce() {
	names := map[string]bool{}
	for name := range e.paused {
		names[name] = true
	}
	e.plan = e.base.Without(names)
	if e.survey == nil {
		return
	}
	for _, s := range e.plan.Sources {
		if t := e.survey.Tables[s.Table.Name]; t != nil {
			s.Table = t
		}
	}
}

// tellPauses reads which read models are paused, and tells whoever listens
// what has changed about that.
func (e *Engine) tellPauses(ctx context.Context, control *pgx.Conn) error {
	list, err := readPaused(ctx, control, e.base)
	if err != nil {
		return err
	}
	before := e.paused
	e.paused = map[string]PausedModel{}
	var fresh []PausedModel
	for _, p := range list {
		e.paused[p.Model] = p
		if _, was := before[p.Model]; !was {
			e.flapped(p.Model)
			fresh = append(fresh, p)
		}
	}
	e.reduce()
	e.showPaused()
	if e.cfg.Events.Paused != nil {
		for _, p := range fresh {
			e.cfg.Events.Paused(p)
		}
	}
	return nil
}

func (e *Engine) showPaused() {
	list := make([]PausedModel, 0, len(e.paused))
	for _, name := range slices.Sorted(maps.Keys(e.paused)) {
		list = append(list, e.paused[name])
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status.Paused = list
}

// ready marks the read models that were filled, now that a batch has followed:
// those that had been paused are mended.
func (e *Engine) ready(ctx context.Context, control *pgx.Conn) error {
	names, err := backfill.Ready(ctx, control)
	if err != nil {
		return err
	}
	e.filled = false
	e.rejoined(names)
	return nil
}

// rejoined tells of read models that were filled again.
func (e *Engine) rejoined(names []string) {
	for _, name := range names {
		if !e.mending[name] {
			continue
		}
		delete(e.mending, name)
		delete(e.waited, name)
		if e.cfg.Events.Mended != nil {
			e.cfg.Events.Mended(name)
		}
	}
}

// flap is how often a read model has paused of late.
type flap struct {
	times int
	last  time.Time
	next  time.Time // before which it is not filled again
}

const (
	// flapFirst is how long a read model that pauses for the second time waits
	// before it is filled again; it doubles up to flapMost. One that has held
	// for flapForget begins anew.
	flapFirst, flapMost, flapForget = 5 * time.Second, 10 * time.Minute, 30 * time.Minute
)

// flapped books a pause.
func (e *Engine) flapped(name string) {
	f := e.flaps[name]
	if f == nil || time.Since(f.last) > flapForget {
		f = &flap{}
		e.flaps[name] = f
	}
	f.times++
	f.last, f.next = time.Now(), time.Now()
	if f.times > 1 {
		f.next = f.last.Add(min(flapFirst<<min(f.times-2, 10), flapMost))
	}
}
