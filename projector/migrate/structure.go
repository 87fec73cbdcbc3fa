package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"freshet/projector/compile"
)

// Structure compares what documents stand on with what the plan says: columns
// and types of the tv_* tables and their indexes, replica identities and the
// publication. A Fault makes documents wrong; a Warning makes them slow to
// find.
func Structure(ctx context.Context, conn *pgx.Conn, cp *compile.Plan, slot, publication string) ([]Finding, error) {
	o := Options{Slot: slot, Publication: publication}.withDefaults()
	s, err := readState(ctx, conn, cp, o.Slot, o.Publication)
	if err != nil {
		return nil, fmt.Errorf("look at the structure: %w", err)
	}
	found := s.unready(cp, o)
	if len(s.pending) > 0 {
		return found, nil
	}
	for _, rm := range cp.ReadModels {
		if why, _ := s.mustBuild(rm); why == "" {
			found = append(found, s.tableFindings(rm)...)
		}
	}
	return found, nil
}

// tableFindings looks at a table that has the columns that it should.
func (s *state) tableFindings(rm *compile.ReadModel) []Finding {
	var found []Finding
	rel := s.relations[rm.Table]
	for _, want := range wanted(rm) {
		i := slices.IndexFunc(rel.Columns, func(c columnShape) bool { return c.Name == want.Name })
		if is := rel.Columns[i].Type; is != want.Type {
			found = append(found, Finding{
				Where:  rm.Table.String(),
				What:   fmt.Sprintf("its column %s is of type %s, and was made as %s", want.Name, is, want.Type),
				Remedy: fmt.Sprintf("Drop %s; freshet migrate --apply creates it, and the projector fills it.", rm.Table),
			})
		}
	}
	if row := s.models[rm.Name]; row == nil || row.State != "ready" {
		return found // the projector makes the indexes when it has filled the table
	}
	for _, index := range rm.Indexes {
		if !rel.has(index.Name) {
			found = append(found, Finding{
				Severity: Warning, Where: rm.Table.String(), What: fmt.Sprintf("its index %s is not there, or not valid", index.Name),
				Remedy: "freshet migrate --apply creates it: " + strings.TrimSpace(index.SQL),
			})
		}
	}
	return found
}
