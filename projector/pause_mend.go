package projector

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/projector/catalog"
	"freshet/projector/compile"
	"freshet/projector/migrate"
)

// check looks whether the source tables are as the plan needs them, and
// whether read models that are paused can be filled again.
func (l *loop) check(ctx, work context.Context) error {
	e := l.engine
	v, err := e.look(work, l.control)
	if err != nil {
		return err
	}
	if reasons := e.newFaults(v); len(reasons) > 0 {
		return &pauseOrder{reasons: reasons}
	}
	if !reflect.DeepEqual(v.Traces, e.seen) || l.applied > e.checked {
		if err := e.writeTraces(work, l.control, v); err != nil {
			return err
		}
	}
	return l.mend(ctx, work, v)
}

// newFaults returns the reasons for read models that stream to pause.
func (e *Engine) newFaults(v *migrate.Survey) map[string]string {
	reasons := map[string]string{}
	done := v.Traces.Since(e.seen, e.base)
	for _, rm := range e.plan.ReadModels {
		if faults := append(v.Models[rm.Name], done[rm.Name]...); len(faults) > 0 {
			reasons[rm.Name] = findingsText(faults)
		}
	}
	return reasons
}

// mend ends the stretch where read models can be filled again: those that are
// paused and have nothing wrong any more, and those that somebody has asked to
// be filled.
//
// Whatever is in the log from the time of the fault is read before, without
// them: it would be met again otherwise. And every transaction from before has
// to end: what it wrote is not in the stream, and would be missed by a fill
// that does not see it yet (see outlive). Nobody waits for that.
func (l *loop) mend(ctx, work context.Context, v *migrate.Survey) error {
	e := l.engine
	ready := map[string]bool{}
	for _, rm := range e.base.ReadModels {
		ok, err := l.fillable(work, rm.Name, v)
		if err != nil {
			return err
		}
		if ok {
			ready[rm.Name] = true
		}
	}
	if len(ready) == 0 {
		return nil
	}
	if _, err := l.drain(ctx, work, nil); err != nil {
		return err
	}
	if !l.queue.Empty() {
		if err := l.batch(ctx, work, nil); err != nil {
			return err
		}
	}
	if err := l.settle(work); err != nil {
		return err
	}
	for name := range ready {
		_, waited := e.paused[name]
		e.mending[name], e.waited[name] = true, waited
		delete(e.horizons, name)
	}
	return errMend
}

// fillable says whether the fill of a read model is to be begun now: of one that
// takes part already at once, since it waits for older transactions while it
// streams.
func (l *loop) fillable(ctx context.Context, name string, v *migrate.Survey) (bool, error) {
	if _, paused := l.engine.paused[name]; paused {
		return l.engine.mendable(ctx, l.control, name, v)
	}
	return l.unbegun(ctx, name, v.States[name])
}

// mendable says whether a read model that is paused is to be filled now.
func (e *Engine) mendable(ctx context.Context, control *pgx.Conn, name string, v *migrate.Survey) (bool, error) {
	p := e.paused[name]
	if faults := v.Models[name]; len(faults) > 0 {
		delete(e.horizons, name)
		return false, e.restate(ctx, control, p, findingsText(faults))
	}
	if f := e.flaps[name]; f != nil && time.Now().Before(f.next) {
		return false, nil
	}
	var err error
	if e.horizons[name] == "" {
		if e.horizons[name], err = xmax(ctx, control); err != nil {
			return false, err
		}
	}
	over, err := passed(ctx, control, e.horizons[name])
	if err != nil || over {
		return over, err
	}
	who, err := elders(ctx, control, e.horizons[name])
	if err != nil {
		return false, err
	}
	return false, e.await(ctx, control, p, "to be filled again when these transactions end, which began before: "+who)
}

// await tells what a pause waits for where nothing is wrong any more.
func (e *Engine) await(ctx context.Context, control *pgx.Conn, p PausedModel, text string) error {
	if p.Waits == text {
		return nil
	}
	if _, err := control.Exec(ctx, "UPDATE freshet.models SET waits = $2 WHERE name = $1 AND state = 'paused'", p.Model, text); err != nil {
		return fmt.Errorf("write freshet.models: %w", err)
	}
	p.Waits = text
	e.paused[p.Model] = p
	e.showPaused()
	return nil
}

// restate changes what is told of a pause where another thing is wrong by now.
func (e *Engine) restate(ctx context.Context, control *pgx.Conn, p PausedModel, text string) error {
	if p.Error == text || p.Model == "" {
		return nil
	}
	_, err := control.Exec(ctx, "UPDATE freshet.models SET error = $2, waits = NULL WHERE name = $1 AND state = 'paused'", p.Model, text)
	if err != nil {
		return fmt.Errorf("write freshet.models: %w", err)
	}
	p.Error, p.Waits = text, ""
	e.paused[p.Model] = p
	e.showPaused()
	return nil
}

// recompile makes a new plan where read models were migrated to other types of
// their source columns since this one was compiled. It is adopted only where
// all documents, tables and indexes stay as they are: what else holds them, an
// API in this process for one, goes on.
func (e *Engine) recompile(ctx context.Context, control *pgx.Conn, v *migrate.Survey) (adopted bool, err error) {
	if len(v.Migrated) == 0 || e.base.Model == nil {
		return false, nil
	}
	tried := strings.Join(v.Migrated, ",") + fmt.Sprint(v.Traces)
	if tried == e.tried {
		return false, nil
	}
	e.tried = tried
	c, err := catalog.Load(ctx, control, compile.Request(e.base.Model))
	if err != nil {
		return false, err
	}
	plan, _ := compile.Compile(e.base.Model, c)
	if plan == nil || len(plan.ReadModels) != len(e.base.ReadModels) {
		return false, nil
	}
	for i, rm := range plan.ReadModels {
		if rm.Name != e.base.ReadModels[i].Name || rm.Hash != e.base.ReadModels[i].Hash {
			return false, nil
		}
	}
	e.base = plan
	return true, nil
}
