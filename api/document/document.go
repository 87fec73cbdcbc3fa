package document

import "unsafe"

// Document is one prepared document: the bytes of its scalar values and an
// offset tree over them.
//
// words holds, for each object, two words a slot. A value: start and end in
// text, end 0 for null. A to-one relation: the place of the object, 0 for null.
// A list of objects: the place of the list of objects and their number, place 0
// for null.
type Document struct {
	text  []byte
	words []uint32
	root  Object
}

// Object is the place of an object in its Document. The zero Object is null.
type Object uint32

// List is a list of objects in its Document.
type List struct {
	at uint32
	n  uint32
}

// Root returns the document's own object.
func (d *Document) Root() Object { return d.root }

// Value returns the JSON of a slot that is not a relation, or nil for null.
// The bytes belong to the Document.
func (d *Document) Value(o Object, slot int) []byte {
	at := int(o) + 2*slot
	start, end := d.words[at], d.words[at+1]
	if end == 0 {
		return nil
	}
	return d.text[start:end:end]
}

// One returns the object of a to-one relation.
func (d *Document) One(o Object, slot int) Object {
	return Object(d.words[int(o)+2*slot])
}

// Many returns the list of a to-many relation; ok is false for null.
func (d *Document) Many(o Object, slot int) (list List, ok bool) {
	at := int(o) + 2*slot
	return List{at: d.words[at], n: d.words[at+1]}, d.words[at] != 0
}

// Len returns the number of objects in a list.
func (l List) Len() int { return int(l.n) }

// Elem returns an object of a list; it may be null.
func (d *Document) Elem(l List, i int) Object { return Object(d.words[int(l.at)+i]) }

// Size returns the bytes of memory that the document takes.
func (d *Document) Size() int {
	return cap(d.text) + 4*cap(d.words) + int(unsafe.Sizeof(*d))
}
