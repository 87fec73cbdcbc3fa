package live

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/jackc/pglogrepl"
)

// Query is what can be subscribed to. It is used by one goroutine at a time.
type Query interface {
	// Evaluate answers the query as of now. An error stands for one that will
	// pass: the evaluation is tried again.
	Evaluate(ctx context.Context) (Answer, error)
}

// Answer is what an evaluation has yielded.
type Answer struct {
	Body    []byte        // not changed any more
	LSN     pglogrepl.LSN // it is at least as fresh; 0 is not known
	Depends Dependencies
	// Final: no change of the data can alter it. Subscriptions end with it.
	Final bool
}

// Dependencies say which changes may alter an answer. Those of a page that is
// listed twice, and documents, count once.
type Dependencies struct {
	Documents []Document
	Pages     []Page
}

// Document names a document, there or not.
type Document struct{ Model, Key string }

// Page is a part of a list of one read model. Its documents are told of in
// Dependencies.Documents where more of them than their place in it matters.
type Page struct {
	Model string
	// Columns of the table by which it is filtered, sorted and summed up, in
	// any order. Inserts and deletes count whatever they are.
	Columns []string
	// Only, where it is set, says which documents beside those in
	// Dependencies.Documents can matter at all.
	Only *Only
}

// Only are documents by the value that a column has after a change. Inserts and
// updates of others do not matter, and neither do deletes.
type Only struct {
	Column string
	Values []string
}

// Tag stands for the bytes of an answer: two with the same tag are the same.
type Tag [16]byte

// TagOf returns the tag of a body.
func TagOf(body []byte) Tag {
	sum := sha256.Sum256(body)
	return Tag(sum[:16])
}

// ID names what a subscriber has: where it stands and which bytes. It can give
// it back to go on from there.
type ID struct {
	LSN pglogrepl.LSN
	Tag Tag // zero: not known
}

// String is the form of an ID for protocols: 0/16B3748-0123456789abcdef….
func (id ID) String() string {
	return id.LSN.String() + "-" + hex.EncodeToString(id.Tag[:])
}

// ParseID reads what String has written, or an LSN alone.
func ParseID(text string) (ID, error) {
	var id ID
	at, tag, tagged := strings.Cut(text, "-")
	lsn, err := pglogrepl.ParseLSN(at)
	if err != nil {
		return id, err
	}
	id.LSN = lsn
	if !tagged {
		return id, nil
	}
	if len(tag) != hex.EncodedLen(len(id.Tag)) {
		return id, hex.ErrLength
	}
	_, err = hex.Decode(id.Tag[:], []byte(tag))
	return id, err
}

// Normal returns the same dependencies in order, each once.
func (d Dependencies) Normal() Dependencies {
	slices.SortFunc(d.Documents, func(a, b Document) int {
		return cmp.Or(strings.Compare(a.Model, b.Model), strings.Compare(a.Key, b.Key))
	})
	d.Documents = slices.Clip(slices.Compact(d.Documents))
	for i := range d.Pages {
		slices.Sort(d.Pages[i].Columns)
		d.Pages[i].Columns = slices.Compact(d.Pages[i].Columns)
	}
	d.Pages = slices.Clip(d.Pages)
	return d
}

// same says whether two sets, both in order, are equal.
func (d *Dependencies) same(o *Dependencies) bool {
	return slices.Equal(d.Documents, o.Documents) && slices.EqualFunc(d.Pages, o.Pages, func(a, b Page) bool {
		return a.Model == b.Model && slices.Equal(a.Columns, b.Columns) && a.Only.same(b.Only)
	})
}

func (o *Only) same(p *Only) bool {
	if o == nil || p == nil {
		return o == p
	}
	return o.Column == p.Column && slices.Equal(o.Values, p.Values)
}
