package model

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.graphql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			m, ds, err := ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			checkConsistent(t, m, ds)
			golden(t, strings.TrimSuffix(file, ".graphql")+".golden", diagnosticsText(ds)+dump(m))
		})
	}
}

func diagnosticsText(ds Diagnostics) string {
	if len(ds) == 0 {
		return ""
	}
	return fmt.Sprintf("%d diagnostics\n%s\n\n", len(ds), ds.Error())
}

func golden(t *testing.T, file, got string) {
	t.Helper()
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
		t.Errorf("%s differs (-want +got); run with -update to accept:\n%s", file, diff)
	}
}

func TestBlogHasNoDiagnostics(t *testing.T) {
	m, ds, err := ParseFile("../examples/blog/model.graphql")
	if err != nil {
		t.Fatal(err)
	}
	if len(ds) != 0 {
		t.Fatalf("diagnostics:\n%s", ds.Error())
	}
	checkConsistent(t, m, ds)
	if got := selectionText(m.Type("Comment").Document()); got != "id content createdAt post{id} author{id username}" {
		t.Errorf("the document of Comment is %s", got)
	}
}

func TestManyFaultsAtOnce(t *testing.T) {
	_, ds, err := ParseFile("testdata/faults.graphql")
	if err != nil {
		t.Fatal(err)
	}
	if len(ds) < 30 {
		t.Errorf("only %d faults:\n%s", len(ds), ds.Error())
	}
	for _, d := range ds {
		if d.Remedy == "" {
			t.Errorf("no remedy: %s", d)
		}
		if d.Pos.Line == 0 || strings.HasSuffix(d.Message, ".") {
			t.Errorf("malformed: %s", d)
		}
	}
}

func TestParseFileMissing(t *testing.T) {
	if _, _, err := ParseFile("testdata/none"); err == nil {
		t.Error("no error")
	}
}

// The documents of types that are not stored multiply: the model must be
// refused without being written out.
func TestHugeDocument(t *testing.T) {
	var s strings.Builder
	s.WriteString("type T @table(name: \"t\") { id: ID! x: N0 @belongsTo }\n")
	for i := range 60 {
		fmt.Fprintf(&s, "type N%d @table(name: \"n\", stored: false) { a: N%d @belongsTo b: N%d @belongsTo }\n", i, i+1, i+1)
	}
	s.WriteString("type N60 @table(name: \"n\", stored: false) { n: Int }\n")
	_, ds := Parse("huge.graphql", s.String())
	if ds.Err() == nil || !strings.Contains(ds.Error(), "more than 5000 fields") {
		t.Errorf("got %v", ds)
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.graphql")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "../examples/blog/model.graphql") {
		source, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(source))
		f.Add(strings.ReplaceAll(string(source), "\n", "\r\n"))
	}
	f.Add("type A @table(name: \"\"\"a\\\"\"\"\"\"\"\"\") @index(fields: [\"\\u{41}.\\uD83D\\uDE00\"]) { a: A @belongsTo @embed(fields: \"a{a{a}} # \\n b\") }")
	f.Add("\xef\xbb\xbf# é\ntype A{a:Int}\xff")
	f.Fuzz(func(t *testing.T, source string) {
		m, ds := Parse("fuzz.graphql", source)
		checkConsistent(t, m, ds)
	})
}

// checkConsistent holds Parse to what it promises of the Model.
func checkConsistent(t *testing.T, m *Model, ds Diagnostics) {
	t.Helper()
	sound := ds.Err() == nil
	for _, typ := range m.Types {
		if m.Type(typ.Name) != typ {
			t.Errorf("the type %s is twice in the model", typ.Name)
		}
		if typ.Stored && typ.KeyField() == nil && sound {
			t.Errorf("%s has no key", typ.Name)
		}
		if typ.Table.Name == "" {
			t.Errorf("%s has no table", typ.Name)
		}
		for _, f := range typ.Fields {
			checkField(t, m, typ, f)
		}
		checkSelection(t, typ.Document(), map[*Selection]int{})
	}
	for _, i := range m.Interfaces {
		checkPossible(t, m, i.Types)
	}
	for _, u := range m.Unions {
		checkPossible(t, m, u.Types)
	}
	for _, d := range ds {
		if d.Pos.Line < 1 || d.Pos.Column < 1 {
			t.Errorf("no position: %s", d)
		}
	}
}

func checkPossible(t *testing.T, m *Model, types []*Type) {
	t.Helper()
	for _, typ := range types {
		if m.Type(typ.Name) != typ {
			t.Errorf("an interface or union has the stray type %s", typ.Name)
		}
	}
}

func checkField(t *testing.T, m *Model, typ *Type, f *Field) {
	t.Helper()
	name := typ.Name + "." + f.Name
	switch f.Kind {
	case Column:
		if f.Column == "" {
			t.Errorf("%s has no column", name)
		}
	case Relates:
		if f.Relation == nil || f.Relation.Embed == nil || m.Type(f.Relation.Target.Name) != f.Relation.Target {
			t.Errorf("%s is unresolved", name)
		}
	case FirstOf:
		if len(f.Members) == 0 {
			t.Errorf("%s is unresolved", name)
		}
		for _, member := range f.Members {
			if typ.Field(member.Name) != member || member.Kind != Relates || member.Relation.ToMany() {
				t.Errorf("%s has a stray relation %s", name, member.Name)
			}
		}
	case Aggregate:
		if f.Agg == nil || typ.Field(f.Agg.Of.Name) != f.Agg.Of {
			t.Errorf("%s is unresolved", name)
		}
	}
}

// checkSelection walks a selection: state 1 is on the path, 2 is done.
func checkSelection(t *testing.T, s *Selection, state map[*Selection]int) {
	t.Helper()
	if state[s] == 1 {
		t.Fatalf("a selection of %s contains itself", s.Type.Name)
	}
	if state[s] == 2 {
		return
	}
	state[s] = 1
	for _, item := range s.Items {
		if s.Type.Field(item.Field.Name) != item.Field || (item.Sub != nil) != (item.Field.Kind == Relates) {
			t.Fatalf("a selection of %s has a stray item %s", s.Type.Name, item.Field.Name)
		}
		if item.Sub != nil {
			checkSelection(t, item.Sub, state)
		}
	}
	state[s] = 2
}
