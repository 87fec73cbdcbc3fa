package wal

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDecode(t *testing.T) {
	at := time.Date(2000, 1, 1, 0, 0, 1, 0, time.UTC)
	cell := func(s string) Cell { return Cell{Text, s} }
	want := map[string]Message{
		"begin":  &Begin{FinalLSN: 0x16B3748, CommitTime: at, XID: 771},
		"commit": &Commit{CommitLSN: 0x16B3748, EndLSN: 0x16B3778, CommitTime: at},
		"origin": &Origin{CommitLSN: 7, Origin: "freshet"},
		"relation": &Relation{ID: 16384, Schema: "public", Table: "tb_post", Identity: 'i',
			Columns: []Column{{Name: "id", Key: true, Type: 2950}, {Name: "title", Type: 25}}},
		"no columns":  &Relation{ID: 16384, Table: "t", Identity: 'n', Columns: []Column{}},
		"type":        &Type{ID: 16390, Schema: "public", Type: "mood"},
		"insert":      &Insert{Relation: 16384, New: Tuple{cell("7"), {Kind: Null}, cell(""), cell("grüße")}},
		"empty row":   &Insert{Relation: 16384, New: Tuple{}},
		"update":      &Update{Relation: 16384, New: Tuple{cell("7"), {Kind: Unchanged}}},
		"update key":  &Update{Relation: 16384, OldRow: OldKey, Old: Tuple{cell("7"), {Kind: Null}}, New: Tuple{cell("8"), cell("x")}},
		"update full": &Update{Relation: 16384, OldRow: OldFull, Old: Tuple{cell("7"), cell("w")}, New: Tuple{cell("7"), {Kind: Unchanged}}},
		"delete key":  &Delete{Relation: 16384, OldRow: OldKey, Old: Tuple{cell("7"), {Kind: Null}}},
		"delete full": &Delete{Relation: 16384, OldRow: OldFull, Old: Tuple{cell("7"), cell("w")}},
		"truncate":    &Truncate{Relations: []uint32{16384, 16390}, Cascade: true, RestartIdentity: true},
		"logical":     &Logical{LSN: 0x16B3748, Transactional: true, Prefix: "freshet", Content: "42"},
		"no content":  &Logical{LSN: 0x16B3748},
	}
	for name, data := range samples() {
		got, err := Decode(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want[name], got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

// Every prefix of a good message is an error, never a panic, and never reads
// the bytes that happen to lie behind it in the buffer.
func TestDecodeTruncated(t *testing.T) {
	for name, data := range samples() {
		for n := range data {
			m, err := Decode(data[:n])
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("%s cut at %d of %d: %#v, %v", name, n, len(data), m, err)
			}
		}
	}
}

func TestDecodeDoesNotAlias(t *testing.T) {
	for name, data := range samples() {
		want, _ := Decode(slices.Clone(data))
		got, _ := Decode(data)
		for i := range data {
			data[i] = 0xee
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s changed with the buffer: -want +got\n%s", name, diff)
		}
	}
}

func TestDecodeMalformed(t *testing.T) {
	for name, data := range map[string][]byte{
		"empty":                nil,
		"unknown type":         msg('?').u32(1),
		"stream start":         msg('S').u32(1).u8(1),
		"insert of an old row": msg('I').u32(1).u8('O').row("7"),
		"update of nothing":    msg('U').u32(1).u8('X').row("7"),
		"update, only old":     msg('U').u32(1).u8('K').row("7").u8('K').row("7"),
		"delete of a new row":  msg('D').u32(1).u8('N').row("7"),
		"unknown value":        msg('I').u32(1).u8('N').u16(1).u8('z'),
		"trailing bytes":       msg('I').u32(1).u8('N').row("7").u8(0),
		"4 billion tables":     msg('T').u32(0xffffffff).u8(0).u32(1),
		"65535 missing cells":  msg('I').u32(1).u8('N').u16(65535).u8('n'),
		"4 GB in a value":      msg('I').u32(1).u8('N').u16(1).u8('t').u32(0xffffffff).u8('x'),
		"prefix without end":   append(msg('M').u8(1).u64(1), "freshet"...),
		"content beyond end":   msg('M').u8(1).u64(1).str("freshet").u32(9),
	} {
		if m, err := Decode(data); !errors.Is(err, ErrMalformed) || m != nil {
			t.Errorf("%s: %#v, %v", name, m, err)
		}
	}
}
