package document

import (
	"fmt"
	"sync"
)

// preparers are used again: a document is built in one of them, and copied out
// in its true size.
var preparers = sync.Pool{New: func() any { return new(preparer) }}

// maxKept bounds the text of a document whose preparer is used again.
const maxKept = 1 << 20

// Prepare scans the JSON text of a document of the given shape. Keys that the
// shape does not know are passed over; keys that the text lacks are null. The
// text is not kept.
func Prepare(shape *Shape, text []byte) (*Document, error) {
	p := preparers.Get().(*preparer)
	p.scanner = scanner{text: text}
	d, err := p.document(shape)
	p.scanner = scanner{}
	if len(text) <= maxKept {
		preparers.Put(p)
	}
	return d, err
}

// document scans the whole text.
func (p *preparer) document(shape *Shape) (*Document, error) {
	p.doc.text, p.doc.words, p.elems = p.doc.text[:0], append(p.doc.words[:0], 0), p.elems[:0]
	root, err := p.object(shape, 0)
	if err != nil {
		return nil, fmt.Errorf("document of %s: at byte %d: %w", shape.Type.Name, p.at, err)
	}
	if root == 0 {
		return nil, fmt.Errorf("document of %s: it is null", shape.Type.Name)
	}
	if p.space(); p.at != len(p.text) {
		return nil, fmt.Errorf("document of %s: at byte %d: something follows it", shape.Type.Name, p.at)
	}
	return &Document{text: own(p.doc.text), words: own(p.doc.words), root: root}, nil
}

// own copies a slice into memory of its own. Its capacity is what the runtime
// has given for it, which Document.Size counts.
func own[T any](s []T) []T { return append([]T(nil), s...) }

// maxDepth bounds the nesting of a document, so that no text can exhaust the
// stack. Postgres itself accepts a few thousand levels.
const maxDepth = 10_000

// preparer builds a Document from its text.
type preparer struct {
	scanner
	doc   Document
	elems []uint32 // a stack of list elements not yet written
}

// object scans an object or null and returns its place, 0 for null.
func (p *preparer) object(shape *Shape, depth int) (Object, error) {
	if p.space(); p.literal("null") {
		return 0, nil
	}
	if depth > maxDepth {
		return 0, errTooDeep
	}
	if !p.byte('{') {
		return 0, errExpected("an object")
	}
	at := len(p.doc.words)
	p.doc.words = append(p.doc.words, make([]uint32, 2*len(shape.Slots))...)
	return Object(at), p.members(shape, at, depth)
}

// members scans the members of an object into the words from at on.
func (p *preparer) members(shape *Shape, at, depth int) error {
	if p.space(); p.byte('}') {
		return nil
	}
	next := 0 // where in shape.sorted the next key is expected
	for {
		key, err := p.key()
		if err != nil {
			return err
		}
		slot := shape.find(key, next)
		if slot >= 0 {
			next++
		}
		if err := p.member(shape, slot, at, depth); err != nil {
			return err
		}
		p.space()
		if p.byte('}') {
			return nil
		}
		if !p.byte(',') {
			return errExpected("a comma or }")
		}
	}
}

// member scans one value into its slot.
func (p *preparer) member(shape *Shape, slot, at, depth int) error {
	if slot < 0 {
		return p.skip(depth)
	}
	word := at + 2*slot
	switch s := shape.Slots[slot]; {
	case s.Sub == nil:
		return p.value(word, depth)
	case s.Many:
		return p.list(s.Sub, word, depth)
	default:
		o, err := p.object(s.Sub, depth+1)
		p.doc.words[word] = uint32(o)
		return err
	}
}

// value copies a value, without the space between its tokens.
func (p *preparer) value(word, depth int) error {
	if p.space(); p.literal("null") {
		return nil
	}
	start := len(p.doc.text)
	out, err := p.copy(p.doc.text, depth)
	p.doc.text = out
	p.doc.words[word], p.doc.words[word+1] = uint32(start), uint32(len(out))
	return err
}

// list scans a list of objects or null.
func (p *preparer) list(shape *Shape, word, depth int) error {
	if p.space(); p.literal("null") {
		return nil
	}
	if !p.byte('[') {
		return errExpected("a list")
	}
	mark := len(p.elems)
	if err := p.elements(shape, depth); err != nil {
		return err
	}
	p.doc.words[word] = uint32(len(p.doc.words))
	p.doc.words[word+1] = uint32(len(p.elems) - mark)
	p.doc.words = append(p.doc.words, p.elems[mark:]...)
	p.elems = p.elems[:mark]
	return nil
}

// elements scans the objects of a list, up to its closing bracket.
func (p *preparer) elements(shape *Shape, depth int) error {
	if p.space(); p.byte(']') {
		return nil
	}
	for {
		o, err := p.object(shape, depth+1)
		if err != nil {
			return err
		}
		p.elems = append(p.elems, uint32(o))
		p.space()
		if p.byte(']') {
			return nil
		}
		if !p.byte(',') {
			return errExpected("a comma or ]")
		}
	}
}
