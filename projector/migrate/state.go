package migrate

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"freshet/migrations"
	"freshet/model"
	"freshet/projector/catalog"
	"freshet/projector/compile"
)

// state is what a database has of what a plan needs.
type state struct {
	version     int // as server_version_num
	walLevel    string
	pending     []migrations.File
	models      map[string]*modelRow
	relations   map[catalog.Name]*relation // tables under the names of tv_* tables, the plan's and the recorded ones
	sources     map[catalog.Name]*catalog.Table
	publication *publication // nil: there is none
	slot        *slot        // nil: there is none
	checkpoint  *checkpoint  // nil: there is none for the slot
}

// modelRow is a row of freshet.models.
type modelRow struct {
	Name    string
	Hash    string
	Layout  compile.Layout
	Sources []sourceShape
	State   string
	Begun   bool // some of its documents are being filled
}

// table is the tv_* table that the row was written for.
func (r *modelRow) table() catalog.Name {
	return catalog.Name{Schema: r.Layout.Schema, Name: r.Layout.Table}
}

// readState reads everything, each with its own statement: nobody but Freshet
// changes these things, and a migration holds an advisory lock.
func readState(ctx context.Context, conn *pgx.Conn, cp *compile.Plan, slotName, publicationName string) (*state, error) {
	s := &state{models: map[string]*modelRow{}, sources: map[catalog.Name]*catalog.Table{}}
	var err error
	if err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('wal_level')`).Scan(&s.version, &s.walLevel); err != nil {
		return nil, fmt.Errorf("read the server's version and wal_level: %w", err)
	}
	if s.pending, err = migrations.Pending(ctx, conn); err != nil {
		return nil, err
	}
	if err := s.readOwn(ctx, conn, slotName); err != nil {
		return nil, err
	}
	if s.relations, err = readRelations(ctx, conn, s.tableNames(cp)); err != nil {
		return nil, fmt.Errorf("look at the tv_* tables: %w", err)
	}
	if err := s.readSources(ctx, conn, cp); err != nil {
		return nil, err
	}
	if s.publication, err = readPublication(ctx, conn, publicationName); err != nil {
		return nil, fmt.Errorf("look at publication %s: %w", publicationName, err)
	}
	if s.slot, err = readSlot(ctx, conn, slotName); err != nil {
		return nil, fmt.Errorf("look at replication slot %s: %w", slotName, err)
	}
	return s, nil
}

// readOwn reads Freshet's own tables, where they are.
func (s *state) readOwn(ctx context.Context, conn *pgx.Conn, slotName string) error {
	var models, checkpoints bool
	err := conn.QueryRow(ctx, `SELECT count(*) FILTER (WHERE c.relname = 'models') > 0, count(*) FILTER (WHERE c.relname = 'checkpoint') > 0
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relkind = 'r'`, migrations.Schema).Scan(&models, &checkpoints)
	if err != nil {
		return fmt.Errorf("look for Freshet's own tables: %w", err)
	}
	if models {
		if err := s.readModels(ctx, conn); err != nil {
			return fmt.Errorf("read freshet.models: %w", err)
		}
	}
	if checkpoints {
		if s.checkpoint, err = readCheckpoint(ctx, conn, slotName); err != nil {
			return fmt.Errorf("read freshet.checkpoint: %w", err)
		}
	}
	return nil
}

// readModels reads which read models tables were built for.
func (s *state) readModels(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `SELECT m.name, m.hash, m.layout, m.sources, m.state,
		EXISTS (SELECT FROM freshet.backfill b WHERE b.model = m.name) OR EXISTS (SELECT FROM freshet.fanout f WHERE f.model = m.name) FROM freshet.models m`)
	if err != nil {
		return err
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*modelRow, error) {
		r := &modelRow{}
		var layout, sources []byte
		if err := row.Scan(&r.Name, &r.Hash, &layout, &sources, &r.State, &r.Begun); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(layout, &r.Layout); err != nil {
			return nil, fmt.Errorf("layout of %s: %w", r.Name, err)
		}
		if err := json.Unmarshal(sources, &r.Sources); err != nil {
			r.Sources = nil // another version wrote it: it then differs, and the model is filled again
		}
		return r, nil
	})
	for _, r := range list {
		s.models[r.Name] = r
	}
	return err
}

// tableNames are the tv_* tables of the plan and of the recorded models.
func (s *state) tableNames(cp *compile.Plan) []catalog.Name {
	var names []catalog.Name
	for _, rm := range cp.ReadModels {
		names = append(names, rm.Table)
	}
	for _, r := range s.models {
		names = append(names, r.table())
	}
	return names
}

// readSources reads the source tables as they are now: the plan may be older.
func (s *state) readSources(ctx context.Context, conn *pgx.Conn, cp *compile.Plan) error {
	var req catalog.Request
	for _, src := range cp.Sources {
		req.Tables = append(req.Tables, model.TableName(src.Table.Name))
	}
	cat, err := catalog.Load(ctx, conn, req)
	if err != nil {
		return err
	}
	for name, t := range cat.Resolved {
		s.sources[catalog.Name(name)] = t
	}
	return nil
}
