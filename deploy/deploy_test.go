// Package deploy_test holds what is shipped to what there is: flags, metrics,
// sections of the documentation, roles. It needs Go and Postgres, and none of
// the tools that the files are for.
package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"freshet/deploy/pgserver/pgtest"
)

func TestMain(m *testing.M) { os.Exit(inTempDir(m)) }

// scratch is where the binary is built.
var scratch string

func inTempDir(m *testing.M) int {
	dir, err := os.MkdirTemp("", "freshet-deploy-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	scratch = dir
	return pgtest.Main(m)
}

// read returns a file of the repository, by its path from the root.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// buildLine is the command by which the image's binary is built.
var buildLine = regexp.MustCompile(`CGO_ENABLED=0 go build .*`)

// binary builds freshet with the Dockerfile's own command, once.
var binary = sync.OnceValues(func() (string, error) {
	dockerfile, err := os.ReadFile("container/Dockerfile")
	if err != nil {
		return "", err
	}
	line := buildLine.FindString(string(dockerfile))
	if line == "" {
		return "", fmt.Errorf("the Dockerfile has no line like %s", buildLine)
	}
	path := filepath.Join(scratch, "freshet")
	build := exec.Command("sh", "-c", strings.ReplaceAll(line, "/out/freshet", path))
	build.Dir = ".."
	build.Env = append(os.Environ(), "VERSION=shipped")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", line, err, out)
	}
	return path, nil
})

func built(t *testing.T) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// help is what --help says of a command, by its name; "" is freshet itself.
var helps sync.Map

func help(t *testing.T, command string) string {
	t.Helper()
	if text, ok := helps.Load(command); ok {
		return text.(string)
	}
	out, err := exec.Command(built(t), append(strings.Fields(command), "--help")...).CombinedOutput()
	if err != nil {
		t.Errorf("freshet %s --help: %v\n%s", command, err, out)
	}
	helps.Store(command, string(out))
	return string(out)
}

// takes says whether a command has a flag or goes by an environment variable.
func takes(t *testing.T, command, name string) bool {
	t.Helper()
	return regexp.MustCompile(`(?:^|[^A-Za-z-])` + regexp.QuoteMeta(name) + `(?:[^a-zA-Z_-]|$)`).MatchString(help(t, command))
}

// checkArgs checks a command line of freshet, without the program's name.
func checkArgs(t *testing.T, where string, args []string) {
	t.Helper()
	if len(args) == 0 {
		t.Errorf("%s: no command", where)
		return
	}
	for _, arg := range args {
		if name, _, _ := strings.Cut(arg, "="); strings.HasPrefix(name, "--") && !takes(t, args[0], name) {
			t.Errorf("%s: freshet %s has no flag %s", where, args[0], name)
		}
	}
}

// checkEnv checks a variable that a container gets.
func checkEnv(t *testing.T, where, command, name string) {
	t.Helper()
	if strings.HasPrefix(name, "FRESHET_") && !takes(t, command, "$"+name) {
		t.Errorf("%s: freshet %s does not go by %s", where, command, name)
	}
}
