package apply

import (
	"maps"
	"slices"

	"freshet/projector/compile"
)

// maxKeys bounds the keys held in memory for one read model of a batch: past
// it the whole model is rebuilt by a cursor instead, which needs no memory.
const maxKeys = 1_000_000

// affected is what a batch must do of each read model.
type affected struct {
	keys  map[int]map[string]struct{} // to be rebuilt, by read model
	whole map[int]bool                // to be rebuilt all
	// patches are the documents that a patch brings up to date, by the path
	// that leads to them. What is rebuilt as well needs none.
	patches map[*compile.Path]map[string]struct{}
}

func newAffected() *affected {
	return &affected{keys: map[int]map[string]struct{}{}, whole: map[int]bool{}, patches: map[*compile.Path]map[string]struct{}{}}
}

func (f *affected) add(model int, key string) {
	if f.whole[model] {
		return
	}
	set := f.keys[model]
	if set == nil {
		set = map[string]struct{}{}
		f.keys[model] = set
	}
	set[key] = struct{}{}
	if len(set) > maxKeys {
		f.setWhole(model)
	}
}

func (f *affected) addPatch(path *compile.Path, key string) {
	if f.whole[path.Model.ID] {
		return
	}
	set := f.patches[path]
	if set == nil {
		set = map[string]struct{}{}
		f.patches[path] = set
	}
	set[key] = struct{}{}
	if len(set) > maxKeys {
		f.setWhole(path.Model.ID)
	}
}

func (f *affected) setWhole(model int) {
	f.whole[model] = true
	delete(f.keys, model)
	maps.DeleteFunc(f.patches, func(p *compile.Path, _ map[string]struct{}) bool { return p.Model.ID == model })
}

// has says whether a document is rebuilt.
func (f *affected) has(model int, key string) bool {
	_, ok := f.keys[model][key]
	return ok || f.whole[model]
}

// found adds what a path leads to and a patch brings up to date; without one,
// or where the document was set aside, it is tried as a whole.
func (a *Applier) found(f *affected, path *compile.Path, key string) {
	if path.Patch != "" {
		if _, held := a.held[PendingKey{path.Model.Name, key}]; !held {
			f.addPatch(path, key)
			return
		}
	}
	f.add(path.Model.ID, key)
}

// maxEarly is how many documents may be done before the batch is complete:
// their log rows are kept in memory until then.
const maxEarly = 5000

func (f *affected) large() bool {
	n := 0
	for _, set := range f.keys {
		n += len(set)
	}
	for _, set := range f.patches {
		n += len(set)
	}
	return len(f.whole) > 0 || n > maxEarly
}

// piece is the keys of one statement: a patch by the path, or without one a
// rebuild.
type piece struct {
	model *compile.ReadModel
	path  *compile.Path
	keys  []string
}

func (p piece) sql() string {
	if p.path != nil {
		return p.path.Patch
	}
	return p.model.Apply
}

// pieces are the statements of what is affected, in the order of models, paths
// and keys: rows are always locked in the same order, and a batch is the same
// whenever it is replayed.
func (f *affected) pieces(plan *compile.Plan) []piece {
	var all []piece
	for _, model := range plan.ReadModels {
		all = append(all, piecesOf(model, nil, slices.Sorted(maps.Keys(f.keys[model.ID])))...)
	}
	paths := slices.SortedFunc(maps.Keys(f.patches), func(a, b *compile.Path) int { return a.ID - b.ID })
	for _, path := range paths {
		var keys []string
		for key := range f.patches[path] {
			if !f.has(path.Model.ID, key) {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		all = append(all, piecesOf(path.Model, path, keys)...)
	}
	return all
}

// split takes the keys that are known to fail out of the pieces. They become
// pieces of their own, which rebuild: a patch would not show whether the whole
// document can be built again.
func (a *Applier) split(pieces []piece) (ordinary, failed []piece) {
	if len(a.held) == 0 {
		return pieces, nil
	}
	for _, p := range pieces {
		var bad []string
		isBad := func(key string) bool { return a.held[PendingKey{p.model.Name, key}] }
		if slices.ContainsFunc(p.keys, isBad) {
			var good []string
			for _, key := range p.keys {
				if isBad(key) {
					bad = append(bad, key)
				} else {
					good = append(good, key)
				}
			}
			p.keys = good
			failed = append(failed, piece{model: p.model, keys: bad})
		}
		if len(p.keys) > 0 {
			ordinary = append(ordinary, p)
		}
	}
	return ordinary, failed
}

// untried are the keys of a piece that the batch has not set aside yet: on its
// snapshot they would only fail again.
func (w *writer) untried(p piece) []string {
	if len(w.aside) == 0 {
		return p.keys
	}
	return slices.DeleteFunc(slices.Clone(p.keys), func(key string) bool { return w.hasSetAside(PendingKey{p.model.Name, key}) })
}

func piecesOf(model *compile.ReadModel, path *compile.Path, keys []string) []piece {
	var all []piece
	for part := range slices.Chunk(keys, chunk) {
		all = append(all, piece{model, path, part})
	}
	return all
}
