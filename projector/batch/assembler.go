package batch

import (
	"errors"
	"fmt"

	"freshet/projector/compile"
	"freshet/projector/wal"
)

// DefaultPrefix is the prefix of Freshet's own logical messages.
const DefaultPrefix = "freshet"

// ErrProtocol is wrapped by the errors of Assembler.Feed that mean that the
// messages themselves do not fit together.
var ErrProtocol = errors.New("unexpected logical replication message")

// Options are an Assembler's settings. The zero value means the defaults.
type Options struct {
	Limit  int    // values held for one transaction before it spills; DefaultLimit
	Prefix string // of the logical messages that are markers; DefaultPrefix
}

// Assembler turns the messages of a stream into Transactions. It is for one
// goroutine.
type Assembler struct {
	prefix    string
	spill     *Spill
	sources   map[tableName]*compile.Source
	relations map[uint32]*relation // by the OID that the stream uses; nil values are tables outside the plan
	open      *Transaction         // between Begin and Commit
	texts     []string             // of one value, kept so that a row costs no allocation
}

type tableName struct{ schema, table string }

// NewAssembler returns an Assembler for the sources and paths of a plan.
func NewAssembler(plan *compile.Plan, opts Options) *Assembler {
	if opts.Prefix == "" {
		opts.Prefix = DefaultPrefix
	}
	a := &Assembler{
		prefix:    opts.Prefix,
		spill:     NewSpill(plan, opts.Limit),
		sources:   make(map[tableName]*compile.Source, len(plan.Sources)),
		relations: make(map[uint32]*relation),
	}
	for _, s := range plan.Sources {
		a.sources[tableName{s.Table.Name.Schema, s.Table.Name.Name}] = s
	}
	return a
}

// Reset forgets everything that belongs to one connection: the tables
// described on it, and a transaction that was not finished.
func (a *Assembler) Reset() {
	a.open = nil
	clear(a.relations)
}

// InTransaction says whether a transaction has begun and not ended.
func (a *Assembler) InTransaction() bool { return a.open != nil }

// Feed takes the next message of the stream. It returns the Transaction that
// the message finishes, or nil. An error, ErrProtocol or a *SchemaError, is
// final: the message is not skipped, and the Assembler must be Reset before it
// is used again.
func (a *Assembler) Feed(msg wal.Message) (*Transaction, error) {
	switch m := msg.(type) {
	case *wal.Begin:
		return nil, a.begin(m)
	case *wal.Commit:
		return a.commit(m)
	case *wal.Relation:
		return nil, a.describe(m)
	case *wal.Type, *wal.Origin:
		return nil, nil
	case *wal.Logical:
		return nil, a.logical(m)
	}
	if a.open == nil {
		return nil, fmt.Errorf("%w: %s outside a transaction", ErrProtocol, nameOf(msg))
	}
	switch m := msg.(type) {
	case *wal.Insert:
		return nil, a.insert(m)
	case *wal.Update:
		return nil, a.update(m)
	case *wal.Delete:
		return nil, a.delete(m)
	case *wal.Truncate:
		return nil, a.truncate(m)
	}
	return nil, fmt.Errorf("%w: %s is unknown", ErrProtocol, nameOf(msg))
}

func nameOf(msg wal.Message) string {
	if msg == nil {
		return "a nil message"
	}
	return msg.Name()
}

func (a *Assembler) begin(m *wal.Begin) error {
	if a.open != nil {
		return fmt.Errorf("%w: Begin of %d inside transaction %d", ErrProtocol, m.XID, a.open.XID)
	}
	a.open = &Transaction{XID: XID(m.XID), CommitLSN: m.FinalLSN, CommitTime: m.CommitTime}
	return nil
}

func (a *Assembler) commit(m *wal.Commit) (*Transaction, error) {
	tx := a.open
	if tx == nil {
		return nil, fmt.Errorf("%w: Commit at %s outside a transaction", ErrProtocol, m.CommitLSN)
	}
	if m.CommitLSN != tx.CommitLSN || m.EndLSN <= m.CommitLSN {
		return nil, fmt.Errorf("%w: Commit at %s, ending at %s, of transaction %d, announced for %s",
			ErrProtocol, m.CommitLSN, m.EndLSN, tx.XID, tx.CommitLSN)
	}
	tx.EndLSN = m.EndLSN
	a.open = nil
	return tx, nil
}

// logical keeps the markers. A message outside a transaction is nobody's
// commit and says nothing about one.
func (a *Assembler) logical(m *wal.Logical) error {
	if m.Prefix != a.prefix || !m.Transactional {
		return nil
	}
	if a.open == nil {
		return fmt.Errorf("%w: a transactional Message at %s outside a transaction", ErrProtocol, m.LSN)
	}
	a.open.Markers = append(a.open.Markers, m.Content)
	return nil
}

// describe learns a table, or its new definition.
func (a *Assembler) describe(m *wal.Relation) error {
	source := a.sources[tableName{m.Schema, m.Table}]
	if source == nil {
		a.relations[m.ID] = nil
		return nil
	}
	rel, err := bind(source, m)
	if err != nil {
		return err
	}
	a.relations[m.ID] = rel
	if a.open != nil {
		a.open.Described = true
	}
	return nil
}

// relation returns the table that a change belongs to, or nil for one outside
// the plan.
func (a *Assembler) relation(id uint32) (*relation, error) {
	rel, described := a.relations[id]
	if !described {
		return nil, fmt.Errorf("%w: a change of relation %d, which was not described", ErrProtocol, id)
	}
	return rel, nil
}

func (a *Assembler) truncate(m *wal.Truncate) error {
	for _, id := range m.Relations {
		rel, err := a.relation(id)
		if err != nil {
			return err
		}
		if rel == nil {
			continue
		}
		a.open.Changes++
		for _, path := range rel.source.Paths {
			a.spill.Whole(&a.open.Dirty, path.Model.ID)
		}
	}
	return nil
}
