package api

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnswers runs each testdata/answers/*.graphql and compares the bytes of
// the answer. A first line "# variables: {…}" gives variables.
func TestAnswers(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	files, err := filepath.Glob("testdata/answers/*.graphql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no queries found: %v", err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".graphql")
		t.Run(name, func(t *testing.T) {
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			vars := ""
			if line, _, _ := strings.Cut(string(source), "\n"); strings.HasPrefix(line, "# variables:") {
				vars = strings.TrimPrefix(line, "# variables:")
			}
			store := newMemStore(t, m, shop)
			s := newServer(t, m, store)
			first := ask(t, s, string(source), vars).Body.String()
			golden(t, "answers/"+name+".json", indent(t, []byte(first)))
			if again := ask(t, s, string(source), vars).Body.String(); again != first {
				t.Errorf("the second answer, from the cache, differs:\n%s\n%s", first, again)
			}
		})
	}
}

func TestSDL(t *testing.T) {
	m := parseModel(t, "testdata/shop.graphql")
	s := newServer(t, m, newMemStore(t, m, shop))
	golden(t, "shop.sdl", []byte(s.SDL()))
}
