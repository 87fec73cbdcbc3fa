package compile

import (
	"maps"
	"slices"
)

// Without returns the plan of the other read models: what only the named ones
// read, and what only they need of a table, is not in it. IDs stay as they
// are, and read models and paths are the same ones; sources are copies.
func (p *Plan) Without(names map[string]bool) *Plan {
	rest := &Plan{Model: p.Model, MissingIndexes: p.MissingIndexes}
	for _, rm := range p.ReadModels {
		if !names[rm.Name] {
			rest.ReadModels = append(rest.ReadModels, rm)
		}
	}
	for _, s := range p.Sources {
		if left := s.without(names); left != nil {
			rest.Sources = append(rest.Sources, left)
		}
	}
	return rest
}

// without returns the source for the other read models, nil where there is
// none.
func (s *Source) without(names map[string]bool) *Source {
	left := &Source{Table: s.Table}
	reads := map[string]bool{}
	for _, p := range s.Paths {
		if names[p.Model.Name] {
			continue
		}
		left.Paths = append(left.Paths, p)
		for _, c := range p.Reads {
			reads[c] = true
		}
	}
	if len(left.Paths) == 0 {
		return nil
	}
	left.Reads = sorted(reads)
	for _, c := range s.Identity {
		if len(s.startingWith(c)) == 0 || len(left.startingWith(c)) > 0 {
			left.Identity = append(left.Identity, c)
		}
	}
	return left
}

// Models returns the names of the read models that are made of the table's
// rows, sorted.
func (s *Source) Models() []string { return modelsOf(s.Paths) }

// ModelsReading returns the names of the read models that depend on any of the
// columns, sorted; all that depend on the table where none does.
func (s *Source) ModelsReading(columns []string) []string {
	var paths []*Path
	for _, p := range s.Paths {
		if intersect(p.Reads, columns) || intersect(p.Start, columns) {
			paths = append(paths, p)
		}
	}
	if len(paths) == 0 {
		paths = s.Paths
	}
	return modelsOf(paths)
}

// ModelsStarting returns the names of the read models that need old values of
// any of the columns, sorted. A column that no path starts with is there to
// tell rows apart: all of them need it.
func (s *Source) ModelsStarting(columns []string) []string {
	var paths []*Path
	for _, c := range columns {
		found := s.startingWith(c)
		if len(found) == 0 {
			return s.Models()
		}
		paths = append(paths, found...)
	}
	if len(paths) == 0 {
		paths = s.Paths
	}
	return modelsOf(paths)
}

func (s *Source) startingWith(column string) []*Path {
	var paths []*Path
	for _, p := range s.Paths {
		if slices.Contains(p.Start, column) {
			paths = append(paths, p)
		}
	}
	return paths
}

func modelsOf(paths []*Path) []string {
	names := map[string]bool{}
	for _, p := range paths {
		names[p.Model.Name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

func intersect(a, b []string) bool {
	return slices.ContainsFunc(a, func(c string) bool { return slices.Contains(b, c) })
}

// ModelError says in which read model's statement an error arose.
type ModelError struct {
	Model string
	Err   error
}

// Error names the read model.
func (e *ModelError) Error() string { return "read model " + e.Model + ": " + e.Err.Error() }

// Unwrap returns the error itself.
func (e *ModelError) Unwrap() error { return e.Err }

// OfModel returns err as a ModelError; nil stays nil.
func OfModel(model string, err error) error {
	if err == nil {
		return nil
	}
	return &ModelError{Model: model, Err: err}
}
