package batch

import "freshet/projector/compile"

// DefaultLimit is how many values a transaction, or a Queue, holds by default
// before it spills. A value of a uuid takes about 100 bytes.
const DefaultLimit = 1_000_000

// Spill bounds the memory of a Dirty: past Limit values the read model of the
// path with the most values is rebuilt whole instead, and the values of all its
// paths are forgotten. A Spill is never changed and may be shared.
type Spill struct {
	limit  int
	models map[int]int   // path → read model
	paths  map[int][]int // read model → paths
}

// NewSpill returns the bound of so many values for the plan's paths. A limit of
// 0 is DefaultLimit.
func NewSpill(plan *compile.Plan, limit int) *Spill {
	if limit <= 0 {
		limit = DefaultLimit
	}
	s := &Spill{limit: limit, models: map[int]int{}, paths: map[int][]int{}}
	for _, source := range plan.Sources {
		for _, path := range source.Paths {
			s.models[path.ID] = path.Model.ID
			s.paths[path.Model.ID] = append(s.paths[path.Model.ID], path.ID)
			if len(path.Kept) > 0 {
				s.models[path.PatchID] = path.Model.ID
				s.paths[path.Model.ID] = append(s.paths[path.Model.ID], path.PatchID)
			}
		}
	}
	return s
}

// Limit is the number of values from which on it spills.
func (s *Spill) Limit() int { return s.limit }

// Trim forgets the values that a whole rebuild of their read model covers, and
// spills until the limit is kept.
func (s *Spill) Trim(d *Dirty) {
	for model := range d.whole {
		s.drop(d, model)
	}
	for d.size > s.limit {
		model, known := s.models[largestPath(d)]
		if !known { // of another plan: rather too much memory than a lost change
			return
		}
		s.Whole(d, model)
	}
}

// Whole marks a read model to be rebuilt whole, and forgets its values.
func (s *Spill) Whole(d *Dirty, modelID int) {
	d.AddWhole(modelID)
	s.drop(d, modelID)
}

func (s *Spill) drop(d *Dirty, modelID int) {
	for _, path := range s.paths[modelID] {
		d.Drop(path)
	}
}

// largestPath returns the path with the most values; of equals the lowest, so
// that the same stream always spills the same way.
func largestPath(d *Dirty) int {
	largest, most := 0, -1
	for _, path := range d.Paths() {
		if n := d.Len(path); n > most {
			largest, most = path, n
		}
	}
	return largest
}
