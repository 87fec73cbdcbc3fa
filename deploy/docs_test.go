package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
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

var pages = []string{"docs/operations.md", "docs/tutorial.md"}

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
