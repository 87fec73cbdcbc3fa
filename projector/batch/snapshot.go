package batch

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ErrSnapshot is wrapped by the errors of ParseSnapshot.
var ErrSnapshot = errors.New("not a snapshot")

// FullXID is a transaction id with its epoch, 64 bits, as Postgres' xid8.
type FullXID uint64

// Snapshot is a pg_snapshot: which transactions were over when it was taken.
type Snapshot struct {
	Xmin FullXID   // every transaction below it was over
	Xmax FullXID   // none from it on was
	Xip  []FullXID // those in between that were still running, ascending
}

// ParseSnapshot reads the text of pg_current_snapshot(), "xmin:xmax:xip,xip".
func ParseSnapshot(text string) (*Snapshot, error) {
	s, err := parseSnapshot(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %q: %w", ErrSnapshot, text, err)
	}
	return s, nil
}

func parseSnapshot(text string) (*Snapshot, error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return nil, errors.New("it must have three parts")
	}
	var s Snapshot
	var err error
	if s.Xmin, err = parseXID(parts[0]); err != nil {
		return nil, err
	}
	if s.Xmax, err = parseXID(parts[1]); err != nil {
		return nil, err
	}
	if s.Xmin > s.Xmax {
		return nil, errors.New("xmin is above xmax")
	}
	if s.Xip, err = parseXip(parts[2]); err != nil {
		return nil, err
	}
	for _, xid := range s.Xip {
		if xid < s.Xmin || xid >= s.Xmax {
			return nil, fmt.Errorf("transaction %d is not between xmin and xmax", xid)
		}
	}
	return &s, nil
}

func parseXip(text string) ([]FullXID, error) {
	if text == "" {
		return nil, nil
	}
	texts := strings.Split(text, ",")
	xip := make([]FullXID, len(texts))
	for i, t := range texts {
		xid, err := parseXID(t)
		if err != nil {
			return nil, err
		}
		xip[i] = xid
	}
	slices.Sort(xip)
	return xip, nil
}

func parseXID(text string) (FullXID, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("transaction id %q: %w", text, err)
	}
	return FullXID(n), nil
}

// Visible says whether a committed transaction, by its top-level id as the WAL
// has it, is visible in the snapshot.
func (s *Snapshot) Visible(xid XID) bool {
	full := s.Widen(xid)
	switch {
	case full < s.Xmin:
		return true
	case full >= s.Xmax:
		return false
	}
	_, running := slices.BinarySearch(s.Xip, full)
	return !running
}

// Widen gives a transaction id from the WAL its epoch: of all 64-bit ids with
// these lower bits it is the one within 2^31 of the snapshot's xmax. Postgres
// itself never has two ids further apart than that in use.
func (s *Snapshot) Widen(xid XID) FullXID {
	distance := int64(int32(uint32(xid) - uint32(s.Xmax))) // modulo 2^32, nearest to zero
	if distance < 0 && uint64(-distance) > uint64(s.Xmax) {
		return FullXID(xid) // below the first epoch there is nothing: it lies ahead
	}
	if distance > 0 && uint64(distance) > math.MaxUint64-uint64(s.Xmax) {
		return FullXID(uint64(s.Xmax)&^math.MaxUint32 | uint64(xid))
	}
	return FullXID(uint64(s.Xmax) + uint64(distance))
}
