package oracle

import (
	"freshet/model"
)

// related returns the rows of a relation's target that belong to a row: all of
// them, filtered by the relation's where, in no order.
func (w *world) related(r *row, rel *model.Relation) ([]*row, error) {
	if !r.holds(rel.When) {
		return nil, nil
	}
	target := w.types[rel.Target]
	var found []*row
	var err error
	switch rel.Kind {
	case model.BelongsTo:
		found, err = w.follow(r, rel.ForeignKey, target)
	case model.HasOne, model.HasMany:
		found, err = w.back(r, target, rel.ForeignKey)
	case model.ManyToMany:
		found, err = w.through(r, rel, target)
	}
	if err != nil {
		return nil, err
	}
	var kept []*row
	for _, t := range found {
		if t.holds(rel.Where) {
			kept = append(kept, t)
		}
	}
	return kept, nil
}

// follow goes from the row that holds a foreign key to the row it names.
func (w *world) follow(r *row, cols []string, target *source) ([]*row, error) {
	fk, err := constraint(r.src.table, cols, target.table)
	if err != nil {
		return nil, err
	}
	key, ok := r.tuple(fk.columns)
	if !ok {
		return nil, nil
	}
	return target.by(fk.targetCols, key), nil
}

// back goes from a row to the rows of holder that name it by a foreign key.
func (w *world) back(r *row, holder *source, cols []string) ([]*row, error) {
	fk, err := constraint(holder.table, cols, r.src.table)
	if err != nil {
		return nil, err
	}
	key, ok := r.tuple(fk.targetCols)
	if !ok {
		return nil, nil
	}
	return holder.by(fk.columns, key), nil
}

func (w *world) through(r *row, rel *model.Relation, target *source) ([]*row, error) {
	join := w.joins[rel.Through]
	links, err := w.back(r, join, rel.ForeignKey)
	if err != nil {
		return nil, err
	}
	var found []*row
	for _, l := range links {
		rows, err := w.follow(l, rel.TargetKey, target)
		if err != nil {
			return nil, err
		}
		found = append(found, rows...)
	}
	return found, nil
}

// constraint finds the foreign key of holder over those columns (in any
// order), or, where none are given, the only one towards target.
func constraint(holder *table, cols []string, target *table) (foreignKey, error) {
	var found []foreignKey
	for _, fk := range holder.foreign {
		if fk.target == target.oid && (len(cols) == 0 || sameSet(fk.columns, cols)) {
			found = append(found, fk)
		}
	}
	err := must(len(found) == 1, "%d foreign keys %v from %s to %s", len(found), cols, holder.name, target.name)
	if err != nil {
		return foreignKey{}, err
	}
	return found[0], nil
}

func sameSet(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	in := map[string]bool{}
	for _, s := range a {
		in[s] = true
	}
	for _, s := range b {
		if !in[s] {
			return false
		}
	}
	return true
}
