package live

import "freshet/cache"

// maxRecent bounds the keys that are kept for evaluations under way: beyond,
// all of those are taken to be touched.
const maxRecent = 100_000

// recent keeps the changes that came while evaluations were under way: what
// such a one depends on is known only at its end.
type recent struct {
	changes []cache.Change
	first   uint64 // number of changes[0]
	keys    int    // in changes
}

// now is the number of the next change.
func (r *recent) now() uint64 { return r.first + uint64(len(r.changes)) }

// add keeps a change. Its slices are the feed's, and never changed.
func (r *recent) add(ch cache.Change) {
	if r.keys > maxRecent {
		r.forget(r.now())
	}
	r.changes = append(r.changes, ch)
	r.keys += 1 + len(ch.Keys) + len(ch.DeletedKeys)
}

// forget drops the changes before a number.
func (r *recent) forget(before uint64) {
	if before >= r.now() {
		r.first = r.now()
		clear(r.changes)
		r.changes, r.keys = r.changes[:0], 0
		return
	}
	for r.first < before {
		r.keys -= 1 + len(r.changes[0].Keys) + len(r.changes[0].DeletedKeys)
		r.changes = r.changes[1:]
		r.first++
	}
}

// touched says whether a change since a number touches dependencies.
func (r *recent) touched(since uint64, deps *Dependencies) bool {
	if since < r.first {
		return true // some were dropped
	}
	changes := r.changes[since-r.first:]
	if len(changes) == 0 {
		return false
	}
	documents := make(map[Document]struct{}, len(deps.Documents))
	for _, d := range deps.Documents {
		documents[d] = struct{}{}
	}
	for i := range changes {
		model := changes[i].Model
		if deps.touches(&changes[i], func(key string) bool {
			_, ok := documents[Document{model, key}]
			return ok
		}) {
			return true
		}
	}
	return false
}
