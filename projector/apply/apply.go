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
	// now is the clock of the log's timestamps.
	now func() time.Time
	// held are the quarantined keys, so that one that builds again is taken out.
	held map[pendingKey]struct{}

	started time.Time
}

// New returns an Applier that writes as the given epoch of the slot. It owns
// conn from now on.
func New(conn *pgx.Conn, plan *compile.Plan, slot string, epoch int64) *Applier {
	return &Applier{conn: conn, plan: plan, slot: slot, epoch: epoch, now: time.Now, held: map[pendingKey]struct{}{}}
}

// Begin opens the batch's transaction and takes its snapshot: the first
// statement of the transaction, so that all that follows sees the same.
func (a *Applier) Begin(ctx context.Context) (*batch.Snapshot, error) {
	a.started = a.now()
	var b pgx.Batch
	b.Queue("BEGIN ISOLATION LEVEL REPEATABLE READ")
	b.Queue("SELECT pg_current_snapshot()::text")
	b.Queue("SELECT epoch FROM freshet.checkpoint WHERE slot = $1", a.slot)
	res := a.conn.SendBatch(ctx, &b)
	snapshot, epoch, err := readBegin(res)
	if err = errors.Join(err, res.Close()); err != nil {
		return nil, fmt.Errorf("open the batch's transaction: %w", err)
	}
	if epoch != a.epoch {
		return nil, ErrFenced
	}
	return batch.ParseSnapshot(snapshot)
}

func readBegin(res pgx.BatchResults) (snapshot string, epoch int64, err error) {
	if _, err = res.Exec(); err != nil {
		return "", 0, err
	}
	if err = res.QueryRow().Scan(&snapshot); err != nil {
		return "", 0, err
	}
	if err = res.QueryRow().Scan(&epoch); err != nil {
		if errors.Is(err, pgx.ErrNoRows) {
			return "", 0, ErrFenced
		}
		return "", 0, err
	}
	return snapshot, epoch, nil
}

// Rollback gives the batch up. It is safe to call when none is open.
func (a *Applier) Rollback(ctx context.Context) error {
	if a.conn.IsClosed() || a.conn.PgConn().TxStatus() == 'I' {
		return nil
	}
	_, err := a.conn.Exec(ctx, "ROLLBACK")
	return err
}

// Apply does the batch and commits. Where it returns an error nothing was
// written and the transaction is over.
//
// A document that cannot be built aborts the statement for its whole chunk, so
// Apply first tries without savepoints, and on such an error returns
// ErrCareful: the caller begins again (a new snapshot, a new marker) and calls
// with careful set, which finds the keys at fault one by one.
func (a *Applier) Apply(ctx context.Context, work Work, careful bool) (Result, error) {
	result, err := a.apply(ctx, work, careful)
	if err == nil {
		return result, nil
	}
	if rollbackErr := a.Rollback(context.WithoutCancel(ctx)); rollbackErr != nil {
		err = errors.Join(err, rollbackErr)
	}
	if !careful && faultOfData(err) {
		return Result{}, fmt.Errorf("%w: %w", ErrCareful, err)
	}
	return Result{}, err
}

// ErrCareful says that a document of the batch could not be built: try again,
// carefully.
var ErrCareful = errors.New("a document cannot be built")

func (a *Applier) apply(ctx context.Context, work Work, careful bool) (Result, error) {
	start := a.now()
	found, err := a.resolve(ctx, &work.Batch.Dirty)
	if err != nil {
		return Result{}, fmt.Errorf("find the affected documents: %w", err)
	}
	a.addPending(found, work.Pending)
	resolved := a.now()
	w := &writer{applier: a, work: work, careful: careful}
	if err = w.rebuild(ctx, found); err != nil {
		return Result{}, fmt.Errorf("rebuild documents: %w", err)
	}
	rebuilt := a.now()
	if err = w.commit(ctx); err != nil {
		return Result{}, fmt.Errorf("commit batch: %w", err)
	}
	w.result.Resolve, w.result.Rebuild, w.result.Commit = resolved.Sub(start), rebuilt.Sub(resolved), a.now().Sub(rebuilt)
	a.settleHeld(w)
	return w.result, nil
}

// faultOfData tells an error that lies in a row's values from one that lies in
// the system: SQLSTATE classes 22 (data exception) and 54 (limits exceeded,
// such as a JSON value over a gigabyte), and what a user's own function raised.
func faultOfData(err error) bool {
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
