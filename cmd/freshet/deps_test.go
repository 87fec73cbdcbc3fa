package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A rule says what packages may, or may not, import. Tests are free: they
// need a Postgres.
type rule struct {
	of     string   // packages; a final /... means those below as well
	only   []string // of ours: nothing but these and what is below the package itself
	never  []string // nothing of these, directly
	reason string
}

var rules = []rule{
	{of: "freshet/model", only: []string{}, never: impure,
		reason: "the model file is understood the same by every process, without a database at hand"},
	{of: "freshet/projector/catalog", only: []string{"freshet/model"},
		reason: "the catalog answers what the model asks, and decides nothing"},
	{of: "freshet/projector/compile", only: []string{"freshet/model", "freshet/projector/catalog"}, never: impure,
		reason: "the same model and catalog give the same SQL: golden files hold it"},
	{of: "freshet/projector/wal", only: []string{}, never: impure,
		reason: "bytes in, values out: it is fuzzed"},
	{of: "freshet/projector/batch", only: []string{"freshet/model", "freshet/projector/catalog", "freshet/projector/compile", "freshet/projector/wal"}, never: impure,
		reason: "which transactions form a batch is decided by a snapshot alone, and tested in milliseconds"},
	{of: "freshet/projector/difference", only: []string{}, never: impure,
		reason: "two texts in, a path out"},
	{of: "freshet/projector/...", never: []string{"freshet/api/...", "freshet/cache/...", "freshet/cmd/...", "freshet/examples/..."},
		reason: "documents are kept right whether or not anybody reads them here"},
	{of: "freshet/api/...", only: []string{"freshet/model", "freshet/cache", "freshet/api/..."},
		reason: "an API process needs tv_* tables, not the engine that fills them"},
	{of: "freshet/cache/...", only: []string{},
		reason: "the cache knows keys and LSNs, not what they stand for"},
	{of: "freshet/migrations/...", only: []string{},
		reason: "Freshet's own tables depend on nobody's code"},
	{of: "freshet/...", never: []string{"freshet/cmd/..."},
		reason: "cmd joins the others"},
	{of: "freshet/projector/...", never: []string{"go.uber.org/zap", "log", "log/slog"},
		reason: "the engine publishes events; what is logged is decided in cmd"},
	{of: "freshet/api/...", never: []string{"go.uber.org/zap", "log", "log/slog"},
		reason: "the API reports to its Config; what is logged is decided in cmd"},
	{of: "freshet/cache/...", never: []string{"go.uber.org/zap", "log", "log/slog"},
		reason: "the cache reports events; what is logged is decided in cmd"},
	{of: "freshet/examples/...", only: []string{"freshet/examples/..."},
		reason: "an example is an application: it knows tables, not Freshet"},
	{of: "freshet/deploy/...", only: []string{"freshet/deploy/..."},
		reason: "throwaway servers serve tests of every package"},
}

// impure is a database, a logger. Package pgx itself also quotes identifiers,
// which is pure.
var impure = []string{"database/sql", "github.com/jackc/pgx/v5/pgconn", "github.com/jackc/pgx/v5/pgxpool",
	"go.uber.org/zap", "log", "log/slog", "net/..."}

// TestImports holds the rules of DESIGN: who may know whom.
func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		for _, r := range rules {
			if !matches(p.ImportPath, r.of) {
				continue
			}
			for _, i := range p.Imports {
				if r.breaks(p.ImportPath, i) {
					t.Errorf("%s imports %s: %s", p.ImportPath, i, r.reason)
				}
			}
		}
	}
}

func (r rule) breaks(of, imported string) bool {
	in := func(patterns []string) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(imported, pattern) })
	}
	if in(r.never) && !(strings.HasPrefix(of, "freshet/cmd/") && strings.HasPrefix(imported, "freshet/cmd/")) {
		return true
	}
	ours := matches(imported, "freshet/...")
	return r.only != nil && ours && !in(r.only) && !strings.HasPrefix(imported, of+"/")
}

func matches(path, pattern string) bool {
	if below, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == below || strings.HasPrefix(path, below+"/")
	}
	return path == pattern
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "freshet/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// TestRulesAreAlive makes sure that each rule still is about something.
func TestRulesAreAlive(t *testing.T) {
	all := packages(t)
	for _, r := range rules {
		if !slices.ContainsFunc(all, func(p goPackage) bool { return matches(p.ImportPath, r.of) }) {
			t.Errorf("no package %s, which must not import others because %s", r.of, r.reason)
		}
	}
}
