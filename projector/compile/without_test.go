package compile

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWithout takes read models out of a plan, and expects what is left to be
// what is needed, with its own numbers, and the plan itself to be as it was.
func TestWithout(t *testing.T) {
	plan, ds := Compile(parseModel(t, "blog"), readCatalog(t, "blog"))
	if err := ds.Err(); err != nil {
		t.Fatal(err)
	}
	whole := plan.Without(nil)
	if len(whole.ReadModels) != len(plan.ReadModels) || len(whole.Sources) != len(plan.Sources) {
		t.Fatalf("without nothing: %d read models and %d sources", len(whole.ReadModels), len(whole.Sources))
	}
	for i, s := range plan.Sources {
		w := whole.Sources[i]
		if w == s || w.Table != s.Table || len(w.Paths) != len(s.Paths) || !slices.Equal(w.Identity, s.Identity) || !slices.Equal(w.Reads, s.Reads) {
			t.Errorf("without nothing: %s: %+v, want a copy of %+v", s.Table.Name, w, s)
		}
	}
	for _, gone := range plan.ReadModels {
		left := plan.Without(map[string]bool{gone.Name: true})
		for _, rm := range left.ReadModels {
			if rm == gone || plan.ReadModels[rm.ID] != rm {
				t.Errorf("without %s: %s has number %d", gone.Name, rm.Name, rm.ID)
			}
		}
		for _, s := range left.Sources {
			checkLeft(t, gone, s)
		}
	}
	if none := plan.Without(map[string]bool{"User": true, "Post": true, "Comment": true}); len(none.ReadModels)+len(none.Sources) > 0 {
		t.Errorf("without all: %+v", none)
	}
}

func checkLeft(t *testing.T, gone *ReadModel, s *Source) {
	t.Helper()
	if slices.Contains(s.Models(), gone.Name) || len(s.Paths) == 0 {
		t.Errorf("without %s: %s is for %v", gone.Name, s.Table.Name, s.Models())
	}
	for _, p := range s.Paths {
		for _, c := range p.Reads {
			if !slices.Contains(s.Reads, c) {
				t.Errorf("without %s: %s does not read %s", gone.Name, s.Table.Name, c)
			}
		}
	}
}

// TestWhoDependsOnColumns asks for the read models that columns matter to.
func TestWhoDependsOnColumns(t *testing.T) {
	a, b, c := &ReadModel{Name: "A"}, &ReadModel{Name: "B"}, &ReadModel{Name: "C"}
	s := &Source{Reads: []string{"id", "parent", "text"}, Identity: []string{"id", "parent"}, Paths: []*Path{
		{Model: a, Start: []string{"id"}, Reads: []string{"id", "text"}},
		{Model: b, Start: []string{"parent"}, Reads: []string{"text"}},
		{Model: c, Start: []string{"parent"}, Reads: []string{"id"}},
	}}
	for _, q := range []struct {
		name      string
		got, want []string
	}{
		{"reading text", s.ModelsReading([]string{"text"}), []string{"A", "B"}},
		{"reading a start", s.ModelsReading([]string{"parent"}), []string{"B", "C"}},
		{"reading what nobody reads", s.ModelsReading([]string{"other"}), []string{"A", "B", "C"}},
		{"old values of id", s.ModelsStarting([]string{"id"}), []string{"A"}},
		{"old values of both", s.ModelsStarting([]string{"id", "parent"}), []string{"A", "B", "C"}},
		{"old values that tell rows apart", s.ModelsStarting([]string{"serial"}), []string{"A", "B", "C"}},
	} {
		if diff := cmp.Diff(q.want, q.got); diff != "" {
			t.Errorf("%s: -want +got\n%s", q.name, diff)
		}
	}
	left := (&Plan{ReadModels: []*ReadModel{a, b, c}, Sources: []*Source{s}}).Without(map[string]bool{"A": true})
	if diff := cmp.Diff([]string{"parent"}, left.Sources[0].Identity); diff != "" {
		t.Errorf("identity without A: -want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{"id", "text"}, left.Sources[0].Reads); diff != "" {
		t.Errorf("reads without A: -want +got\n%s", diff)
	}
}
