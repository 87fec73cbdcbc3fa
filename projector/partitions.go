package projector

import (
	"context"
	"fmt"
	"maps"

	"github.com/jackc/pgx/v5"

	"freshet/projector/apply"
	"freshet/projector/checkpoint"
	"freshet/projector/compile"
)

// What is done to a single partition is not in the stream, which speaks of
// partitioned tables by their root: TRUNCATE of a partition, ATTACH, DETACH and
// DROP. Each leaves a trace in the catalog, though: another set of leaves, or
// another file behind one. So the catalog's state is kept in the checkpoint,
// looked at every few seconds and at each start, and where it has moved the
// read models of that table are rebuilt whole. (VACUUM FULL leaves the same
// trace: its rebuild finds nothing changed.)

// partitions returns the state of each partitioned source, by name.
func partitions(ctx context.Context, conn *pgx.Conn, plan *compile.Plan) (map[string]string, error) {
	var oids []uint32
	for _, s := range plan.Sources {
		if s.Table.Kind == 'p' {
			oids = append(oids, s.Table.OID)
		}
	}
	states := map[string]string{}
	if len(oids) == 0 {
		return states, nil
	}
	rows, err := conn.Query(ctx, `
SELECT n.nspname || '.' || c.relname, hashtextextended(string_agg(leaf.oid::text || ':' || leaf.relfilenode::text, ',' ORDER BY leaf.oid), 0)::text
FROM unnest($1::oid[]) AS root (oid)
JOIN pg_class AS c ON c.oid = root.oid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (SELECT l.oid, l.relfilenode FROM pg_partition_tree(root.oid) AS t JOIN pg_class AS l ON l.oid = t.relid WHERE t.isleaf) AS leaf ON true
GROUP BY 1`, oids)
	if err != nil {
		return nil, fmt.Errorf("look at the partitions: %w", err)
	}
	var name string
	var state *string
	_, err = pgx.ForEachRow(rows, []any{&name, &state}, func() error {
		states[name] = ""
		if state != nil {
			states[name] = *state
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look at the partitions: %w", err)
	}
	return states, nil
}

// knownPartitions returns the states that the documents reflect. A table that
// has none yet is about to be filled: its state now is noted before.
func (e *Engine) knownPartitions(ctx context.Context, control *pgx.Conn, epoch int64) (map[string]string, error) {
	known, err := partitions(ctx, control, e.plan)
	if err != nil || len(known) == 0 {
		return known, err
	}
	stored, err := checkpoint.Partitions(ctx, control, e.cfg.Slot)
	if err != nil {
		return nil, err
	}
	maps.Copy(known, stored)
	return known, e.savePartitions(ctx, control, epoch, known)
}

// movedPartitions returns the read models of partitioned tables whose state
// has moved, and the states now.
func (l *loop) movedPartitions(ctx context.Context) (models []int, now map[string]string, err error) {
	if len(l.partitions) == 0 {
		return nil, nil, nil
	}
	now, err = partitions(ctx, l.control, l.plan)
	if err != nil {
		return nil, nil, err
	}
	seen := map[int]bool{}
	for _, s := range l.plan.Sources {
		name := s.Table.Name.String()
		if state, ok := now[name]; !ok || state == l.partitions[name] {
			continue
		}
		for _, p := range s.Paths {
			if !seen[p.Model.ID] {
				seen[p.Model.ID] = true
				models = append(models, p.Model.ID)
			}
		}
	}
	return models, now, nil
}

// followPartitions rebuilds the read models of partitioned tables that have
// moved. The states are those from before the batch's snapshot, so that what
// moves meanwhile is seen the next time.
func (l *loop) followPartitions(ctx, work context.Context) error {
	models, now, err := l.movedPartitions(work)
	if err != nil || len(models) == 0 {
		return err
	}
	l.whole = models
	if err := l.batch(ctx, work, nil); err != nil {
		return err
	}
	l.partitions = now
	return l.engine.savePartitions(work, l.control, l.epoch, now)
}

func (e *Engine) savePartitions(ctx context.Context, control *pgx.Conn, epoch int64, states map[string]string) error {
	ok, err := checkpoint.SavePartitions(ctx, control, e.cfg.Slot, epoch, states)
	if err == nil && !ok {
		return apply.ErrFenced
	}
	return err
}
