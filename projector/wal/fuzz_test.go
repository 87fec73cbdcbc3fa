package wal

import (
	"bytes"
	"testing"

	"github.com/jackc/pglogrepl"
)

// FuzzDecode holds that Decode never panics, and that for row changes, which
// are decoded here, it says the same as pglogrepl.
func FuzzDecode(f *testing.F) {
	for _, data := range samples() {
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		m, err := Decode(data)
		if (m == nil) == (err == nil) {
			t.Fatalf("Decode: %#v and error %v", m, err)
		}
		if !bytes.Equal(before, data) {
			t.Fatal("Decode changed its input")
		}
		if err == nil {
			compare(t, data, m)
		}
	})
}

func compare(t *testing.T, data []byte, m Message) {
	switch m.(type) {
	case *Insert, *Update, *Delete:
	default:
		return
	}
	if len(data) < 9 { // a row without columns: pglogrepl takes it for too short
		return
	}
	theirs, err := pglogrepl.Parse(data)
	if err != nil {
		t.Fatalf("pglogrepl refuses what was decoded as %#v: %v", m, err)
	}
	switch m := m.(type) {
	case *Insert:
		p := theirs.(*pglogrepl.InsertMessage)
		sameRow(t, m.New, p.Tuple)
	case *Update:
		p := theirs.(*pglogrepl.UpdateMessage)
		if byte(m.OldRow) != p.OldTupleType {
			t.Fatalf("old row %q, theirs %q", m.OldRow, p.OldTupleType)
		}
		sameRow(t, m.Old, p.OldTuple)
		sameRow(t, m.New, p.NewTuple)
	case *Delete:
		sameRow(t, m.Old, theirs.(*pglogrepl.DeleteMessage).OldTuple)
	}
}

func sameRow(t *testing.T, ours Tuple, theirs *pglogrepl.TupleData) {
	if theirs == nil {
		if ours != nil {
			t.Fatalf("row %v, theirs none", ours)
		}
		return
	}
	if len(ours) != len(theirs.Columns) {
		t.Fatalf("%d cells, theirs %d", len(ours), len(theirs.Columns))
	}
	for i, c := range theirs.Columns {
		if byte(ours[i].Kind) != c.DataType || ours[i].Text != string(c.Data) {
			t.Fatalf("cell %d: %v, theirs %v", i, ours[i], c)
		}
	}
}
