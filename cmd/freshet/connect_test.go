package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"freshet/deploy/pgserver/pgtest"
)

// passwords makes a server ask everyone but postgres for a password.
const passwords = `
host all postgres 127.0.0.1/32 trust
host all barred   127.0.0.1/32 reject
host all all      127.0.0.1/32 scram-sha-256
`

// TestConnectionFaults has every way in which a connection fails explained,
// with a remedy, and without the password.
func TestConnectionFaults(t *testing.T) {
	s := pgtest.Start(t, map[string]string{"password_encryption": "scram-sha-256"})
	pgtest.Exec(t, s.URL("postgres"), "CREATE ROLE app LOGIN PASSWORD 'right'; CREATE ROLE barred LOGIN PASSWORD 'right'")
	if err := os.WriteFile(filepath.Join(s.Dir(), "data", "pg_hba.conf"), []byte(passwords), 0o600); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, s.URL("postgres"), "SELECT pg_reload_conf()")
	as := func(user, rest string) string {
		return strings.Replace(s.URL("postgres"), "postgres@", user+"@", 1) + rest
	}
	for _, c := range []struct {
		name, url string
		says      []string
	}{
		{"wrong password", as("app:s3cret", ""), []string{"the password is wrong", "%40"}},
		{"no password", as("app", ""), []string{"asks for a password", "PGPASSWORD"}},
		{"no such user", as("nobody:s3cret", ""), []string{"as nobody", "--database-url"}},
		{"not let in", as("barred:s3cret", ""), []string{"pg_hba.conf"}},
		{"no such database", strings.Replace(as("app:right", ""), "/postgres?", "/atlantis?", 1), []string{`no database "atlantis"`, "createdb atlantis"}},
		{"no TLS", as("app:s3cret", "&sslmode=require"), []string{"does not speak TLS", "sslmode=disable"}},
		{"nobody listens", "postgres://app:s3cret@127.0.0.1:1/db", []string{"nothing listens", "127.0.0.1:1", "start Postgres"}},
		{"no such host", "postgres://app:s3cret@nowhere.invalid/db", []string{"no host of that name"}},
		{"no socket", "host=/nowhere user=app password=s3cret", []string{"no socket there", "/nowhere"}},
		{"no answer", "postgres://app:s3cret@" + silent(t) + "/db?connect_timeout=1", []string{"does not answer", "firewall"}},
		{"not installed", as("app:right", ""), []string{"no Freshet tables", "freshet migrate --apply"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("PGPASSWORD", "")
			r := freshet(t, "status", "--database-url", c.url)
			if r.code != exitFound {
				t.Errorf("exit code %d", r.code)
			}
			for _, want := range c.says {
				if !strings.Contains(r.errors, want) {
					t.Errorf("it does not say %q:\n%s", want, r.errors)
				}
			}
			if strings.Contains(r.errors+r.out, "s3cret") {
				t.Errorf("the password is in:\n%s", r.errors)
			}
		})
	}
}

// silent is an address that takes connections and never says a word.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}
