package compile

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"freshet/deploy/pgserver/pgtest"
	"freshet/model"
)

var update = flag.Bool("update", false, "rewrite the golden files, catalogs included")

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// parseModel reads testdata/name/model.graphql.
func parseModel(t *testing.T, name string) *model.Model {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("testdata", name, "model.graphql"))
	if err != nil {
		t.Fatal(err)
	}
	m, ds := model.Parse("model.graphql", string(source))
	if err := ds.Err(); err != nil {
		t.Fatal(err)
	}
	return m
}

// golden compares got with a file under testdata, or rewrites it.
func golden(t *testing.T, got string, path ...string) {
	t.Helper()
	file := filepath.Join(append([]string{"testdata"}, path...)...)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); see -update:\n%s", file, diff)
	}
}

// TestPlans compiles models against catalogs that were read from a real
// Postgres: see TestCatalogs.
func TestPlans(t *testing.T) {
	for _, name := range []string{"blog", "everything", "warnings", "store", "subject"} {
		t.Run(name, func(t *testing.T) {
			plan, ds := Compile(parseModel(t, name), readCatalog(t, name))
			golden(t, ds.Error()+"\n", name, "diagnostics.txt")
			if plan == nil {
				t.Fatal(ds)
			}
			golden(t, plan.Explain(), name, "plan.sql")
			again, _ := Compile(parseModel(t, name), readCatalog(t, name))
			if diff := cmp.Diff(plan.Explain(), again.Explain()); diff != "" {
				t.Errorf("a second run differs:\n%s", diff)
			}
		})
	}
}

// TestStatements shows the statements that differ between models by names
// alone, of a model with a uuid key, and of one whose key is text and whose
// document holds JSON.
func TestStatements(t *testing.T) {
	blog, _ := Compile(parseModel(t, "blog"), readCatalog(t, "blog"))
	golden(t, blog.ReadModels[1].ExplainStatements(), "blog", "statements.sql")
	all, _ := Compile(parseModel(t, "everything"), readCatalog(t, "everything"))
	golden(t, all.ReadModels[4].ExplainStatements(), "everything", "statements.sql")
}

func TestFaults(t *testing.T) {
	for _, name := range []string{"bad"} {
		t.Run(name, func(t *testing.T) {
			_, ds := Compile(parseModel(t, name), readCatalog(t, name))
			golden(t, ds.Error()+"\n", name, "diagnostics.txt")
		})
	}
}

func TestShortName(t *testing.T) {
	long := shortName(strings.Repeat("ä", 30), strings.Repeat("b", 30))
	if len(long) > maxName || !strings.HasPrefix(long, "ääää") {
		t.Errorf("got %q of %d bytes", long, len(long))
	}
	if other := shortName(strings.Repeat("ä", 30), strings.Repeat("b", 31)); other == long {
		t.Errorf("two long names are both %q", long)
	}
	if got := shortName("tv_post", "id"); got != "tv_post_id" {
		t.Errorf("got %q", got)
	}
}
