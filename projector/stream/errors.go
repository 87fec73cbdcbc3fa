package stream

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// What a caller may want to tell apart. All errors of this package that have
// one of these causes wrap it; the server's own *pgconn.PgError, if there was
// one, is wrapped too.
var (
	ErrLogin              = errors.New("the server refused the login")
	ErrPrivilege          = errors.New("the role may not stream: it needs the REPLICATION attribute")
	ErrTooManySenders     = errors.New("the server has no connection left for replication: raise max_wal_senders or max_connections")
	ErrWALLevel           = errors.New("wal_level must be logical: change it and restart the server")
	ErrServerVersion      = errors.New("the server must be of version 14 or later")
	ErrSlotName           = errors.New("a slot name consists of 1 to 63 of the characters a-z, 0-9 and _")
	ErrSlotMissing        = errors.New("the replication slot does not exist")
	ErrSlotExists         = errors.New("the replication slot exists already")
	ErrSlotActive         = errors.New("the replication slot is in use")
	ErrSlotLost           = errors.New("the replication slot is lost: the server has removed WAL that it still needed")
	ErrSlotForeign        = errors.New("the replication slot is not one of ours")
	ErrNoFreeSlot         = errors.New("the server has no free replication slot: drop an unused one or raise max_replication_slots")
	ErrPublicationMissing = errors.New("the publication does not exist")
	ErrRewound            = errors.New("the server's WAL ends before what was applied: it was restored from a backup or is another server")
	ErrSilent             = errors.New("the server says nothing any more")
	ErrServerClosed       = errors.New("the server ended the stream")
)

// SlotActiveError says who holds the slot. It wraps ErrSlotActive.
type SlotActiveError struct {
	Slot   string
	PID    int    // of the server process that streams from it; 0 unknown
	Holder string // who that is, as far as our role may see: "freshet (user app) from 10.0.0.7 since …"
}

// Error names the process and its client.
func (e *SlotActiveError) Error() string {
	s := ErrSlotActive.Error()
	if e.PID != 0 {
		s += fmt.Sprintf(" by process %d", e.PID)
	}
	if e.Holder != "" {
		s += ": " + e.Holder
	}
	return s
}

// Unwrap returns ErrSlotActive.
func (e *SlotActiveError) Unwrap() error { return ErrSlotActive }

// SQLSTATEs that have a cause of their own.
var causes = map[string]error{
	"28000": ErrLogin, // invalid_authorization_specification
	"28P01": ErrLogin, // invalid_password
	"42501": ErrPrivilege,
	"53300": ErrTooManySenders, // too_many_connections
	"53400": ErrNoFreeSlot,     // configuration_limit_exceeded
	"42710": ErrSlotExists,     // duplicate_object
	"57P01": ErrServerClosed,   // admin_shutdown
	"57P02": ErrServerClosed,   // crash_shutdown
	"58P01": ErrSlotLost,       // undefined_file: a WAL segment is gone
}

// classify adds the cause to an error of the server. Messages are not looked
// at: they may be in any language.
func classify(err error) error {
	if cause := causes[sqlState(err)]; cause != nil {
		return withCause(cause, err)
	}
	return err
}

func withCause(cause, err error) error {
	return fmt.Errorf("%w (%w)", cause, err)
}

func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}
