package migrate

import (
	"fmt"
	"slices"

	"freshet/projector/catalog"
	"freshet/projector/compile"
)

// columnFindings compares the columns that the plan reads with those that it
// was compiled from: a projector that runs has a plan that may be older than
// the table.
func (s *state) columnFindings(cp *compile.Plan, src *compile.Source) []Finding {
	var found []Finding
	for _, name := range columnsOf(src) {
		was, is := src.Table.Column(name), s.sources[src.Table.Name].Column(name)
		models := src.ModelsReading([]string{name})
		switch {
		case was == nil: // a plan made by hand
		case is == nil:
			found = append(found, Finding{
				Where:  src.Table.Name.String(),
				What:   fmt.Sprintf("column %s, which the model reads, is gone: it was dropped or renamed", name),
				Remedy: "Restore it, and the documents are filled again by themselves; or change the model file to fit, run freshet migrate --apply and restart the projector.",
				Models: models,
			})
		case was.Type.SQL != is.Type.SQL || was.Generated != is.Generated:
			found = append(found, s.retypedFindings(cp, src, was, is, models)...)
		}
	}
	return found
}

// columnsOf are all columns of a source that its paths depend on, sorted.
func columnsOf(src *compile.Source) []string {
	columns := slices.Clone(src.Reads)
	for _, p := range src.Paths {
		columns = append(columns, p.Start...)
	}
	slices.Sort(columns)
	return slices.Compact(columns)
}

// retypedFindings are the faults of a column of another type than the plan
// was compiled for: what is to be done depends on whether the read model was
// migrated since.
func (s *state) retypedFindings(cp *compile.Plan, src *compile.Source, was, is *catalog.Column, models []string) []Finding {
	what := fmt.Sprintf("column %s was %s and is %s", was.Name, typeWord(was), typeWord(is))
	var migrated, not []string
	for _, rm := range cp.ReadModels {
		if !slices.Contains(models, rm.Name) {
			continue
		}
		if s.migrated(cp, rm) {
			migrated = append(migrated, rm.Name)
		} else {
			not = append(not, rm.Name)
		}
	}
	var found []Finding
	if len(not) > 0 {
		found = append(found, Finding{Where: src.Table.Name.String(), What: what, Models: not,
			Remedy: "Run freshet migrate --apply, which has the documents filled again, while the old ones are served."})
	}
	if len(migrated) > 0 {
		found = append(found, Finding{Where: src.Table.Name.String(), What: what + ", and was migrated to that", Models: migrated,
			Remedy: "Restart the projector, whose statements were made for the type before."})
	}
	return found
}

func typeWord(c *catalog.Column) string {
	if c.Generated {
		return c.Type.SQL + " generated"
	}
	return c.Type.SQL
}

// sourcesNow are the shapes of a read model's sources as the catalog has them.
func (s *state) sourcesNow(cp *compile.Plan, rm *compile.ReadModel) []sourceShape {
	now := &compile.Plan{}
	for _, src := range cp.Sources {
		c := *src
		if t := s.sources[src.Table.Name]; t != nil {
			c.Table = t
		}
		now.Sources = append(now.Sources, &c)
	}
	return sourcesOf(now, rm)
}

// retyped says whether source columns of a read model have another type than
// the plan was compiled for.
func (s *state) retyped(cp *compile.Plan, rm *compile.ReadModel) bool {
	return !sameSources(s.sourcesNow(cp, rm), sourcesOf(cp, rm))
}

// migrated says whether a read model was migrated to the sources as they are
// now, while the plan is older.
func (s *state) migrated(cp *compile.Plan, rm *compile.ReadModel) bool {
	row := s.models[rm.Name]
	return row != nil && s.retyped(cp, rm) && sameSources(row.Sources, s.sourcesNow(cp, rm))
}

// keyFindings are read models whose key does not tell rows apart any more.
func (s *state) keyFindings(cp *compile.Plan) []Finding {
	var found []Finding
	for _, rm := range cp.ReadModels {
		if rm.Root == nil || rm.Key.Column == "" {
			continue // a plan made by hand
		}
		t := s.sources[rm.Root.Table.Name]
		if t == nil || t.Column(rm.Key.Column) == nil || isKey(t, rm.Key.Column) || !isKey(rm.Root.Table, rm.Key.Column) {
			continue
		}
		found = append(found, Finding{
			Where:  t.Name.String(),
			What:   fmt.Sprintf("column %s, the key of %s, is not unique and NOT NULL any more", rm.Key.Column, rm.Name),
			Remedy: fmt.Sprintf("Give it its constraint again, such as ALTER TABLE %s ADD PRIMARY KEY (%s); the documents are then filled again by themselves.", quote(t.Name), quoteName(rm.Key.Column)),
			Models: []string{rm.Name},
		})
	}
	return found
}

func isKey(t *catalog.Table, column string) bool {
	c := t.Column(column)
	if c == nil || !c.NotNull && !c.Type.DomainNotNull {
		return false
	}
	return slices.ContainsFunc(t.Indexes, func(i *catalog.Index) bool {
		return i.Unique && !i.Partial && slices.Equal(i.Columns, []string{column})
	})
}
