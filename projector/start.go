package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"freshet/projector/backfill"
	"freshet/projector/checkpoint"
	"freshet/projector/compile"
	"freshet/projector/session"
	"freshet/projector/stream"
)

// standbyPoll is how often a projector that stands by asks for the lock. A
// waiting lock request would hold a snapshot, and with it back vacuum.
const standbyPoll = time.Second

// session is one life of the engine between two failures: it takes the lead,
// fills what is not filled, and streams. up says whether it got as far as
// streaming.
func (e *Engine) session(ctx context.Context) (up bool, err error) {
	held, err := e.lead(ctx)
	if err != nil {
		return false, err
	}
	return held.during(ctx, e.led)
}

// led is what a leading engine does.
func (e *Engine) led(ctx context.Context) (up bool, err error) {
	control, err := session.Connect(ctx, e.cfg.ConnConfig, "projector control")
	if err != nil {
		return false, err
	}
	defer session.Close(control)
	clear(e.waited) // another may have led meanwhile
	for {
		further, err := e.stretch(ctx, control)
		up = up || further
		again, err := e.absorb(ctx, control, err)
		if !again {
			return up, err
		}
		if err != nil {
			return up, err
		}
	}
}

// stretch streams until something is wrong, or the read models that take part
// are to be others.
func (e *Engine) stretch(ctx context.Context, control *pgx.Conn) (up bool, err error) {
	e.setState(Starting, "")
	place, err := e.takeOver(ctx, control)
	if err != nil {
		return false, err
	}
	l := &loop{engine: e, plan: e.plan, control: control, epoch: place.Epoch, number: place.Batch, applied: place.Applied, partitions: e.partitions}
	return l.run(ctx)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// takeOver brings slot, checkpoint and read models to where streaming can
// begin, and raises the epoch.
func (e *Engine) takeOver(ctx context.Context, control *pgx.Conn) (checkpoint.Checkpoint, error) {
	id, err := checkpoint.Find(ctx, control, e.cfg.Slot) // says first if this is no primary
	if err != nil {
		return checkpoint.Checkpoint{}, err
	}
	if e.survey, err = e.look(ctx, control); err != nil {
		return checkpoint.Checkpoint{}, err
	}
	slot, err := findSlot(ctx, control, e.cfg.Slot)
	if err != nil {
		return checkpoint.Checkpoint{}, err
	}
	promotion, err := checkpoint.FollowPromotion(ctx, control, id)
	if err != nil {
		return checkpoint.Checkpoint{}, err
	}
	if promotion != nil {
		e.setState(Starting, fmt.Sprintf("this server was promoted from a standby, to timeline %d after %d: its synced slot goes on from %s",
			promotion.To, promotion.From, promotion.Applied))
	}
	place, err := checkpoint.TakeOver(ctx, control, id)
	if e.recreate {
		return e.startAfresh(ctx, control, id, slot)
	}
	if errors.Is(err, checkpoint.ErrNone) {
		return e.startFirst(ctx, control, id, slot)
	}
	if err != nil {
		return checkpoint.Checkpoint{}, err
	}
	if err = slot.gap(place.Applied); err != nil {
		return checkpoint.Checkpoint{}, err
	}
	return place, e.fill(ctx, control, place.Epoch, "", place.Applied, nil)
}

// startFirst begins where there is no checkpoint for the slot: with a slot of
// our own making, whose snapshot the documents are filled under, or with one
// that `migrate` made. Read models that are filled already were so by another
// slot, or in the database that this one was copied from: what has changed
// since is in no stream of ours, so they are filled again.
func (e *Engine) startFirst(ctx context.Context, control *pgx.Conn, id checkpoint.Identity, slot slotState) (checkpoint.Checkpoint, error) {
	if err := backfill.Restart(ctx, control); err != nil {
		return checkpoint.Checkpoint{}, err
	}
	if slot.exists {
		if slot.lost() {
			return checkpoint.Checkpoint{}, slot.loss()
		}
		return e.begin(ctx, control, id, "", slot.confirmed, nil)
	}
	created, err := e.createSlot(ctx, control)
	if err != nil {
		return checkpoint.Checkpoint{}, err
	}
	release := func() { _ = created.Close(context.WithoutCancel(ctx)) } // the snapshot ends with the connection in any case
	defer release()
	return e.begin(ctx, control, id, created.Snapshot, created.ConsistentPoint, release)
}

// startAfresh replaces the slot and fills every read model again, over what is
// there: readers are served the old documents meanwhile.
func (e *Engine) startAfresh(ctx context.Context, control *pgx.Conn, id checkpoint.Identity, slot slotState) (checkpoint.Checkpoint, error) {
	if slot.exists {
		if _, err := control.Exec(ctx, "SELECT pg_drop_replication_slot($1)", slot.name); err != nil {
			return checkpoint.Checkpoint{}, fmt.Errorf("drop the old slot: %w", err)
		}
		slot.exists = false
	}
	return e.startFirst(ctx, control, id, slot)
}

func (e *Engine) begin(ctx context.Context, control *pgx.Conn, id checkpoint.Identity, snapshot string, start pglogrepl.LSN, release func()) (checkpoint.Checkpoint, error) {
	if err := checkpoint.Create(ctx, control, id, start); err != nil {
		return checkpoint.Checkpoint{}, err
	}
	e.recreate = false // done: a session that fails from here on goes on with this slot
	place, err := checkpoint.TakeOver(ctx, control, id)
	if err != nil {
		return checkpoint.Checkpoint{}, err
	}
	return place, e.fill(ctx, control, place.Epoch, snapshot, start, release)
}

// fill backfills the read models that are not filled yet, but for those that are
// filled while others stream.
func (e *Engine) fill(ctx context.Context, control *pgx.Conn, epoch int64, snapshot string, start pglogrepl.LSN, release func()) error {
	e.epoch = epoch
	err := e.sortOut(ctx, control)
	if err != nil {
		return err
	}
	if e.partitions, err = e.knownPartitions(ctx, control, epoch); err != nil {
		return err
	}
	unfilled, err := backfill.Unfilled(ctx, control)
	if err != nil {
		return err
	}
	var models []*compile.ReadModel
	late := false // older transactions may run: those that are mended have waited
	for _, m := range e.plan.ReadModels {
		if e.beside[m.Name] {
			if err = prepareFill(ctx, control, m); err != nil {
				return err
			}
		} else if unfilled[m.Name] {
			models = append(models, m)
			late = late || !e.waited[m.Name]
		}
	}
	if len(models) == 0 {
		return nil
	}
	e.setState(Backfilling, fmt.Sprintf("filling %d read models", len(models)))
	if snapshot == "" && late {
		if err = e.outlive(ctx, control); err != nil {
			return err
		}
	}
	e.filled = true
	return backfill.Run(ctx, backfill.Config{
		ConnConfig: e.cfg.ConnConfig,
		Models:     models,
		Slot:       e.cfg.Slot,
		Workers:    e.cfg.Workers,
		Snapshot:   snapshot,
		Start:      start,
		Release:    release,
		Progress:   e.backfilled,
		Quarantined: func(model, key string, err error) {
			if e.cfg.Events.Quarantined != nil {
				e.cfg.Events.Quarantined(model, key, err)
			}
		},
	})
}

func (e *Engine) backfilled(p backfill.Progress) {
	if e.cfg.Events.Backfill != nil {
		e.cfg.Events.Backfill(BackfillEvent{Model: p.Model, Documents: p.Documents, Estimate: p.Total, Done: p.Done, Elapsed: p.Elapsed})
	}
}

func (e *Engine) streamConfig() stream.Config {
	return stream.Config{Conn: &e.cfg.ConnConfig.Config, Slot: e.cfg.Slot, Publication: e.cfg.Publication}
}
