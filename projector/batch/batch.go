// Package batch holds the pure half of the exact batch: it assembles decoded
// WAL messages into transactions, reduces each to the values that its changes
// make dirty, and decides by a snapshot which of them form a batch.
//
// Guarantees: no database, no clock, no logger; memory is bounded by
// deduplicated values and, past a limit, by "this whole read model"; a message
// that does not fit what the plan expects is an error, never skipped.
package batch

import (
	"time"

	"github.com/jackc/pglogrepl"
)

// XID is a 32-bit transaction id as the WAL has it.
type XID uint32

// Transaction is a committed source transaction, reduced to what it made dirty.
type Transaction struct {
	XID        XID
	CommitLSN  pglogrepl.LSN // of the commit record
	EndLSN     pglogrepl.LSN // just behind it: what is confirmed to the slot
	CommitTime time.Time
	Dirty      Dirty
	Changes    int // row changes of source tables, truncates included
	// Described says that the stream has described a source table in it: for
	// the first time, or since something about the table was changed.
	Described bool
	// Markers are the contents of the logical messages with Freshet's prefix
	// that the transaction carried.
	Markers []string
}
