package wal

import (
	"encoding/binary"
)

// enc writes messages as pgoutput does.
type enc []byte

func (e enc) u8(b byte) enc     { return append(e, b) }
func (e enc) u16(n int) enc     { return binary.BigEndian.AppendUint16(e, uint16(n)) }
func (e enc) u32(n uint32) enc  { return binary.BigEndian.AppendUint32(e, n) }
func (e enc) u64(n uint64) enc  { return binary.BigEndian.AppendUint64(e, n) }
func (e enc) str(s string) enc  { return append(append(e, s...), 0) }
func (e enc) text(s string) enc { return append(e.u8('t').u32(uint32(len(s))), s...) }

// row writes a tuple; "\x00n" and "\x00u" stand for null and unchanged.
func (e enc) row(cells ...string) enc {
	e = e.u16(len(cells))
	for _, c := range cells {
		if len(c) == 2 && c[0] == 0 {
			e = e.u8(c[1])
			continue
		}
		e = e.text(c)
	}
	return e
}

const (
	null      = "\x00n"
	unchanged = "\x00u"
)

func msg(kind byte) enc { return enc{kind} }

// samples holds one good message of each kind, and some more.
func samples() map[string][]byte {
	return map[string][]byte{
		"begin":       msg('B').u64(0x16B3748).u64(1_000_000).u32(771),
		"commit":      msg('C').u8(0).u64(0x16B3748).u64(0x16B3778).u64(1_000_000),
		"origin":      msg('O').u64(7).str("freshet"),
		"relation":    msg('R').u32(16384).str("public").str("tb_post").u8('i').u16(2).u8(1).str("id").u32(2950).u32(0xffffffff).u8(0).str("title").u32(25).u32(0xffffffff),
		"no columns":  msg('R').u32(16384).str("").str("t").u8('n').u16(0),
		"type":        msg('Y').u32(16390).str("public").str("mood"),
		"insert":      msg('I').u32(16384).u8('N').row("7", null, "", "grüße"),
		"empty row":   msg('I').u32(16384).u8('N').row(),
		"update":      msg('U').u32(16384).u8('N').row("7", unchanged),
		"update key":  msg('U').u32(16384).u8('K').row("7", null).u8('N').row("8", "x"),
		"update full": msg('U').u32(16384).u8('O').row("7", "w").u8('N').row("7", unchanged),
		"delete key":  msg('D').u32(16384).u8('K').row("7", null),
		"delete full": msg('D').u32(16384).u8('O').row("7", "w"),
		"truncate":    msg('T').u32(2).u8(3).u32(16384).u32(16390),
		"logical":     append(msg('M').u8(1).u64(0x16B3748).str("freshet").u32(2), "42"...),
		"no content":  msg('M').u8(0).u64(0x16B3748).str("").u32(0),
	}
}
