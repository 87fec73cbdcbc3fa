package projector

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"freshet/projector/batch"
	"freshet/projector/checkpoint"
	"freshet/projector/migrate"
	"freshet/projector/stream"
	"freshet/projector/wal"
)

// permanent says whether trying again is in vain. reached says whether the
// database was reached before: a first connection that is refused is a mistake
// to report, a later one is an outage to wait for.
func permanent(err error, reached bool) bool {
	var mismatch *checkpoint.Mismatch
	var slot *SlotError
	var schema *batch.SchemaError
	var ready *migrate.NotReady
	if errors.As(err, &mismatch) || errors.As(err, &slot) || errors.As(err, &schema) || errors.As(err, &ready) {
		return true
	}
	if errors.Is(err, checkpoint.ErrStandby) {
		return !reached // in a failover the name may lead to the standby before it is promoted
	}
	if errors.Is(err, stream.ErrSlotActive) || errors.Is(err, stream.ErrSilent) {
		return false
	}
	for _, lasting := range []error{
		stream.ErrSlotLost, stream.ErrSlotMissing, stream.ErrSlotForeign, stream.ErrSlotName, stream.ErrRewound, stream.ErrPublicationMissing,
		stream.ErrPrivilege, stream.ErrWALLevel, stream.ErrServerVersion, stream.ErrNoFreeSlot, wal.ErrMalformed, batch.ErrProtocol,
	} {
		if errors.Is(err, lasting) {
			return true
		}
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) && !reached {
		return true
	}
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && permanentCode(pgErr.Code)
}

// permanentCode sorts SQLSTATEs by whether a person must act.
func permanentCode(code string) bool {
	switch code {
	case "53400": // no free slot or sender: configuration limit exceeded
		return true
	case "55000": // wal_level is not logical
		return true
	}
	switch code[:min(2, len(code))] {
	case "28", "3D", "42", "0A", "3F": // authorization, no such database, syntax or access rule, unsupported, no such schema
		return true
	}
	return false
}
