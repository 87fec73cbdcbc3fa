// Package apply writes one batch: it resolves the affected keys, rebuilds
// their documents, and commits them together with sync_log and the checkpoint.
//
// Guarantees: everything in a batch is evaluated on the one snapshot that Begin
// took; documents, log and checkpoint commit together or not at all; a
// projector whose epoch has passed commits nothing (ErrFenced); only documents
// whose bytes change are written; and a document that cannot be built is set
// aside in freshet.pending with its error and never stops the others.
package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"freshet/projector/batch"
	"freshet/projector/compile"
)

// ErrFenced says that another projector has taken over: this one must write
// nothing more.
var ErrFenced = errors.New("another projector has taken over this slot")

// chunk is how many keys go into one statement and one sync_log row.
const chunk = 1000

// Result is what a batch did.
type Result struct {
	Upserted, Deleted, Unchanged int
	Quarantined                  []Quarantined
	Resolve, Rebuild, Commit     time.Duration
	// Checked is how many stored documents, not of the batch, were compared with
	// their definition, and Wrong are those that do not equal it: they will be
	// rebuilt.
	Checked int
	Wrong   []Wrong
	// FanOuts are what the batch has put off, and Spread the time that its
	// chunk of earlier ones took.
	FanOuts []FanOut
	Spread  time.Duration
	// Filled is the read model that is ready since this batch; "": none is.
	Filled string
	// End is behind the commit in the WAL: once the server has flushed as far,
	// the batch is durable.
	End pglogrepl.LSN
}

// Quarantined is a key whose document could not be built.
type Quarantined struct {
	Model string
	Key   string
	Err   error
}

// Applier applies batches over one connection, one after the other. It is not
// safe for concurrent use.
type Applier struct {
	conn  *pgx.Conn
	plan  *compile.Plan
	slot  string
	epoch int64
	limit int // see DefaultFanOut
	// now is the clock of the log's timestamps.
	now func() time.Time
	// held are the keys that wait and are known here, so that one that builds is
	// taken out. It is true for those of which the last try failed.
	held  map[pendingKey]bool
	round *round // of the self-check
	files files

	started time.Time
	w       *writer // of the batch under way
}

// New returns an Applier that writes as the given epoch of the slot. It owns
// conn from now on.
func New(conn *pgx.Conn, plan *compile.Plan, slot string, epoch int64) *Applier {
	return &Applier{conn: conn, plan: plan, slot: slot, epoch: epoch, limit: DefaultFanOut, now: time.Now, held: map[pendingKey]bool{}, files: newFiles(plan)}
}

// LimitFanOut sets how many documents of a read model one changed row may lead
// to within its batch. Zero is the default; below zero there is no limit, and
// every batch is whole.
func (a *Applier) LimitFanOut(documents int) {
	a.limit = documents
	if documents == 0 {
		a.limit = DefaultFanOut
	}
}

// Begin opens the batch's transaction and takes its snapshot: the first
// statement of the transaction, so that all that follows sees the same.
func (a *Applier) Begin(ctx context.Context) (*batch.Snapshot, error) {
	a.started = a.now()
	for {
		o, err := a.open(ctx)
		if err == nil && o.epoch != a.epoch {
			err = ErrFenced
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open the batch's transaction: %w", err), a.Rollback(context.WithoutCancel(ctx)))
		}
		if o.files == a.files.known {
			a.w = &writer{applier: a, found: newAffected(), aside: map[pendingKey]struct{}{}}
			return batch.ParseSnapshot(o.snapshot)
		}
		// What has moved them may be younger than the snapshot. The next one is
		// younger than what they are now.
		a.files.known = o.files
		if err = a.Rollback(ctx); err != nil {
			return nil, fmt.Errorf("open the batch's transaction anew: %w", err)
		}
	}
}

// opened is what a batch begins with.
type opened struct {
	snapshot string
	epoch    int64
	files    string // behind the source tables, no earlier than the snapshot
}

func (a *Applier) open(ctx context.Context) (o opened, err error) {
	var b pgx.Batch
	b.Queue("BEGIN ISOLATION LEVEL REPEATABLE READ")
	b.Queue("SELECT pg_current_snapshot()::text").QueryRow(func(row pgx.Row) error { return row.Scan(&o.snapshot) })
	b.Queue("SELECT epoch FROM freshet.checkpoint WHERE slot = $1", a.slot).QueryRow(func(row pgx.Row) error {
		if err := row.Scan(&o.epoch); errors.Is(err, pgx.ErrNoRows) {
			return ErrFenced
		} else if err != nil {
			return err
		}
		return nil
	})
	b.Queue("SELECT "+filesSQL, a.files.tables, a.files.roots).QueryRow(func(row pgx.Row) error { return row.Scan(&o.files) })
	return o, a.conn.SendBatch(ctx, &b).Close()
}

// Rollback gives the batch up. It is safe to call when none is open.
func (a *Applier) Rollback(ctx context.Context) error {
	if a.conn.IsClosed() || a.conn.PgConn().TxStatus() == 'I' {
		return nil
	}
	_, err := a.conn.Exec(ctx, "ROLLBACK")
	return err
}

// Early begins with a part of the batch while the rest of it is still to be
// received: all of it is evaluated on the same snapshot, so the order does not
// matter. Documents are stamped with lsn. Where the part is large it is only
// resolved: what it writes is then left to Apply.
//
// An error ends the batch, as one of Apply does.
func (a *Applier) Early(ctx context.Context, dirty *batch.Dirty, lsn pglogrepl.LSN) error {
	return a.end(ctx, false, a.early(ctx, dirty, lsn))
}

func (a *Applier) early(ctx context.Context, dirty *batch.Dirty, lsn pglogrepl.LSN) error {
	if err := a.resolve(ctx, dirty); err != nil || a.w.found.large() {
		return err
	}
	a.w.stamp = lsn
	return a.rebuild(ctx)
}

// Resolve finds what a part of the batch leads to; Apply rebuilds it. An error
// ends the batch.
func (a *Applier) Resolve(ctx context.Context, dirty *batch.Dirty) error {
	return a.end(ctx, true, a.resolve(ctx, dirty))
}

// Apply rebuilds what is left and commits. work.Batch is the whole batch, all
// of which has been given to Early or Resolve. Where it returns an error
// nothing was written and the transaction is over.
//
// A document that cannot be built aborts the statement for its whole chunk, so
// Early and Apply first try without savepoints, and on such an error return
// ErrCareful: the caller begins again (a new snapshot, a new marker) and calls
// Apply alone, with careful set, which finds the keys at fault one by one. Only
// the keys that are known to have failed are behind savepoints always: a row
// that stays at fault while it changes does not have every batch done twice.
func (a *Applier) Apply(ctx context.Context, work Work, careful bool) (Result, error) {
	a.w.work, a.w.careful, a.w.stamp = work, careful, work.Batch.Watermark
	if err := a.end(ctx, careful, a.apply(ctx)); err != nil {
		return Result{}, err
	}
	a.settleHeld(a.w)
	return a.w.result, nil
}

// ErrCareful says that a document of the batch could not be built: try again,
// carefully.
var ErrCareful = errors.New("a document cannot be built")

// end ends the transaction where there was an error.
func (a *Applier) end(ctx context.Context, careful bool, err error) error {
	if err == nil {
		return nil
	}
	if rollbackErr := a.Rollback(context.WithoutCancel(ctx)); rollbackErr != nil {
		err = errors.Join(err, rollbackErr)
	}
	if !careful && FaultOfData(err) {
		return fmt.Errorf("%w: %w", ErrCareful, err)
	}
	return err
}

func (a *Applier) apply(ctx context.Context) error {
	a.addPending(a.w.found, a.w.work.Pending)
	a.addWanted(a.w.found, a.w.work.Wanted)
	if err := a.rebuild(ctx); err != nil {
		return err
	}
	if err := a.w.spread(ctx); err != nil {
		return err
	}
	var err error
	if a.w.result.Checked, a.w.result.Wrong, err = a.selfCheck(ctx, a.w.work.Check, a.w.work.Skip); err != nil {
		return err
	}
	start := a.now()
	if err := a.w.commit(ctx); err != nil {
		return fmt.Errorf("commit batch: %w", err)
	}
	a.w.result.Commit = a.now().Sub(start)
	return nil
}

// resolve adds what dirty leads to to what is to be rebuilt.
func (a *Applier) resolve(ctx context.Context, dirty *batch.Dirty) error {
	start := a.now()
	if err := a.follow(ctx, dirty, a.w.found); err != nil {
		return fmt.Errorf("find the affected documents: %w", err)
	}
	a.w.result.Resolve += a.now().Sub(start)
	return nil
}

// rebuild rebuilds what was found so far.
func (a *Applier) rebuild(ctx context.Context) error {
	start := a.now()
	found := a.w.found
	a.w.found, a.w.last = newAffected(), found
	if err := a.w.rebuild(ctx, found); err != nil {
		return fmt.Errorf("rebuild documents: %w", err)
	}
	a.w.result.Rebuild += a.now().Sub(start)
	return nil
}

// FaultOfData tells an error that lies in a row's values from one that lies in
// the system: SQLSTATE classes 22 (data exception) and 54 (limits exceeded,
// such as a JSON value over a gigabyte), and what a user's own function raised.
func FaultOfData(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || len(pgErr.Code) != 5 {
		return false
	}
	switch pgErr.Code[:2] {
	case "22", "54", "P0", "23":
		return true
	}
	return false
}
