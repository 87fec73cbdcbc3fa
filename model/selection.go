package model

// Document returns what a document of the type holds: every field in file
// order but those of @firstOf, relations with what their @embed copies. It must not be modified.
func (t *Type) Document() *Selection {
	if t.document != nil {
		return t.document
	}
	s := &Selection{Type: t} // a Type that was not made by Parse
	for _, f := range t.Fields {
		if f.Kind == FirstOf {
			continue
		}
		item := SelectionItem{Field: f, Pos: f.Pos}
		if f.Kind == Relates {
			item.Sub = f.Relation.Embed
		}
		s.Items = append(s.Items, item)
	}
	return s
}

// keyOnly is the selection of a stored type's key field alone.
func (t *Type) keyOnly(pos Pos) *Selection {
	s := &Selection{Type: t}
	if f := t.KeyField(); f != nil {
		s.Items = []SelectionItem{{Field: f, Pos: pos}}
	}
	return s
}

// addKey puts the key field first where a selection does not have it.
func (s *Selection) addKey(pos Pos) {
	f := s.Type.KeyField()
	if f == nil || s.Item(f.Name) != nil {
		return
	}
	s.Items = append([]SelectionItem{{Field: f, Pos: pos}}, s.Items...)
}

// sizer counts the fields of selections with everything below them, shared
// parts as often as they occur.
type sizer map[*Selection]int

// maxDocument bounds the fields of a document's shape, far beyond what a
// statement can build: types that are not stored can multiply.
const maxDocument = 5000

// of returns the size, or maxDocument+1 where it is larger.
func (z sizer) of(s *Selection) int {
	if s == nil {
		return 0
	}
	if n, ok := z[s]; ok {
		return n
	}
	n := len(s.Items)
	for _, item := range s.Items {
		n = min(n+z.of(item.Sub), maxDocument+1)
	}
	z[s] = n
	return n
}
