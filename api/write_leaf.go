package api

import (
	"bytes"
	"encoding/json"

	"github.com/vektah/gqlparser/v2/gqlerror"
)

// writeEnum writes a value that must be one of the enum's.
func (r *run) writeEnum(f *field, v []byte) bool {
	if len(v) > 2 {
		if _, ok := f.enum[view(v[1:len(v)-1])]; ok {
			r.out = append(r.out, v...)
			return true
		}
	}
	r.report(f, &gqlerror.Error{Message: `Enum "` + f.enumName + `" cannot represent value: ` + string(v)})
	return false
}

// writeLeaves writes a list of values, looking at each of them.
func (r *run) writeLeaves(f *field, v []byte) bool {
	if f.enum == nil && !bytes.Contains(v, []byte(null)) {
		r.out = append(r.out, v...)
		return true
	}
	var items []json.RawMessage
	if err := json.Unmarshal(v, &items); err != nil {
		r.report(f, &gqlerror.Error{Message: "Expected Iterable, but did not find one for field \"" + f.parent + "." + f.field + "\"."})
		return false
	}
	r.out = append(r.out, '[')
	depth := len(r.path)
	for i, item := range items {
		if i > 0 {
			r.out = append(r.out, ',')
		}
		r.path = append(r.path[:depth], step{index: i})
		if !r.writeLeafElem(f, item) {
			return false
		}
	}
	r.path = r.path[:depth]
	r.out = append(r.out, ']')
	return true
}

func (r *run) writeLeafElem(f *field, item []byte) bool {
	isNull := string(item) == null
	switch {
	case !isNull && f.enum == nil:
		r.out = append(r.out, item...)
		return true
	case !isNull:
		if r.writeEnum(f, item) {
			return true
		}
	case f.elemNonNull:
		r.report(f, f.notNull())
	}
	if f.elemNonNull {
		return false
	}
	r.out = append(r.out, null...)
	return true
}

// writeNodeID writes the global id of an object, from its key.
func (r *run) writeNodeID(sel *selection, f *field, v []byte) bool {
	key, ok := rawKey(v)
	if !ok {
		return r.none(f)
	}
	r.out = append(r.out, '"')
	r.out = append(appendNodeID(r.out, sel.typ.Model.Name, key), '"')
	return true
}
