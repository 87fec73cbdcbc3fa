package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	heading   = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInLink = regexp.MustCompile(`[^a-z0-9 _-]`)
	fence     = regexp.MustCompile("(?s)```.*?```")
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	call      = regexp.MustCompile("(?:^|`)(?:bin/)?freshet ([a-z]+)((?:[ ]+[^\\s`|#]+)*)")
	code      = regexp.MustCompile("`[^`\n]+`|(?s)```sh\n.*?```")
)

// anchors are the names by which the sections of a page are linked to.
func anchors(page string) map[string]bool {
	found := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
		name := notInLink.ReplaceAllString(strings.ToLower(m[1]), "")
		found[strings.ReplaceAll(name, " ", "-")] = true
	}
	return found
}

var pages = []string{"docs/operations.md", "docs/tutorial.md", "docs/failures.md"}

// TestLinks checks that what these pages link to is there.
func TestLinks(t *testing.T) {
	for _, page := range pages {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(read(t, page), ""), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := page
			if target != "" {
				file = filepath.Join(filepath.Dir(page), target)
			}
			if _, err := os.Stat(filepath.Join("..", file)); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			} else if anchor != "" && !anchors(read(t, file))[anchor] {
				t.Errorf("%s links to %s: there is no such section", page, m[1])
			}
		}
	}
}

var (
	failure  = regexp.MustCompile(`(?m)^\| (\d+) \|.*\| (.*) \|$`)
	proof    = regexp.MustCompile(`^([a-z]+) .*`)
	testName = regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
)

// TestFailuresAreProven checks that the tests that the table of failures names
// are there, in the packages that it names.
func TestFailuresAreProven(t *testing.T) {
	const page = "docs/failures.md"
	rows := failure.FindAllStringSubmatch(read(t, page), -1)
	if len(rows) != 25 {
		t.Fatalf("%d rows: has the table another form now?", len(rows))
	}
	for i, row := range rows {
		proofs := 0
		for _, part := range strings.Split(row[2], ";") {
			names := testName.FindAllStringSubmatch(part, -1)
			if len(names) == 0 {
				continue
			}
			of := proof.FindStringSubmatch(strings.TrimSpace(part))
			if of == nil {
				t.Errorf("%s, row %s: %s names no package", page, row[1], part)
				continue
			}
			tests := testsOf(t, of[1])
			for _, name := range names {
				proofs++
				if !strings.Contains(tests, "\nfunc "+name[1]+"(") {
					t.Errorf("%s, row %s: package %s has no %s", page, row[1], of[1], name[1])
				}
			}
		}
		if proofs == 0 || row[1] != strconv.Itoa(i+1) {
			t.Errorf("%s, row %d: it is called %s, and names %d tests", page, i+1, row[1], proofs)
		}
	}
}

// testsOf is the text of a package's tests; its name is the last part of its
// path, and may be that of a part of the projector.
func testsOf(t *testing.T, name string) string {
	t.Helper()
	dir := name
	if name == "cmd" {
		dir = "cmd/freshet"
	} else if _, err := os.Stat(filepath.Join("..", "projector", name)); err == nil {
		dir = "projector/" + name
	}
	files, err := filepath.Glob(filepath.Join("..", dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("package %s has no tests: %v", name, err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// TestCommandsInDocs checks that each command and flag in these pages exists.
func TestCommandsInDocs(t *testing.T) {
	calls := 0
	for _, page := range pages {
		for _, text := range code.FindAllString(read(t, page), -1) {
			for _, line := range strings.Split(strings.ReplaceAll(text, "\\\n", " "), "\n") {
				line, _, _ = strings.Cut(line, "  #")
				for _, m := range call.FindAllStringSubmatch(line, -1) {
					calls++
					checkArgs(t, page+": "+m[0], append([]string{m[1]}, strings.Fields(m[2])...))
				}
			}
		}
	}
	if calls < 20 {
		t.Errorf("only %d commands found: have the pages another form now?", calls)
	}
}
