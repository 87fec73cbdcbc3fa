package page

import (
	"crypto/sha256"
	"encoding/binary"
)

// maxKey is the length from which a key is a digest: what clients ask for may
// be long.
const maxKey = 512

// Key returns what stands for the question among all about one table: two
// questions with one key have one answer, but for the documents. It is not
// readable, and of bounded length.
func (q *Query) Key() string {
	k := keyWriter{dst: make([]byte, 1, 128)} // a first byte that no digest has
	k.bits(q.Exact, q.Backward, q.Count, q.beyond())
	k.number(q.Limit)
	k.number(q.Offset)
	for _, t := range q.Order {
		k.bits(t.Descending, t.NullsFirst)
		k.text(t.Column.Name)
	}
	k.dst = append(k.dst, endOfOrder)
	k.position(q.After)
	k.position(q.Before)
	k.number(len(q.Aggregates))
	for _, a := range q.Aggregates {
		k.text(string(a.Fn))
		k.text(a.Column.Name)
		k.text(a.Type)
	}
	if q.Where != nil {
		q.Where.key(&k)
	}
	if len(k.dst) <= maxKey {
		return string(k.dst)
	}
	sum := sha256.Sum256(k.dst)
	return "\x01" + string(sum[:])
}

// Depends returns the names of the columns that the answer depends on, beside
// the key, which never changes.
func (q *Query) Depends() []string {
	var names []string
	add := func(c *Column) {
		if c == q.Table.Key {
			return
		}
		for _, name := range names {
			if name == c.Name {
				return
			}
		}
		names = append(names, c.Name)
	}
	for _, c := range Columns(q.Where) {
		add(c)
	}
	for _, t := range q.Order {
		add(t.Column)
	}
	for _, a := range q.Aggregates {
		add(a.Column)
	}
	return names
}

// keyWriter writes what can be read back in one way only: each text has its
// length before it, and each list its end or its number.
type keyWriter struct{ dst []byte }

// endOfOrder is no value of bits.
const endOfOrder = 0xff

func (k *keyWriter) bits(flags ...bool) {
	var b byte
	for i, f := range flags {
		if f {
			b |= 1 << i
		}
	}
	k.dst = append(k.dst, b)
}

func (k *keyWriter) number(n int) { k.dst = binary.AppendUvarint(k.dst, uint64(n)) }

func (k *keyWriter) text(s string) {
	k.number(len(s))
	k.dst = append(k.dst, s...)
}

func (k *keyWriter) position(values []*string) {
	k.number(len(values))
	for _, v := range values {
		k.bits(v != nil)
		if v != nil {
			k.text(*v)
		}
	}
}

// Each kind of condition begins with a letter of its own.

func (c Compare) key(k *keyWriter) {
	k.dst = append(k.dst, 'c')
	k.text(c.Column.Name)
	k.text(string(c.Op))
	k.number(len(c.Values))
	for _, v := range c.Values {
		k.text(v)
	}
}

func (c All) key(k *keyWriter) { k.list('&', c) }
func (c Any) key(k *keyWriter) { k.list('|', c) }

func (c Not) key(k *keyWriter) {
	k.dst = append(k.dst, '!')
	c.Cond.key(k)
}

func (bd bound) key(*keyWriter) { panic("a bound is no part of a question: After and Before are") }

func (k *keyWriter) list(kind byte, conds []Cond) {
	k.dst = append(k.dst, kind)
	k.number(len(conds))
	for _, c := range conds {
		c.key(k)
	}
}
