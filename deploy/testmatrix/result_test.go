package main

import (
	"strings"
	"testing"
	"time"
)

const output = `
{"Action":"start","Package":"freshet/a"}
{"Action":"output","Package":"freshet/a","Test":"TestGood/sub","Output":"fine\n"}
{"Action":"pass","Package":"freshet/a","Test":"TestGood/sub"}
{"Action":"pass","Package":"freshet/a","Test":"TestGood"}
{"Action":"output","Package":"freshet/a","Test":"TestBad/sub","Output":"=== RUN   TestBad/sub\n"}
{"Action":"output","Package":"freshet/a","Test":"TestBad/sub","Output":"    x_test.go:1: broken\n"}
{"Action":"fail","Package":"freshet/a","Test":"TestBad/sub"}
{"Action":"fail","Package":"freshet/a","Test":"TestBad"}
{"Action":"output","Package":"freshet/a","Test":"TestNew","Output":"=== RUN   TestNew\n"}
{"Action":"output","Package":"freshet/a","Test":"TestNew","Output":"    x_test.go:2: it came with Postgres 18\n"}
{"Action":"skip","Package":"freshet/a","Test":"TestNew"}
{"Action":"fail","Package":"freshet/a"}
{"Action":"output","Package":"freshet/b","Output":"panic: gone\n"}
{"Action":"fail","Package":"freshet/b"}
{"Action":"skip","Package":"freshet/c"}
`

// Tests are counted, subtests with them; a package that fails outside of a
// test is one failure more; what failed is told with what it printed.
func TestResult(t *testing.T) {
	r := &result{server: server{exact: "17.10"}, took: 3 * time.Second}
	if err := r.read(strings.NewReader(output)); err != nil {
		t.Fatal(err)
	}
	if r.passed != 1 || len(r.failed) != 2 || len(r.skipped) != 1 || r.good() {
		t.Errorf("passed %d, failed %d, skipped %d", r.passed, len(r.failed), len(r.skipped))
	}
	var told strings.Builder
	r.tell(&told)
	table(&told, []*result{r})
	for _, want := range []string{"FAIL freshet/a TestBad\n", "x_test.go:1: broken", "FAIL freshet/b\npanic: gone", "skip freshet/a TestNew: x_test.go:2: it came with Postgres 18", "17.10       1       2        1        3"} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("it does not tell %q:\n%s", want, told.String())
		}
	}
	if err := new(result).read(strings.NewReader("not JSON")); err == nil {
		t.Error("what is no JSON was read")
	}
}

func TestFlags(t *testing.T) {
	f, err := parse([]string{"-versions", "14,17", "-race", "./projector"})
	if err != nil || !wanted(17, f.versions) || wanted(15, f.versions) || !f.race || f.packages[0] != "./projector" {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err = parse([]string{"-versions", "new"}); err == nil {
		t.Error("a version that is no number was taken")
	}
	if f, err = parse(nil); err != nil || !wanted(18, f.versions) || f.packages[0] != "./..." {
		t.Errorf("%+v, %v", f, err)
	}
}
