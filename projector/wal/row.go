package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var errTruncated = errors.New("it is truncated")

func decodeInsert(data []byte) (*Insert, error) {
	r := rowReader{data: data}
	m := &Insert{Relation: r.uint32()}
	if kind := r.byte(); kind != 'N' {
		r.fail("a tuple of kind %q where a new row belongs", kind)
	}
	m.New = r.tuple()
	return m, r.finish()
}

func decodeUpdate(data []byte) (*Update, error) {
	r := rowReader{data: data}
	m := &Update{Relation: r.uint32()}
	kind := r.byte()
	if kind == byte(OldKey) || kind == byte(OldFull) {
		m.OldRow = OldRow(kind)
		m.Old = r.tuple()
		kind = r.byte()
	}
	if kind != 'N' {
		r.fail("a tuple of kind %q where a new row belongs", kind)
	}
	m.New = r.tuple()
	return m, r.finish()
}

func decodeDelete(data []byte) (*Delete, error) {
	r := rowReader{data: data}
	m := &Delete{Relation: r.uint32()}
	m.OldRow = OldRow(r.byte())
	if m.OldRow != OldKey && m.OldRow != OldFull {
		r.fail("a tuple of kind %q where an old row belongs", byte(m.OldRow))
	}
	m.Old = r.tuple()
	return m, r.finish()
}

// rowReader reads the parts of a row change. After the first fault every read
// yields zero, and finish tells what it was.
type rowReader struct {
	data []byte
	err  error
}

func (r *rowReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
	r.data = nil
}

// take returns the next n bytes, or nil when there are fewer.
func (r *rowReader) take(n int) []byte {
	if n > len(r.data) {
		if r.err == nil {
			r.err = errTruncated
		}
		r.data = nil
		return nil
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *rowReader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *rowReader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return be32(b)
	}
	return 0
}

// tuple reads a tuple in two passes over its bytes: the first finds its end,
// so that all its values can be copied at once, the second cuts them.
func (r *rowReader) tuple() Tuple {
	head := r.take(2)
	if head == nil {
		return nil
	}
	n := int(binary.BigEndian.Uint16(head))
	if n > len(r.data) { // a cell has at least its kind: nothing is allocated on a lie
		r.err = errTruncated
		return nil
	}
	length, err := tupleLength(r.data, n)
	if err != nil {
		r.fail("%w", err)
		return nil
	}
	return cutTuple(string(r.take(length)), n)
}

// tupleLength returns how many bytes n cells take.
func tupleLength(data []byte, n int) (int, error) {
	at := 0
	for range n {
		if at >= len(data) {
			return 0, errTruncated
		}
		kind := CellKind(data[at])
		at++
		switch kind {
		case Null, Unchanged:
			continue
		case Text, Binary:
		default:
			return 0, fmt.Errorf("unknown kind of value %q", byte(kind))
		}
		if len(data)-at < 4 {
			return 0, errTruncated
		}
		size := int(be32(data[at:]))
		at += 4
		if size < 0 || size > len(data)-at { // negative: where int has 32 bits
			return 0, errTruncated
		}
		at += size
	}
	return at, nil
}

// cutTuple cuts n cells out of s, which tupleLength has checked.
func cutTuple(s string, n int) Tuple {
	t := make(Tuple, n)
	for i := range t {
		t[i].Kind = CellKind(s[0])
		s = s[1:]
		if t[i].Kind == Null || t[i].Kind == Unchanged {
			continue
		}
		size := int(s[0])<<24 | int(s[1])<<16 | int(s[2])<<8 | int(s[3])
		t[i].Text = s[4 : 4+size]
		s = s[4+size:]
	}
	return t
}

// finish returns the first fault, or one for bytes left over.
func (r *rowReader) finish() error {
	if r.err == nil && len(r.data) > 0 {
		r.err = fmt.Errorf("%d bytes too many", len(r.data))
	}
	return r.err
}

func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
