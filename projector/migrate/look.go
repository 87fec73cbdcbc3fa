package migrate

import (
	"context"
	"fmt"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"freshet/projector/catalog"
	"freshet/projector/compile"
)

// Survey is what Look found.
type Survey struct {
	// General are the faults with which no projector should work.
	General []Finding
	// Models are the faults of single read models, by name: the others are
	// right all the same.
	Models map[string][]Finding
	// Migrated are those of them that were migrated to the types that their
	// source columns have now, while the plan was compiled before.
	Migrated []string
	// States are the states of the read models, from freshet.models.
	States map[string]string
	// Tables are the source tables as they are now.
	Tables map[catalog.Name]*catalog.Table
	Traces Traces
	// Position is where the log was before all this was looked at.
	Position pglogrepl.LSN
}

// Look says what Ready does, and of each fault which read models it concerns.
// The plan may be older than the tables.
func Look(ctx context.Context, conn *pgx.Conn, cp *compile.Plan, slot, publication string) (*Survey, error) {
	o := Options{Slot: slot, Publication: publication}.withDefaults()
	v := &Survey{Models: map[string][]Finding{}, States: map[string]string{}}
	if err := conn.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()").Scan(&v.Position); err != nil {
		return nil, fmt.Errorf("look whether the database is ready: %w", err)
	}
	var err error
	if v.Traces, err = readTraces(ctx, conn, cp, o.Publication); err != nil {
		return nil, fmt.Errorf("look whether the database is ready: %w", err)
	}
	s, err := readState(ctx, conn, cp, o.Slot, o.Publication)
	if err != nil {
		return nil, fmt.Errorf("look whether the database is ready: %w", err)
	}
	v.Tables = s.sources
	for name, row := range s.models {
		v.States[name] = row.State
	}
	for _, rm := range cp.ReadModels {
		if s.migrated(cp, rm) {
			v.Migrated = append(v.Migrated, rm.Name)
		}
	}
	v.sort(s.unready(cp, o))
	return v, nil
}

// sort sorts findings by whom they concern.
func (v *Survey) sort(found []Finding) {
	for _, f := range found {
		if f.Models == nil {
			v.General = append(v.General, f)
		}
		for _, name := range f.Models {
			v.Models[name] = append(v.Models[name], f)
		}
	}
}

// Err returns the general faults as a *NotReady, nil where there are none.
func (v *Survey) Err() error { return asError(v.General) }
