package deploy_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// declared finds the metrics in the source of the command: most have no value,
// and are not shown by /metrics, before something has happened.
var declared = regexp.MustCompile(`(?:\b(?:counter|gauge|count)\(|Name: )"([a-z_]+)"`)

// metrics are the names that the binary exports, with the library's own.
func metrics(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{"go_goroutines": true, "process_cpu_seconds_total": true, "process_resident_memory_bytes": true}
	for _, m := range declared.FindAllStringSubmatch(read(t, "cmd/freshet/metrics.go"), -1) {
		names["freshet_"+m[1]] = true
		if strings.HasSuffix(m[1], "_seconds") {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				names["freshet_"+m[1]+suffix] = true
			}
		}
	}
	if len(names) < 20 {
		t.Fatalf("found only %v: has metrics.go another form now?", names)
	}
	return names
}

var metricName = regexp.MustCompile(`\b(?:freshet|go|process)_[a-z_]+\b`)

func checkExpression(t *testing.T, where, expr string, known map[string]bool) {
	t.Helper()
	found := metricName.FindAllString(expr, -1)
	if len(found) == 0 {
		t.Errorf("%s: no metric in %s", where, expr)
	}
	for _, name := range found {
		if !known[name] {
			t.Errorf("%s: there is no metric %s", where, name)
		}
	}
	for _, pair := range []string{"()", "{}", "[]"} {
		if strings.Count(expr, pair[:1]) != strings.Count(expr, pair[1:]) {
			t.Errorf("%s: unbalanced %s in %s", where, pair, expr)
		}
	}
}

// TestAlerts checks each alert's metrics and its section of the runbook.
func TestAlerts(t *testing.T) {
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Labels      struct{ Severity string }
				Annotations struct{ Summary, Description, Runbook string }
			}
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "deploy/prometheus/alerts.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	known, sections := metrics(t), anchors(read(t, "docs/operations.md"))
	alerts := 0
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			alerts++
			checkExpression(t, r.Alert, r.Expr, known)
			page, anchor, _ := strings.Cut(r.Annotations.Runbook, "#")
			if page != "docs/operations.md" || !sections[anchor] || anchor != strings.ToLower(r.Alert) {
				t.Errorf("%s: the runbook has no section %s", r.Alert, r.Annotations.Runbook)
			}
			if r.Labels.Severity == "" || r.Annotations.Summary == "" || r.Annotations.Description == "" {
				t.Errorf("%s: severity, summary or description is missing", r.Alert)
			}
		}
	}
	if alerts == 0 {
		t.Error("no alert")
	}
}

// TestDashboard checks the panels' metrics.
func TestDashboard(t *testing.T) {
	var board struct {
		Title, UID string
		Panels     []struct {
			ID          int
			Type, Title string
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "deploy/grafana/freshet.json")), &board); err != nil {
		t.Fatal(err)
	}
	known, ids, used := metrics(t), map[int]bool{}, ""
	for _, p := range board.Panels {
		if ids[p.ID] {
			t.Errorf("%s: its id %d is there twice", p.Title, p.ID)
		}
		ids[p.ID] = true
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s: it asks for nothing", p.Title)
		}
		for _, target := range p.Targets {
			checkExpression(t, p.Title, target.Expr, known)
			used += target.Expr
		}
	}
	for name := range known {
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		if !strings.Contains(used, base) {
			t.Errorf("no panel shows %s", name)
		}
	}
}
