package pgproxy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	cancelCode = 80877102
	mostStart  = 10000 // bytes, as Postgres has it
)

// readStart reads a client's first message, which is passed on as it is.
func readStart(client io.Reader) (raw []byte, s Session, err error) {
	head := make([]byte, 8)
	if _, err = io.ReadFull(client, head); err != nil {
		return nil, s, fmt.Errorf("read the first message: %w", err)
	}
	size := binary.BigEndian.Uint32(head)
	if size < 8 || size > mostStart {
		return nil, s, errors.New("read the first message: it is not one of Postgres")
	}
	body := make([]byte, size-8)
	if _, err = io.ReadFull(client, body); err != nil {
		return nil, s, fmt.Errorf("read the first message: %w", err)
	}
	if binary.BigEndian.Uint32(head[4:]) == cancelCode {
		return append(head, body...), Session{Cancel: true}, nil
	}
	fields := bytes.Split(body, []byte{0})
	for i := 0; i+1 < len(fields); i += 2 {
		switch value := string(fields[i+1]); string(fields[i]) {
		case "application_name":
			s.Application = value
		case "replication":
			s.Replication = value != ""
		}
	}
	return append(head, body...), s, nil
}
