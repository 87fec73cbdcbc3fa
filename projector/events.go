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
	// Refill is called as the documents of a read model are filled beside the
	// batches of the others.
	Refill func(BackfillEvent)
	// Retry is called when something failed that will be tried again.
	Retry func(what string, err error, wait time.Duration)
	// Diverged is called for a stored document that was found not to equal its
	// definition, though nothing had touched it: it is rebuilt.
	Diverged func(Divergence)
	// Quarantined is called when a document could not be built.
	Quarantined func(model, key string, err error)
	// Paused is called when a read model is paused, Mended when it has been
	// filled again and takes part again.
	Paused func(PausedModel)
	Mended func(model string)
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
	FanOuts      int // changes that were put off: they lead to too many documents
	Watermark    pglogrepl.LSN
	Phases       Phases
	// Commits are the source commit times of the batch's transactions, for
	// freshness: at most the first 1,000.
	Commits []time.Time
	At      time.Time // when the batch had committed
}

// Divergence is a stored document that does not equal its definition.
type Divergence struct {
	Model, Key string
	Kind       string // "data", "columns", "missing", "extra" or "error"
	Path       string // where it differs first
	// Stored and Defined are what is there, as JSON: the user's data, so nothing
	// for a log.
	Stored, Defined string
}

// Phases are the parts of a batch's time.
type Phases struct {
	Drain   time.Duration // from the snapshot to the marker's return
	Resolve time.Duration // affected keys
	Rebuild time.Duration // documents
	Spread  time.Duration // the chunk of a fan-out that went along
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

// PausedModel is a read model that is not kept: something is wrong with a
// source table. Its documents are served as they were, and the others go on.
type PausedModel struct {
	Model string        `json:"model"`
	Since time.Time     `json:"since"`
	LSN   pglogrepl.LSN `json:"-"`               // the first commit that its documents may lack
	Error string        `json:"error"`           // what happened, where, and what to do
	Waits string        `json:"waits,omitempty"` // what its being filled again waits for, where nothing is wrong any more
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
	Complete  pglogrepl.LSN `json:"-"`       // the watermark without what fan-outs have put off
	FanOuts   int           `json:"fanOuts"` // under way or waiting
	Batches   int64         `json:"batches"`
	// Totals since the start of the process.
	Transactions int64      `json:"transactions"`
	Changes      int64      `json:"changes"`
	Upserted     int64      `json:"upserted"`
	Deleted      int64      `json:"deleted"`
	Unchanged    int64      `json:"unchanged"`
	Checked      int64      `json:"checked"`              // stored documents that were compared with their definition
	Diverged     int64      `json:"diverged"`             // those that did not equal it
	LastCommit   *time.Time `json:"lastCommit,omitempty"` // source commit time of the last transaction applied
	LastBatch    *time.Time `json:"lastBatch,omitempty"`
	LastError    string     `json:"lastError,omitempty"`
	// Paused are the read models that are paused, by name.
	Paused []PausedModel `json:"paused"`
}
