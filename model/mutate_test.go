package model

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestMutants parses model files in which tokens were removed, doubled and
// exchanged: unlike the fuzzer's, most of them still have valid syntax, and so
// reach the checks behind it.
func TestMutants(t *testing.T) {
	files, err := filepath.Glob("testdata/*.graphql")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, "../examples/blog/model.graphql")
	rounds := 300
	if testing.Short() {
		rounds = 30
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tokens := tokenForm.FindAllString(string(source), -1)
		for range rounds {
			parseMutant(t, strings.Join(mutate(rng, tokens), ""))
		}
	}
}

var tokenForm = regexp.MustCompile(`[A-Za-z0-9_]+|"""|\s+|.`)

var wordForm = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// mutate exchanges words for others of the file, drops marks of non-null, and
// now and then doubles or removes any token.
func mutate(rng *rand.Rand, tokens []string) []string {
	out := append([]string(nil), tokens...)
	for range 1 + rng.IntN(4) {
		i, j := rng.IntN(len(out)), rng.IntN(len(out))
		switch {
		case wordForm.MatchString(out[i]) && wordForm.MatchString(tokens[j]):
			out[i] = tokens[j]
		case tokens[i] == "!":
			out[i] = ""
		case rng.IntN(20) == 0:
			out[i] += tokens[j]
		case rng.IntN(20) == 0:
			out[i] = ""
		}
	}
	return out
}

func parseMutant(t *testing.T, source string) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			t.Fatalf("panic: %v\n%s", p, source)
		}
	}()
	start := time.Now()
	m, ds := Parse("mutant.graphql", source)
	checkConsistent(t, m, ds)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	if t.Failed() {
		t.Fatalf("the source was\n%s\nwith\n%s", source, ds.Error())
	}
}
