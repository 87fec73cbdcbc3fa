package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/jackc/pgx/v5"

	"freshet/examples/blog"
	"freshet/model"
	"freshet/projector/catalog"
	"freshet/projector/compile"
	"freshet/projector/migrate"
	"freshet/projector/session"
)

// compiled compiles the blog's model for a database.
func (w *world) compiled(ctx context.Context, database string) (*pgx.ConnConfig, *compile.Plan, error) {
	cfg, err := pgx.ParseConfig(w.server.URL(database))
	if err != nil {
		return nil, nil, err
	}
	m, ds := model.Parse("model.graphql", blog.Model)
	if err := ds.Err(); err != nil {
		return nil, nil, err
	}
	conn, err := session.Connect(ctx, cfg, "bench")
	if err != nil {
		return nil, nil, err
	}
	defer session.Close(conn)
	cat, err := catalog.Load(ctx, conn, compile.Request(m))
	if err != nil {
		return nil, nil, err
	}
	plan, ds := compile.Compile(m, cat)
	return cfg, plan, ds.Err()
}

// migrated does what `freshet migrate --apply` does, but for the slot.
func (w *world) migrated(ctx context.Context, database string) (*pgx.ConnConfig, *compile.Plan, error) {
	cfg, plan, err := w.compiled(ctx, database)
	if err != nil {
		return nil, nil, err
	}
	conn, err := session.Connect(ctx, cfg, "bench")
	if err != nil {
		return nil, nil, err
	}
	defer session.Close(conn)
	m, err := migrate.Plan(ctx, conn, plan, migrate.Options{Slot: database, LeaveSlot: true})
	if err != nil {
		return nil, nil, err
	}
	return cfg, plan, migrate.Apply(ctx, cfg, m, nil)
}

// readModel finds a read model by its name.
func readModel(plan *compile.Plan, name string) (*compile.ReadModel, error) {
	for _, m := range plan.ReadModels {
		if m.Name == name {
			return m, nil
		}
	}
	return nil, fmt.Errorf("the plan has no read model %s", name)
}

// keysOf returns the keys of a table, shuffled.
func keysOf(ctx context.Context, conn *pgx.Conn, table string) ([]string, error) {
	rows, err := conn.Query(ctx, "SELECT id::text FROM "+table+" ORDER BY id")
	if err != nil {
		return nil, err
	}
	keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return keys, err
}
