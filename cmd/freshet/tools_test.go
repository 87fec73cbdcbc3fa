package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"freshet/deploy/pgserver/pgtest"
	"freshet/examples/blog"
)

// TestInitEndToEnd goes from somebody's own database to documents.
func TestInitEndToEnd(t *testing.T) {
	t.Run("blog", func(t *testing.T) {
		url, _ := blogDatabase(t)
		initAndRun(t, url, `{ userByUsername(username: "nobody") { id } }`, `{"data":{"userByUsername":null}}`, "Post: 50 documents compared, 0 differ")
	})
	t.Run("Northwind", func(t *testing.T) {
		data, err := os.ReadFile(northwindData)
		if errors.Is(err, fs.ErrNotExist) {
			t.Skip("the Northwind data are not here")
		}
		url := pgtest.Database(t)
		pgtest.Exec(t, url, string(data))
		initAndRun(t, url, `{ order(id: "10248") { customer { companyName } orderDetails { quantity product { productName } } } }`,
			`{"data":{"order":{"customer":{"companyName":"Vins et alcools Chevalier"},"orderDetails":[{"quantity":10,"product":{"productName":"Singaporean Hokkien Fried Mee"}},`+
				`{"quantity":12,"product":{"productName":"Queso Cabrales"}},{"quantity":5,"product":{"productName":"Mozzarella di Giovanni"}}]}}}`,
			"Order: 830 documents compared, 0 differ")
	})
}

func initAndRun(t *testing.T, url, query, want, verified string) {
	t.Helper()
	database, path := "--database-url="+url, filepath.Join(t.TempDir(), "model.graphql")
	expect(t, exitOK, "Wrote "+path, "init", database, "--output="+path)
	p := begin(t, "run", database, "--model="+path, "--migrate", "--listen", "127.0.0.1:0")
	expect(t, exitOK, "0 errors", "check", database, "--model="+path)
	if got := ask(t, p.addr["graphql"], query); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	expect(t, exitOK, verified, "verify", database, "--model="+path)
	p.end()
}

func TestInitUsage(t *testing.T) {
	url := pgtest.Database(t)
	database, path := "--database-url="+url, write(t, "model.graphql", "mine")
	expect(t, exitUsage, "is there already", "init", database, "--output="+path)
	expect(t, exitFound, "no tables to make a model of", "init", database, "--output=-")
	pgtest.Exec(t, url, "CREATE SCHEMA other; SET search_path = other; "+blog.Schema)
	expect(t, exitFound, "--schema", "init", database, "--output=-")
	expect(t, exitOK, `@table(name: "tb_user", schema: "other")`, "init", database, "--output=-", "--schema=other")
	if text, err := os.ReadFile(path); err != nil || string(text) != "mine" {
		t.Errorf("the file was touched: %q %v", text, err)
	}
	expect(t, exitOK, "Wrote", "init", database, "--output="+path, "--schema=other", "--force")
}

func TestHealth(t *testing.T) {
	url, path := blogDatabase(t)
	p := begin(t, "projector", "--database-url="+url, "--model="+path, "--migrate")
	addr := p.addr["admin"]
	expect(t, exitOK, "ok", "health", "--admin", addr)
	expect(t, exitOK, "ready", "health", "--admin", "http://"+addr+"/", "--ready")
	t.Run("by the environment of the server", func(t *testing.T) {
		_, port, _ := strings.Cut(addr, ":")
		t.Setenv("FRESHET_ADMIN", "0.0.0.0:"+port)
		expect(t, exitOK, "ok", "health")
	})
	p.end()
	expect(t, exitFound, "is it running", "health", "--admin", addr)
	expect(t, exitUsage, "not an address", "health", "--admin", "nowhere")
	expect(t, exitUsage, "not a URL", "health", "--admin", "http://")
}

func TestAdminURL(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.1:9090": "http://127.0.0.1:9090", ":9090": "http://127.0.0.1:9090", "0.0.0.0:1": "http://127.0.0.1:1",
		"[::]:9": "http://[::1]:9", "https://x/admin/": "https://x/admin", "db:80": "http://db:80",
	} {
		if got, err := adminURL(in, false); err != nil || got != want {
			t.Errorf("%s: %s %v", in, got, err)
		}
	}
}

func TestCompletion(t *testing.T) {
	for _, c := range []struct {
		line string // the words, the last of which is completed
		want string // some of the candidates
		not  string
	}{
		{"", "resync", "__complete"},
		{"re", "resync", "run"},
		{"run --mig", "--migrate", "--model"},
		{"run --", "--database-url", "--poll"},
		{"run --log-level ", "debug", "--log-level"},
		{"run --log-level=de", "--log-level=debug", "info"},
		{"run --log-level = de", "debug", "info"},
		{"run --log-level =", "info", "run"},
		{"run --model ", "", "debug"},
		{"--slot x ver", "verify", "run"},
		{"completion ", "fish", "run"},
		{"run --migrate --ad", "--admin", "--migrate"},
	} {
		r := freshet(t, append([]string{"__complete", "--"}, strings.Split(c.line, " ")...)...)
		var words []string
		for line := range strings.Lines(r.out) {
			word, _, _ := strings.Cut(line, "\t")
			words = append(words, word)
		}
		if r.code != exitOK || c.want != "" && !slices.Contains(words, c.want) || c.want == "" && len(words) > 0 || slices.Contains(words, c.not) {
			t.Errorf("%q: exit code %d, %q %s", c.line, r.code, words, r.errors)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		expect(t, exitOK, "__complete --", "completion", shell)
	}
	expect(t, exitUsage, "tcsh", "completion", "tcsh")
}

// TestCompletionScripts has each shell that is here read its script, and bash
// run it, with the program stood in for.
func TestCompletionScripts(t *testing.T) {
	for shell, check := range map[string]string{"bash": "-n", "zsh": "-n", "fish": "--no-execute"} {
		bin, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("there is no %s here", shell)
			continue
		}
		path := write(t, "script", freshet(t, "completion", shell).out)
		if out, err := exec.CommandContext(t.Context(), bin, check, path).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", shell, err, out)
		}
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash here")
	}
	script := freshet(t, "completion", "bash").out + `
freshet() { printf '%s\n' "got $*	help"; }
COMP_WORDS=(freshet run --lo) COMP_CWORD=2
_freshet
printf '%s\n' "${COMPREPLY[@]}"`
	out, err := exec.CommandContext(t.Context(), bash, "--norc", "-c", script).CombinedOutput()
	if err != nil || string(out) != "got __complete -- run --lo\n" {
		t.Errorf("%v: %s", err, out)
	}
}
