package migrate

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"freshet/projector/catalog"
	"freshet/projector/compile"
)

// Ready says whether a projector that starts now would be right in all: Freshet's
// own tables are there, each tv_* table was built from this very model, and every
// source table is published whole with a replica identity that covers what the
// plan needs. The error is a *NotReady when it would not.
//
// Slot and checkpoint are the projector's own business: see Check for what
// there is to say of them. See Look for which read models would be right all
// the same.
func Ready(ctx context.Context, conn *pgx.Conn, cp *compile.Plan, slot, publication string) error {
	o := Options{Slot: slot, Publication: publication}.withDefaults()
	s, err := readState(ctx, conn, cp, o.Slot, o.Publication)
	if err != nil {
		return fmt.Errorf("look whether the database is ready: %w", err)
	}
	return asError(s.unready(cp, o))
}

const runMigrate = "Run freshet migrate to see what it would do, and freshet migrate --apply to do it."

// unready are the faults that would make the projector silently wrong.
func (s *state) unready(cp *compile.Plan, o Options) []Finding {
	if len(s.pending) > 0 {
		return []Finding{{Where: "schema freshet", What: fmt.Sprintf("Freshet's own tables lack %s", s.pending[0].Name), Remedy: runMigrate}}
	}
	var found []Finding
	found = append(found, s.modelFindings(cp)...)
	found = append(found, s.sourceFindings(cp)...)
	if s.publication == nil {
		return append(found, Finding{Where: "publication " + o.Publication, What: "it does not exist", Remedy: "freshet migrate --apply creates it; it also has what was missed filled again."})
	}
	for _, src := range cp.Sources {
		if s.sources[src.Table.Name] != nil && s.publication.lacks(src.Table) != "" {
			found = append(found, forModels(publicationFault(s.publication, src.Table, o.Publication), src.Models()))
		}
	}
	return found
}

// forModels says which read models a finding concerns.
func forModels(f Finding, models []string) Finding {
	f.Models = models
	return f
}

// modelFindings compares the tables with the model that they were built for.
func (s *state) modelFindings(cp *compile.Plan) []Finding {
	var found []Finding
	for _, rm := range cp.ReadModels {
		why, known := s.mustBuild(rm)
		row, rel := s.models[rm.Name], s.relations[rm.Table]
		switch {
		case why == "" && !sameSources(row.Sources, sourcesOf(cp, rm)):
			if s.retyped(cp, rm) {
				continue // told of by its columns
			}
			found = append(found, Finding{
				Where:  rm.Table.String(),
				What:   "source columns changed since it was built: " + changedColumns(row.Sources, sourcesOf(cp, rm)),
				Remedy: "freshet migrate --apply has it filled again, while the old documents are served.",
				Models: []string{rm.Name},
			})
		case why == "":
		case rel != nil && !known && !rel.fits(rm):
			found = append(found, foreignTable(rm, rel))
		case rel == nil:
			f := Finding{Where: rm.Table.String(), What: fmt.Sprintf("the table of read model %s %s", rm.Name, missingWord(why)), Remedy: "freshet migrate --apply creates it."}
			if row != nil {
				f.Models = []string{rm.Name} // it was there: only this one cannot go on
			}
			found = append(found, f)
		case s.migrated(cp, rm):
			continue // told of by its columns: the plan is older than the table
		case s.retyped(cp, rm):
			found = append(found, Finding{
				Where:  rm.Table.String(),
				What:   fmt.Sprintf("the table of read model %s %s, since the projector started", rm.Name, why),
				Remedy: "Restart the projector with the model file that was migrated.",
				Models: []string{rm.Name},
			})
		default:
			found = append(found, Finding{
				Where:  rm.Table.String(),
				What:   fmt.Sprintf("the table of read model %s %s", rm.Name, why),
				Remedy: "freshet migrate --apply drops and creates it, and the projector fills it.",
			})
		}
	}
	return found
}

// missingWord says that a table is missing, whether it ever was there or not.
func missingWord(why string) string {
	if why == "is new" {
		return "does not exist yet"
	}
	return why
}

// changedColumns lists the source columns that differ.
func changedColumns(was, now []sourceShape) string {
	old := map[string]string{}
	for _, t := range was {
		for _, c := range t.Columns {
			old[t.Schema+"."+t.Table+"."+c.Name] = c.Type
		}
	}
	var list []string
	for _, t := range now {
		for _, c := range t.Columns {
			name := t.Schema + "." + t.Table + "." + c.Name
			if had, ok := old[name]; !ok {
				list = append(list, name+" is read now")
			} else if had != c.Type {
				list = append(list, fmt.Sprintf("%s was %s and is %s", name, had, c.Type))
			}
		}
	}
	if len(list) == 0 {
		return "it reads fewer than before"
	}
	return strings.Join(list, ", ")
}

// sourceFindings looks at the source tables as they are now.
func (s *state) sourceFindings(cp *compile.Plan) []Finding {
	found := s.unsuitable(cp)
	for _, src := range cp.Sources {
		t := s.sources[src.Table.Name]
		if t == nil {
			continue
		}
		found = append(found, s.columnFindings(cp, src)...)
		if s.covered(src) {
			continue
		}
		models := src.Models()
		if len(t.IdentityColumns) > 0 {
			models = src.ModelsStarting(lacking(t, src))
		}
		found = append(found, forModels(identityFinding(s, src), models))
	}
	return append(found, s.keyFindings(cp)...)
}

// unsuitable are source tables that no migration could make right.
func (s *state) unsuitable(cp *compile.Plan) []Finding {
	var found []Finding
	for _, src := range cp.Sources {
		if f := unsuitable(s.sources[src.Table.Name], src); f.What != "" {
			found = append(found, forModels(f, src.Models()))
		}
	}
	return found
}

// unsuitable says what is wrong with a source's table as it is now.
func unsuitable(t *catalog.Table, src *compile.Source) Finding {
	where := src.Table.Name.String()
	switch {
	case t == nil:
		return Finding{
			Where:  where,
			What:   "the table is gone",
			Remedy: "Restore it, or change the model file; freshet check says what the model needs.",
		}
	case t.Kind != src.Table.Kind:
		return Finding{
			Where:  where,
			What:   "it is another kind of relation than when the projector started",
			Remedy: "Run freshet check, which says what the model needs, and restart the projector.",
		}
	case generated(t, src) != "":
		return Finding{
			Where:  where,
			What:   fmt.Sprintf("the old values of %s are needed, but it is a generated column, which the stream of changes leaves out", generated(t, src)),
			Remedy: "Link by a column that is stored as it is written.",
		}
	case t.HasChildren:
		return Finding{
			Where:  where,
			What:   "other tables inherit from it: their rows would be read, but their changes are published under other names",
			Remedy: "Use declarative partitioning, or read from a table that nothing inherits from.",
		}
	case t.Persistence != 'p':
		return Finding{
			Where:  where,
			What:   "it is unlogged or temporary: its changes are not in the WAL",
			Remedy: fmt.Sprintf("ALTER TABLE %s SET LOGGED;", quote(t.Name)),
		}
	}
	return Finding{}
}

// generated returns a generated column whose old values would be needed, or "".
func generated(t *catalog.Table, src *compile.Source) string {
	for _, name := range src.Identity {
		if c := t.Column(name); c != nil && c.Generated {
			return name
		}
	}
	return ""
}

// identityFinding is the fault of a replica identity that does not cover.
func identityFinding(s *state, src *compile.Source) Finding {
	t := s.sources[src.Table.Name]
	what := "it has no replica identity: once published, every UPDATE and DELETE on it would fail"
	if len(t.IdentityColumns) > 0 {
		what = fmt.Sprintf("its replica identity does not cover %s: a change of these would leave stale documents", strings.Join(lacking(t, src), ", "))
	}
	if t.Kind == 'p' {
		what += " (of it or of one of its partitions)"
	}
	statements := strings.Join(s.identityNeed(src).SQL, "\n")
	return Finding{Where: t.Name.String(), What: what, Remedy: "freshet migrate --apply does this, as the table's owner:\n" + statements}
}
