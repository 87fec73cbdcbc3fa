package deploy_test

import (
	"debug/elf"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// TestDockerfile checks that the binary is static, and that the image runs it
// as nobody, with variables that it goes by.
func TestDockerfile(t *testing.T) {
	path := built(t)
	if out, err := exec.Command(path, "--version").Output(); err != nil || string(out) != "freshet shipped\n" {
		t.Errorf("--version: %q, %v", out, err)
	}
	if runtime.GOOS == "linux" {
		checkStatic(t, path)
	}
	text := read(t, "deploy/container/Dockerfile")
	_, final, ok := strings.Cut(text, "\nFROM scratch\n")
	if !ok {
		t.Fatal("the image is not made from scratch")
	}
	user := regexp.MustCompile(`(?m)^USER (\d+):\d+$`).FindStringSubmatch(final)
	if user == nil || user[1] == "0" {
		t.Errorf("USER %v: Kubernetes' runAsNonRoot wants a number that is not 0", user)
	}
	for _, name := range regexp.MustCompile(`FRESHET_[A-Z_]+`).FindAllString(final, -1) {
		checkEnv(t, "Dockerfile", "run", name)
	}
	if m := regexp.MustCompile(`(?m)^HEALTHCHECK .*CMD \["/freshet", "([^]]*)"\]`).FindStringSubmatch(final); m != nil {
		checkArgs(t, "Dockerfile: HEALTHCHECK", strings.Split(m[1], `", "`))
	}
	checkSameGo(t, text)
}

func checkStatic(t *testing.T, path string) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the binary needs a dynamic linker: an empty image has none")
		}
	}
}

// checkSameGo compares the builder's Go with that of go.mod.
func checkSameGo(t *testing.T, dockerfile string) {
	t.Helper()
	builder := regexp.MustCompile(`(?m)^FROM golang:(\d+\.\d+)`).FindStringSubmatch(dockerfile)
	module := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "go.mod"))
	if builder == nil || module == nil || builder[1] != module[1] {
		t.Errorf("the builder is Go %v, go.mod says %v", builder, module)
	}
}

// TestSystemd checks the unit's command and the keys of its settings file.
func TestSystemd(t *testing.T) {
	unit := read(t, "deploy/systemd/freshet.service")
	start := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/freshet (.*)$`).FindStringSubmatch(unit)
	if start == nil {
		t.Fatal("the unit has no ExecStart=/usr/local/bin/freshet")
	}
	args := strings.Fields(start[1])
	checkArgs(t, "freshet.service", args)
	for _, want := range []string{"DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=\n", "LoadCredential=freshet.yaml:"} {
		if !strings.Contains(unit, want) {
			t.Errorf("the unit lacks %s", want)
		}
	}
	var settings map[string]string
	if err := yaml.Unmarshal([]byte(read(t, "deploy/systemd/freshet.yaml")), &settings); err != nil {
		t.Fatal(err)
	}
	for key := range settings {
		if !takes(t, args[0], "--"+key) {
			t.Errorf("freshet.yaml: freshet %s has no flag --%s", args[0], key)
		}
	}
}
