// Package migrate brings a database to what a compiled model needs: Freshet's
// own tables, the tv_* tables, replica identities, the publication and the
// slot; and says beforehand what would go wrong.
//
// Guarantees: Plan changes nothing, and what it prints is what Apply does; a
// step that is done is not planned again; the publication exists before the
// slot, and a replica identity before both; nothing waits for a lock longer
// than a lock timeout, so that no writer queues up behind it, and what cannot
// get its lock says who holds it; whatever may have missed changes (a table
// that was not published, an identity that did not cover) is marked to be
// filled again before it is repaired; and no table that is not Freshet's is
// ever dropped.
package migrate

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/projector/compile"
)

// Kind is what a Step is about.
type Kind string

// The kinds of step, in the order in which they come.
const (
	KindSchema      Kind = "schema"      // Freshet's own tables
	KindDrop        Kind = "drop"        // a tv_* table that the model no longer has
	KindTable       Kind = "table"       // a tv_* table and its row in freshet.models
	KindRefill      Kind = "refill"      // a read model that may have missed changes
	KindSourceIndex Kind = "sourceIndex" // a missing foreign-key index of a source table
	KindIdentity    Kind = "identity"    // a replica identity
	KindPublication Kind = "publication"
	KindSlot        Kind = "slot"
	KindIndex       Kind = "index" // a secondary index of a tv_* table
)

// Phase says who does a step.
type Phase int

// The phases.
const (
	Before Phase = iota // Apply does it
	After               // the projector does it: at the end of a backfill, or at its start
)

// Step is one thing to do.
type Step struct {
	Kind  Kind
	Phase Phase
	What  string // one sentence without a final full stop
	SQL   string // what is run; shown to people
	Locks string // what it locks and for how long; empty: nothing that anybody could notice
	// Done is set once Apply has done it.
	Done bool
	// Waiting names whom the step waits for; it is set only in calls of
	// Apply's progress function.
	Waiting string

	do func(ctx context.Context, w *worker) error
}

// Migration is what is to be done, in order.
type Migration struct {
	Steps []Step
	// Notes are sentences about what is left as it is, and how to change it.
	Notes []string

	opts Options
}

// Empty says whether there is nothing for Apply to do.
func (m *Migration) Empty() bool {
	for _, s := range m.Steps {
		if s.Phase == Before && !s.Done {
			return false
		}
	}
	return true
}

// Options say how far a migration goes.
type Options struct {
	Slot        string // default "freshet"
	Publication string // default "freshet"
	// Prune drops tv_* tables of read models that the model file no longer has.
	Prune bool
	// CreateIndexes creates foreign-key indexes that source tables lack.
	CreateIndexes bool
	// LockTimeout bounds each wait for a lock, in which writers may queue up
	// behind it. Default 2s.
	LockTimeout time.Duration
	// LockWait bounds all tries for one lock together. Default 1 minute.
	LockWait time.Duration
	// SlotWait bounds the creation of the slot, which waits for every
	// transaction that is running. Default 1 minute.
	SlotWait time.Duration
	// LeaveSlot leaves the slot to the projector, which creates it at its
	// start with the snapshot for the first fill.
	LeaveSlot bool
	// CreateSlot creates the slot. Default: pg_create_logical_replication_slot
	// on a connection with no transaction open.
	CreateSlot func(ctx context.Context) error
}

// withDefaults fills in what is not set.
func (o Options) withDefaults() Options {
	if o.Slot == "" {
		o.Slot = "freshet"
	}
	if o.Publication == "" {
		o.Publication = "freshet"
	}
	for _, d := range []struct {
		value *time.Duration
		def   time.Duration
	}{{&o.LockTimeout, 2 * time.Second}, {&o.LockWait, time.Minute}, {&o.SlotWait, time.Minute}} {
		if *d.value <= 0 {
			*d.value = d.def
		}
	}
	return o
}

// Plan computes what the database lacks. The plan must have been compiled from
// a catalog of the same database just now. The error is a *NotReady when
// something stands in the way that Freshet must not touch: a table of another
// shape under the name of a tv_* table, a row filter in the publication, a
// slot of somebody else.
func Plan(ctx context.Context, conn *pgx.Conn, cp *compile.Plan, opts Options) (*Migration, error) {
	opts = opts.withDefaults()
	s, err := readState(ctx, conn, cp, opts.Slot, opts.Publication)
	if err != nil {
		return nil, err
	}
	p := &planner{Migration: &Migration{opts: opts}, state: s, plan: cp, faults: append(serverFaults(s.version, s.walLevel), s.unsuitable(cp)...)}
	p.schema()
	p.drops()
	p.tables()
	p.refills()
	p.sourceIndexes()
	p.identities()
	p.publish()
	p.slot()
	p.indexes()
	if err := asError(p.faults); err != nil {
		return nil, err
	}
	return p.Migration, nil
}

// planner adds up a Migration.
type planner struct {
	*Migration
	state  *state
	plan   *compile.Plan
	faults []Finding
}

// add appends a step.
func (p *planner) add(s Step) { p.Steps = append(p.Steps, s) }

// note appends a note.
func (p *planner) note(text string) { p.Notes = append(p.Notes, text) }

// schema plans Freshet's own tables.
func (p *planner) schema() {
	for _, f := range p.state.pending {
		p.add(Step{
			Kind: KindSchema,
			What: "bring Freshet's own tables in schema freshet to " + f.Name,
			SQL:  f.SQL,
			do:   applyMigrations,
		})
	}
}
