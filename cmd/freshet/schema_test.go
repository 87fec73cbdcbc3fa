package main

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"freshet/api"
	"freshet/api/served"
	"freshet/deploy/pgserver/pgtest"
	"freshet/model"
)

// TestSchemaIsTheServedOne compares what comes of the model file alone with
// what an API process makes of the migrated database.
func TestSchemaIsTheServedOne(t *testing.T) {
	t.Run("blog", func(t *testing.T) {
		url, path := blogDatabase(t)
		sameSchema(t, url, path)
	})
	t.Run("Northwind", func(t *testing.T) {
		data, err := os.ReadFile(northwindData)
		if errors.Is(err, fs.ErrNotExist) {
			t.Skip("the Northwind data are not here")
		}
		url := pgtest.Database(t)
		pgtest.Exec(t, url, string(data))
		sameSchema(t, url, "../../examples/northwind/model.graphql")
	})
}

func sameSchema(t *testing.T, url, path string) {
	t.Helper()
	expect(t, exitOK, "", "migrate", "--apply", "--database-url="+url, "--model="+path)
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	layouts, err := api.LoadLayouts(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := model.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := served.New(m, layouts, served.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"schema"}, {"schema", "--exact", "--database-url=" + url}} {
		r := expect(t, exitOK, "type Query", append(args, "--model="+path)...)
		if diff := cmp.Diff(s.SDL, r.out); diff != "" {
			t.Errorf("%s: -served +printed:\n%s", args, diff)
		}
	}
}

func TestSchemaUsage(t *testing.T) {
	expect(t, exitUsage, "no model file was named", "schema")
	expect(t, exitFound, "faulty.graphql:", "schema", "--model=testdata/faulty.graphql")
	if r := expect(t, exitOK, "directive @hasMany", "schema", "--directives"); r.out != model.Prelude {
		t.Error("it is not the prelude")
	}
}
