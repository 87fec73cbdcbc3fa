package main

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/verify"
)

func TestVerify(t *testing.T) {
	url, path := blogDatabase(t)
	args := func(more ...string) []string {
		return append([]string{"verify", "--database-url=" + url, "--model=" + path}, more...)
	}
	p := begin(t, "projector", "--database-url="+url, "--model="+path, "--migrate")
	r := expect(t, exitOK, "Post: 50 documents compared, 0 differ\n", args()...)
	if strings.Contains(r.out, "told") {
		t.Error(r.out)
	}
	var key string
	conn := pgtest.Connect(t, url)
	if err := conn.QueryRow(t.Context(), `UPDATE tv_post SET data = data || '{"title": "spoiled"}' WHERE id = (SELECT id FROM tv_post LIMIT 1) RETURNING id::text`).Scan(&key); err != nil {
		t.Fatal(err)
	}
	r = expect(t, exitFound, "--repair has the projector rebuild", args("--only", "Post", "--key", strings.ToUpper(key))...)
	line := regexp.MustCompile(`(?m)^    ` + key + ` data at \$\.title: stored "spoiled", defined ".+" \(written at \S+, \S+Z; compared at \S+, watermark \S+\)$`)
	if !strings.Contains(r.out, "Post: 1 documents compared, 1 differ\n") || !line.MatchString(r.out) {
		t.Errorf("%s", r.out)
	}
	expect(t, exitOK, "The sample was that of --seed 4", args("--only", "User", "--sample", "5", "--seed", "4")...)

	var index string
	if err := conn.QueryRow(t.Context(), "SELECT min(indexname) FROM pg_indexes WHERE tablename = 'tv_post' AND indexname NOT LIKE '%_pkey'").Scan(&index); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, url, "DROP INDEX "+index)
	r = expect(t, exitFound, "", args("--json", "--repair")...)
	var report verify.Report
	if err := json.Unmarshal([]byte(r.out), &report); err != nil {
		t.Fatalf("%v in %s", err, r.out)
	}
	if report.Differ != 1 || report.Repaired != 1 || len(report.Structure) != 1 || report.Structure[0].Severity != "warning" || report.Interrupted || report.Behind {
		t.Errorf("%s", r.out)
	}
	p.end()
	pgtest.Exec(t, url, "UPDATE freshet.models SET state = 'paused', error = 'a reason', paused_lsn = '0/1' WHERE name = 'User'")
	expect(t, exitFound, "User: paused, not compared: a reason", args("--only", "User")...)
	expect(t, exitFound, "It cannot be told of the read models", args("--only", "User")...)
	expect(t, exitUsage, "--only TYPE", args("--key", key)...)
	expect(t, exitUsage, "exclude each other", args("--only", "Post", "--key", key, "--sample", "3")...)
	expect(t, exitUsage, "keys of Post are of type uuid", args("--only", "Post", "--key", "x")...)
}

// TestVerifyInterrupted says what was compared, and that it is not all.
func TestVerifyInterrupted(t *testing.T) {
	var out strings.Builder
	c := &verifyCmd{}
	report := verify.Report{Interrupted: true, Models: []verify.ModelReport{{Model: "Post", State: verify.Interrupted, Compared: 3000}}}
	err := c.finish(&out, report, context.Canceled)
	if err != context.Canceled || !strings.Contains(out.String(), "Post: 3,000 documents compared, 0 differ; there are more\nInterrupted") {
		t.Errorf("%v %s", err, out.String())
	}
}

// TestProgressOfVerify has the bars end, complete or not.
func TestProgressOfVerify(t *testing.T) {
	var out output
	p := &progress{out: &out, terminal: true}
	p.step("Post", 1000, 2000)
	p.step("Post", 2000, 2000)
	p.step("User", 500, 0)
	done := make(chan struct{})
	go func() { // waited for below
		p.close(false)
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("the bars do not end")
	}
	p = &progress{out: &out, terminal: true}
	p.step("Post", 1000, 2000)
	p.close(true)
}
