package projector

import (
	"time"

	"github.com/jackc/pglogrepl"
)

// Events is how an Engine tells what it does: logs, metrics, the demo's line
// and tests all hang on it. Any function may be nil. They are called from the
// engine's own goroutines, one after the other for each kind, and must return
// quickly.
type Events struct {
	// State is called when the engine's state changes; detail is a sentence.
	State func(s State, detail string)
	// Batch is called after each batch has committed.
	Batch func(BatchEvent)
	// Backfill is called as ranges of a backfill finish.
	Backfill func(BackfillEvent)
	// Retry is called when something failed that will be tried again.
	Retry func(what string, err error, wait time.Duration)
	// Quarantined is called when a document could not be built.
	Quarantined func(model, key string, err error)
}

// State is what an Engine is doing.
type State string

// The states of an Engine.
const (
	Starting    State = "starting"
	Standby     State = "standby"     // another projector holds the lock
	Backfilling State = "backfilling" // first fill of the read models
	CatchingUp  State = "catching up" // the backlog of a downtime
	Streaming   State = "streaming"
	Waiting     State = "waiting" // for the database or the slot; the detail says what
	Stopped     State = "stopped"
)

// BatchEvent describes a committed batch.
type BatchEvent struct {
	Number       int64
	Transactions int
	Changes      int
	Upserted     int
	Deleted      int
	Unchanged    int
	Watermark    pglogrepl.LSN
	Phases       Phases
	// Commits are the source commit times of the batch's transactions, for
	// freshness: at most the first 1,000.
	Commits []time.Time
	At      time.Time // when the batch had committed
}

// Phases are the parts of a batch's time.
type Phases struct {
	Drain   time.Duration // from the snapshot to the marker's return
	Resolve time.Duration // affected keys
	Rebuild time.Duration // documents
	Commit  time.Duration // sync_log, checkpoint, commit
}

// BackfillEvent is the progress of one read model's backfill.
type BackfillEvent struct {
	Model     string
	Documents int64
	Estimate  int64 // documents in all, by count of the source; -1 unknown
	Done      bool
	Elapsed   time.Duration
}

// Status is a snapshot of an Engine for people and probes.
type Status struct {
	State     State         `json:"state"`
	Detail    string        `json:"detail"`
	Since     time.Time     `json:"since"`
	Slot      string        `json:"slot"`
	Received  pglogrepl.LSN `json:"-"` // end of the last transaction read from the stream
	Applied   pglogrepl.LSN `json:"-"` // resume position committed in the checkpoint
	Confirmed pglogrepl.LSN `json:"-"` // told to the slot
	Watermark pglogrepl.LSN `json:"-"`
	Batches   int64         `json:"batches"`
	// Totals since the start of the process.
	Transactions int64      `json:"transactions"`
	Changes      int64      `json:"changes"`
	Upserted     int64      `json:"upserted"`
	Deleted      int64      `json:"deleted"`
	Unchanged    int64      `json:"unchanged"`
	LastCommit   *time.Time `json:"lastCommit,omitempty"` // source commit time of the last transaction applied
	LastBatch    *time.Time `json:"lastBatch,omitempty"`
	LastError    string     `json:"lastError,omitempty"`
}
