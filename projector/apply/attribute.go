package apply

import (
	"errors"

	"github.com/jackc/pgx/v5"

	"freshet/projector/compile"
)

// attribute names the read model in an error that arose while statements were
// prepared: of these only the text is known.
func (a *Applier) attribute(err error) error {
	var preparing pgx.ErrPreprocessingBatch
	if !errors.As(err, &preparing) {
		return err
	}
	if model := a.modelOf(preparing.SQL()); model != nil {
		return compile.OfModel(model.Name, err)
	}
	return err
}

// modelOf returns the read model that a statement belongs to, or nil.
func (a *Applier) modelOf(sql string) *compile.ReadModel {
	for _, m := range a.plan.ReadModels {
		if sql == m.Apply {
			return m
		}
	}
	for _, s := range a.plan.Sources {
		for _, p := range s.Paths {
			if sql == p.SQL || sql == p.Probe || sql == p.Patch {
				return p.Model
			}
		}
	}
	return nil
}
