package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// from finds a setting among those that config --json prints.
func from(t *testing.T, text, name string) setting {
	t.Helper()
	var all []setting
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	for _, s := range all {
		if s.Name == name {
			return s
		}
	}
	return setting{}
}

func TestConfigShowsOrigins(t *testing.T) {
	file := write(t, "freshet.yaml", "listen: 127.0.0.1:1\nslot: filed\nmodel: filed.graphql\nworkers: 3\n")
	t.Setenv("FRESHET_MODEL", "environment.graphql")
	t.Setenv("FRESHET_SLOT", "environment")
	r := expect(t, exitOK, "", "--config", file, "config", "--json", "run", "--slot=flag", "--migrate")
	for name, want := range map[string]setting{
		"slot":        {Value: "flag", From: "flag"},
		"migrate":     {Value: "true", From: "flag"},
		"model":       {Value: "environment.graphql", From: "environment FRESHET_MODEL"},
		"listen":      {Value: "127.0.0.1:1", From: "file " + file},
		"workers":     {Value: "3", From: "file " + file},
		"publication": {Value: "freshet", From: "default"},
		"patience":    {}, // of another command
	} {
		got := from(t, r.out, name)
		if got.Value != want.Value || got.From != want.From {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	r = expect(t, exitOK, "", "--slot=outer", "--config="+file, "config", "--json")
	if got := from(t, r.out, "slot"); got.Value != "outer" || got.From != "flag" {
		t.Errorf("slot: %+v", got)
	}
	if got := from(t, r.out, "patience"); got.Value != "10s" || got.From != "default" {
		t.Errorf("patience: %+v", got)
	}
	r = expect(t, exitOK, "", "--slot=outer", "--config="+file, "config", "--json", "run")
	if got := from(t, r.out, "slot"); got.Value != "outer" || got.From != "flag" {
		t.Errorf("slot: %+v", got)
	}
	expect(t, exitUsage, "--modle", "config", "run", "--modle=x")
	expect(t, exitUsage, "did you mean slot?", "config", "--config", write(t, "bad.yaml", "slto: x\n"))
}

func TestConfigKeepsSecrets(t *testing.T) {
	for _, url := range []string{
		"postgres://me:s3cret@127.0.0.1:2/x", "host=127.0.0.1 user=me password=s3cret dbname=x", "postgres://me:s3cret%zz@127.0.0.1/db",
		"postgres://me@127.0.0.1/x?password=s3cret", "mysql://me:s3cret@127.0.0.1/db", "postgres://me:12/s3cret@127.0.0.1/db",
	} {
		for _, r := range []result{
			freshet(t, "config", "--database-url", url),
			freshet(t, "config", "--config", write(t, "f.yaml", "database-url: \""+url+"\"\n")),
			func() result { t.Setenv("DATABASE_URL", url); return freshet(t, "config", "--json", "run") }(),
		} {
			if r.code != exitOK || strings.Contains(r.out+r.errors, "s3cret") || !strings.Contains(r.out, "(set, ") {
				t.Errorf("%s: exit code %d:\n%s%s", url, r.code, r.out, r.errors)
			}
		}
	}
	for name, want := range map[string]string{"admin-token": hidden, "admin-token-file": "v", "db-password": hidden, "listen": "v"} {
		if got := shown(name, "v"); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestConfigSchema holds the schema against the flags, of which it knows all
// that a file may have, and no other.
func TestConfigSchema(t *testing.T) {
	r := expect(t, exitOK, "", "config", "--json-schema")
	var s jsonSchema
	if err := json.Unmarshal([]byte(r.out), &s); err != nil {
		t.Fatal(err)
	}
	if s.Additional == nil || *s.Additional {
		t.Error("it takes keys that nobody knows")
	}
	for name, want := range map[string]string{"listen": "string", "cache-bytes": "integer", "migrate": "boolean", "retention": "string", "log-level": "string"} {
		p := s.Properties[name]
		if p == nil || p.Type != want || p.Description == "" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	for _, name := range []string{"config", "version", "limit", "key", "help"} {
		if s.Properties[name] != nil {
			t.Errorf("%s is no key of the file", name)
		}
	}
	if got := s.Properties["log-level"].Enum; len(got) != 4 {
		t.Errorf("levels %v", got)
	}
	d := regexp.MustCompile(s.Properties["retention"].Pattern)
	for text, want := range map[string]bool{"168h": true, "1h30m": true, "1.5s": true, "soon": false, "3": false, "-1h": false} {
		if d.MatchString(text) != want {
			t.Errorf("duration %s: %v", text, !want)
		}
	}
	if got := s.Properties["cache-bytes"].Default; got != float64(67108864) {
		t.Errorf("default %v", got)
	}
}
