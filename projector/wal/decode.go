package wal

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pglogrepl"
)

// ErrMalformed is wrapped by every error of Decode: the bytes are not a
// message of the protocol version that was asked for.
var ErrMalformed = errors.New("malformed logical replication message")

// Decode decodes one message, the payload of an XLogData. The result does not
// alias data.
//
// Row changes, the bulk of every stream, are decoded here with one allocation
// for all values of a row; the rest goes through pglogrepl.
func Decode(data []byte) (Message, error) {
	if len(data) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrMalformed)
	}
	var m Message
	var err error
	switch data[0] {
	case 'I':
		m, err = decodeInsert(data[1:])
	case 'U':
		m, err = decodeUpdate(data[1:])
	case 'D':
		m, err = decodeDelete(data[1:])
	default:
		m, err = decodeOther(data)
	}
	if err != nil {
		return nil, fmt.Errorf("%w of type %q (%d bytes): %w", ErrMalformed, data[0], len(data), err)
	}
	return m, nil
}

// decodeOther guards pglogrepl, which indexes without looking: a panic becomes
// an error, and the capacity is clipped so that a wrong length cannot reach the
// bytes behind the message.
func decodeOther(data []byte) (m Message, err error) {
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, fmt.Errorf("it is truncated: %v", p)
		}
	}()
	data = data[:len(data):len(data)]
	if err := checkLengths(data); err != nil {
		return nil, err
	}
	parsed, err := pglogrepl.Parse(data)
	if err != nil {
		return nil, err
	}
	return convert(parsed)
}

// checkLengths refuses what pglogrepl would trust: a count of relations that
// it would allocate for, a prefix without an end.
func checkLengths(data []byte) error {
	switch data[0] {
	case 'T':
		if len(data) < 6 || (len(data)-6)%4 != 0 || be32(data[1:]) != uint32((len(data)-6)/4) {
			return errors.New("the number of tables does not fit its length")
		}
	case 'M':
		if len(data) < 10 || bytes.IndexByte(data[10:], 0) < 0 {
			return errors.New("the prefix has no end")
		}
	}
	return nil
}

func convert(m pglogrepl.Message) (Message, error) {
	switch m := m.(type) {
	case *pglogrepl.BeginMessage:
		return &Begin{FinalLSN: m.FinalLSN, CommitTime: m.CommitTime.UTC(), XID: m.Xid}, nil
	case *pglogrepl.CommitMessage:
		return &Commit{CommitLSN: m.CommitLSN, EndLSN: m.TransactionEndLSN, CommitTime: m.CommitTime.UTC()}, nil
	case *pglogrepl.OriginMessage:
		return &Origin{CommitLSN: m.CommitLSN, Origin: m.Name}, nil
	case *pglogrepl.RelationMessage:
		return convertRelation(m), nil
	case *pglogrepl.TypeMessage:
		return &Type{ID: m.DataType, Schema: m.Namespace, Type: m.Name}, nil
	case *pglogrepl.TruncateMessage:
		return &Truncate{
			Relations:       m.RelationIDs,
			Cascade:         m.Option&pglogrepl.TruncateOptionCascade != 0,
			RestartIdentity: m.Option&pglogrepl.TruncateOptionRestartIdentity != 0,
		}, nil
	case *pglogrepl.LogicalDecodingMessage:
		return &Logical{LSN: m.LSN, Transactional: m.Transactional, Prefix: strings.Clone(m.Prefix), Content: string(m.Content)}, nil
	}
	return nil, fmt.Errorf("a %s message does not belong to protocol version 1", m.Type())
}

func convertRelation(m *pglogrepl.RelationMessage) *Relation {
	columns := make([]Column, len(m.Columns))
	for i, c := range m.Columns {
		columns[i] = Column{Name: c.Name, Key: c.Flags&1 != 0, Type: c.DataType}
	}
	return &Relation{
		ID:       m.RelationID,
		Schema:   m.Namespace,
		Table:    m.RelationName,
		Identity: m.ReplicaIdentity,
		Columns:  columns,
	}
}
