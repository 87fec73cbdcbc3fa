// Package migratetest makes test databases into what `freshet migrate --apply`
// leaves: the read models' tables, the publication and identities, without a
// slot.
package migratetest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"freshet/model"
	"freshet/projector/catalog"
	"freshet/projector/compile"
	"freshet/projector/migrate"
)

// Compile compiles a model file against the database as it is.
func Compile(t testing.TB, conn *pgx.Conn, file string) *compile.Plan {
	t.Helper()
	m, faults := model.Parse("model.graphql", file)
	must(t, faults.Err())
	c, err := catalog.Load(context.Background(), conn, compile.Request(m))
	must(t, err)
	plan, faults := compile.Compile(m, c)
	must(t, faults.Err())
	return plan
}

// Migrate compiles a model file, and migrates the database to it.
func Migrate(t testing.TB, conn *pgx.Conn, file, slot string) *compile.Plan {
	t.Helper()
	plan := Compile(t, conn, file)
	Apply(t, conn, plan, slot)
	return plan
}

// Apply migrates the database to a plan. The slot is left to the engine.
func Apply(t testing.TB, conn *pgx.Conn, plan *compile.Plan, slot string) {
	t.Helper()
	migration, err := migrate.Plan(context.Background(), conn, plan, migrate.Options{Slot: slot, LeaveSlot: true})
	must(t, err)
	must(t, migrate.Apply(context.Background(), conn.Config(), migration, nil))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
