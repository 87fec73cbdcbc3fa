package page

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// ErrCursor says that a cursor was not made by EncodeCursor, or was changed since.
var ErrCursor = errors.New("it is not a cursor of this API, or it was changed")

// ErrCursorOrder says that a cursor was made for another list or another order.
var ErrCursorOrder = errors.New("it was made for another list or another order")

// A cursor is base64url of: 8 bytes checksum of the rest, 8 bytes fingerprint
// of the order, and the values as a JSON list. The checksum keeps accidents
// out, not attackers: a cursor only says where in a list to start, and what
// may be seen there is decided as for any other list.

var encoding = base64.RawURLEncoding.Strict()

// Fingerprint identifies a table and an order of its rows.
func (t *Table) Fingerprint(order []Term) uint64 {
	var b strings.Builder
	b.WriteString(t.Type)
	for _, term := range order {
		b.WriteString("\x00" + term.String() + "\x01" + term.Column.Base)
	}
	return xxhash.Sum64String(b.String())
}

// AppendCursor appends the cursor of a position to dst.
func AppendCursor(dst []byte, fingerprint uint64, values []*string) []byte {
	raw := make([]byte, 16, 64)
	binary.BigEndian.PutUint64(raw[8:], fingerprint)
	list, err := json.Marshal(values)
	if err != nil {
		panic("a list of strings always has a JSON form: " + err.Error())
	}
	raw = append(raw, list...)
	binary.BigEndian.PutUint64(raw, xxhash.Sum64(raw[8:]))
	return encoding.AppendEncode(dst, raw)
}

// maxCursor bounds the length of a cursor that is looked at.
const maxCursor = 16 << 10

// DecodeCursor returns the position that a cursor stands for, ErrCursor, or
// ErrCursorOrder if the fingerprint is not the one given.
func DecodeCursor(cursor string, fingerprint uint64, terms int) ([]*string, error) {
	if len(cursor) > maxCursor {
		return nil, ErrCursor
	}
	raw, err := encoding.DecodeString(cursor)
	if err != nil || len(raw) < 16 || binary.BigEndian.Uint64(raw) != xxhash.Sum64(raw[8:]) {
		return nil, ErrCursor
	}
	if binary.BigEndian.Uint64(raw[8:]) != fingerprint {
		return nil, ErrCursorOrder
	}
	var values []*string
	if err := json.Unmarshal(raw[16:], &values); err != nil || len(values) != terms {
		return nil, ErrCursor
	}
	return values, nil
}
