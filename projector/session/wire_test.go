package session

import (
	"bytes"
	"encoding/binary"
	"testing"
)

func message(kind byte, body int) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(4+body)), bytes.Repeat([]byte{'Z'}, body)...)
}

// However the bytes are cut, the message that ended last is known.
func TestFrames(t *testing.T) {
	stream := bytes.Join([][]byte{message('T', 30), message('D', 0), message('D', 700), message('C', 9), message('Z', 1)}, nil)
	for size := 1; size <= len(stream); size++ {
		var f frames
		var ended []byte
		for rest := stream; len(rest) > 0; {
			piece := rest[:min(size, len(rest))]
			rest = rest[len(piece):]
			if kind := f.last(piece); kind != 0 {
				ended = append(ended, kind)
			}
		}
		if ended[len(ended)-1] != readyForQuery || bytes.Count(ended, []byte{'Z'}) != 1 {
			t.Fatalf("in pieces of %d: %q", size, ended)
		}
	}
}
