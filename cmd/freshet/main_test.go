package main

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"freshet/deploy/pgserver/pgtest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "FRESHET_") && name != "FRESHET_PG_BIN" || name == "DATABASE_URL" {
			os.Unsetenv(name)
		}
	}
	goleak.VerifyTestMain(pgtest.Runner{M: m})
}

// output is a buffer that a running program may write to while it is read.
type output struct {
	mu sync.Mutex
	b  strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// result is what a command left behind.
type result struct {
	code        int
	out, errors string
}

func program(out, errs *output) *Main {
	return &Main{Stdin: strings.NewReader(""), Stdout: out, Stderr: errs, Getenv: os.Getenv,
		Exit: func(int) { panic("a second signal") }}
}

func freshet(t *testing.T, args ...string) result {
	t.Helper()
	var out, errs output
	code := program(&out, &errs).Run(t.Context(), args)
	return result{code: code, out: out.String(), errors: errs.String()}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// golden compares text with a file under testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update rewrites it):\n%s", name, diff)
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		code int
		says []string // on the way that fits the code
	}{
		{"help", []string{"--help"}, exitOK, []string{"Usage: freshet <command>", "demo", "verify"}},
		{"help without arguments", nil, exitOK, []string{"Usage: freshet <command>"}},
		{"help of a command", []string{"run", "--help"}, exitOK, []string{"--migrate", "$FRESHET_LISTEN"}},
		{"version", []string{"--version"}, exitOK, []string{"freshet "}},
		{"unknown command", []string{"flood"}, exitUsage, []string{"flood", "freshet --help"}},
		{"unknown flag", []string{"run", "--modle", "x"}, exitUsage, []string{"--modle", "freshet run --help"}},
		{"bad duration", []string{"log", "--since", "soon"}, exitUsage, []string{"--since", "soon"}},
		{"a lease too short", []string{"projector", "--lease", "10ms"}, exitUsage, []string{"--lease=10ms", "at least a second"}},
		{"bad level", []string{"--log-level", "loud", "status"}, exitUsage, []string{"--log-level"}},
		{"no database", []string{"status"}, exitUsage, []string{"--database-url", "DATABASE_URL"}},
		{"no model", []string{"check", "--database-url", "postgres://x@127.0.0.1:1/x"}, exitUsage, []string{"--model FILE"}},
		{"model is not there", []string{"check", "-m", "none.graphql", "--database-url", "postgres://x@127.0.0.1:1/x"}, exitUsage, []string{"none.graphql", "--model"}},
		{"a demo of nothing", []string{"demo", "--users", "0"}, exitUsage, []string{"at least one user"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := freshet(t, c.args...)
			text := r.out
			if c.code != exitOK {
				text = r.errors
			}
			if r.code != c.code {
				t.Errorf("exit code %d, want %d", r.code, c.code)
			}
			for _, want := range c.says {
				if !strings.Contains(text, want) {
					t.Errorf("it does not say %q:\n%s", want, text)
				}
			}
		})
	}
}

func TestConfigFile(t *testing.T) {
	const to = "database-url: postgres://me@127.0.0.1:2/x\n"
	for _, c := range []struct {
		name, text string
		env        string
		args       []string
		code       int
		says       string
	}{
		{"is read", to, "", nil, exitFound, "127.0.0.1:2,"},
		{"yields to a flag", to, "", []string{"--database-url", "postgres://me@127.0.0.1:4/x"}, exitFound, "127.0.0.1:4,"},
		{"yields to the environment", to, "postgres://me@127.0.0.1:3/x", nil, exitFound, "127.0.0.1:3,"},
		{"serves all commands", to + "listen: 127.0.0.1:0\nmodel: x.graphql\n", "", nil, exitFound, "127.0.0.1:2,"},
		{"unknown key", to + "datbase-url: y\n", "", nil, exitUsage, `freshet.yaml:2:1: there is no flag "datbase-url"` + "\n    did you mean database-url?"},
		{"key of one call", "limit: 4\n", "", nil, exitUsage, `there is no flag "limit"`},
		{"twice", to + to, "", nil, exitUsage, "there twice"},
		{"a list", "slot: [a, b]\n", "", nil, exitUsage, "slot is not one value"},
		{"not a mapping", "- slot\n", "", nil, exitUsage, "not a list of key: value"},
		{"not YAML", "slot: 'a\n", "", nil, exitUsage, "not YAML"},
		{"empty", "", "", nil, exitUsage, "no database was named"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.env != "" {
				t.Setenv("FRESHET_DATABASE_URL", c.env)
			}
			args := append([]string{"status", "--config", write(t, "freshet.yaml", c.text)}, c.args...)
			r := freshet(t, args...)
			if r.code != c.code || !strings.Contains(r.errors, c.says) {
				t.Errorf("exit code %d, want %d; want %q in:\n%s", r.code, c.code, c.says, r.errors)
			}
		})
	}
	t.Run("by the environment", func(t *testing.T) {
		t.Setenv("FRESHET_CONFIG", write(t, "freshet.yaml", to))
		if r := freshet(t, "status"); !strings.Contains(r.errors, "127.0.0.1:2,") {
			t.Error(r.errors)
		}
	})
	t.Run("DATABASE_URL is last", func(t *testing.T) {
		t.Setenv("DATABASE_URL", "postgres://me@127.0.0.1:5/x")
		if r := freshet(t, "status"); !strings.Contains(r.errors, "127.0.0.1:5,") {
			t.Error(r.errors)
		}
		if r := freshet(t, "status", "--config", write(t, "freshet.yaml", to)); !strings.Contains(r.errors, "127.0.0.1:2,") {
			t.Error(r.errors)
		}
	})
}

func TestUnreadableURLKeepsItsSecret(t *testing.T) {
	for _, url := range []string{
		"postgres://me:s3cret%zz@127.0.0.1/db", "postgres://me:12/s3cret@127.0.0.1/db",
		"mysql://me:s3cret@127.0.0.1/db", "me:s3cret@127.0.0.1", "postgres://me:s3cret@127.0.0.1:port/db",
		"postgres://me:s3cret@127.0.0.1/db?sslmode=perhaps",
	} {
		r := freshet(t, "status", "--database-url", url)
		if r.code != exitUsage || !strings.Contains(r.errors, "database URL cannot be read") {
			t.Errorf("%s: exit code %d:\n%s", url, r.code, r.errors)
		}
		if strings.Contains(r.errors+r.out, "s3cret") {
			t.Errorf("%s: the password is in:\n%s", url, r.errors)
		}
	}
}

// TestModelFaults shows that everything is reported in one go, the missing
// database included, and how it looks.
func TestModelFaults(t *testing.T) {
	r := freshet(t, "check", "--model", "testdata/faulty.graphql", "--database-url", "postgres://me:s3cret@127.0.0.1:1/db")
	if r.code != exitFound {
		t.Errorf("exit code %d: %s", r.code, r.errors)
	}
	golden(t, "faulty.check.txt", r.out)

	url := pgtest.Database(t)
	r = freshet(t, "run", "--model", "testdata/faulty.graphql", "--database-url", url)
	if r.code != exitFound || r.out != "" {
		t.Errorf("exit code %d, output %q", r.code, r.out)
	}
	golden(t, "faulty.run.txt", regexp.MustCompile(`(?m)^\S+ INFO .*\n`).ReplaceAllString(r.errors, ""))
}

func TestInterruptedBeforeStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs output
	code := program(&out, &errs).Run(ctx, []string{"status", "--database-url", pgtest.Database(t)})
	if code != exitFound || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("exit code %d:\n%s", code, errs.String())
	}
}
