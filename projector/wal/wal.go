// Package wal decodes the messages that Postgres' pgoutput plugin sends on a
// logical replication stream (protocol version 1, logical messages included)
// into values of its own.
//
// Guarantees: no database, no clock, no logger; Decode never panics, whatever
// the bytes are, never allocates more than a small multiple of them, and what
// it returns does not alias them. An unknown or malformed message is an error.
package wal

import (
	"time"

	"github.com/jackc/pglogrepl"
)

// Message is one decoded message: a *Begin, *Commit, *Origin, *Relation, *Type,
// *Insert, *Update, *Delete, *Truncate or *Logical.
type Message interface {
	// Name is the message's name in the protocol's documentation.
	Name() string
}

// Begin opens a transaction.
type Begin struct {
	FinalLSN   pglogrepl.LSN // of its commit record
	CommitTime time.Time
	XID        uint32
}

// Commit closes a transaction.
type Commit struct {
	CommitLSN  pglogrepl.LSN // of the commit record
	EndLSN     pglogrepl.LSN // just behind it
	CommitTime time.Time
}

// Origin says that the transaction was replayed from another server.
type Origin struct {
	CommitLSN pglogrepl.LSN // on that server
	Origin    string
}

// Relation describes a table: it comes before the table's first change on a
// connection, and again after its definition changed.
type Relation struct {
	ID       uint32
	Schema   string // empty for pg_catalog
	Table    string
	Identity byte // replica identity: 'd' default, 'n' nothing, 'f' full, 'i' index
	Columns  []Column
}

// Column is one column of a Relation. Generated columns are not among them.
type Column struct {
	Name string
	Key  bool   // part of the replica identity
	Type uint32 // OID
}

// Type describes a type that is not built in.
type Type struct {
	ID     uint32
	Schema string
	Type   string
}

// Insert is a new row.
type Insert struct {
	Relation uint32
	New      Tuple
}

// OldRow says what is known of a row as it was before a change.
type OldRow byte

// The kinds of old row.
const (
	OldNone OldRow = 0   // an update that changed no replica identity column
	OldKey  OldRow = 'K' // the replica identity columns; all others read as null
	OldFull OldRow = 'O' // the whole row
)

// Update is a changed row.
type Update struct {
	Relation uint32
	OldRow   OldRow
	Old      Tuple // nil for OldNone
	New      Tuple
}

// Delete is a deleted row.
type Delete struct {
	Relation uint32
	OldRow   OldRow // OldKey or OldFull
	Old      Tuple
}

// Truncate empties tables.
type Truncate struct {
	Relations       []uint32
	Cascade         bool
	RestartIdentity bool
}

// Logical is a message written by pg_logical_emit_message.
type Logical struct {
	LSN           pglogrepl.LSN
	Transactional bool
	Prefix        string
	Content       string
}

// Tuple is a row: one cell for each column of its Relation, in that order.
type Tuple []Cell

// Cell is one value of a row. All cells of a tuple share one string: clone the
// text of a cell that outlives the others.
type Cell struct {
	Kind CellKind
	Text string // for Text and Binary
}

// CellKind says what a Cell holds.
type CellKind byte

// The kinds of cell.
const (
	Null      CellKind = 'n'
	Unchanged CellKind = 'u' // a TOASTed value that the change left alone and the WAL does not hold
	Text      CellKind = 't' // in the type's text output
	Binary    CellKind = 'b'
)

// Name returns "Begin".
func (*Begin) Name() string { return "Begin" }

// Name returns "Commit".
func (*Commit) Name() string { return "Commit" }

// Name returns "Origin".
func (*Origin) Name() string { return "Origin" }

// Name returns "Relation".
func (*Relation) Name() string { return "Relation" }

// Name returns "Type".
func (*Type) Name() string { return "Type" }

// Name returns "Insert".
func (*Insert) Name() string { return "Insert" }

// Name returns "Update".
func (*Update) Name() string { return "Update" }

// Name returns "Delete".
func (*Delete) Name() string { return "Delete" }

// Name returns "Truncate".
func (*Truncate) Name() string { return "Truncate" }

// Name returns "Message".
func (*Logical) Name() string { return "Message" }
