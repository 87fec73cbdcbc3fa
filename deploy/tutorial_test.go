package deploy_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"freshet/deploy/pgserver/pgtest"
)

// shop is as much of Northwind as the tutorial's model reads.
const shop = `
CREATE TABLE customers (customer_id varchar(5) PRIMARY KEY, company_name varchar(40) NOT NULL, country varchar(15));
CREATE TABLE orders (order_id smallint PRIMARY KEY, customer_id varchar(5) REFERENCES customers, order_date date, shipped_date date, freight real);
INSERT INTO customers VALUES ('ALFKI', 'Alfreds Futterkiste', 'Germany');
INSERT INTO orders SELECT 11000 + i, 'ALFKI', date '1998-04-01' + i, NULL, i FROM generate_series(1, 6) i;`

var (
	block    = regexp.MustCompile("(?s)```(graphql|sh)\n(.*?)```")
	database = regexp.MustCompile(`postgres://localhost/shop`)
)

// TestTutorial does what the tutorial says, command by command: each block of
// it is a script, but that which serves runs beside the others.
func TestTutorial(t *testing.T) {
	url, dir := pgtest.Database(t), t.TempDir()
	pgtest.Exec(t, url, shop)
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(built(t), filepath.Join(dir, "bin", "freshet")); err != nil {
		t.Fatal(err)
	}
	s := &session{t: t, dir: dir, url: url}
	for _, b := range block.FindAllStringSubmatch(read(t, "docs/tutorial.md"), -1) {
		s.step(b[1], b[2])
	}
	for _, want := range []string{
		`{"data":{"customer":{"companyName":"Alfreds Futterkiste","orderCount":6,"orders":[{"id":"11006","orderDate":"1998-04-07"}`,
		`"customer":{"companyName":"Alfreds Futterkiste GmbH"}`,
		"Order: 6 documents compared, 0 differ",
		"drop schema freshet",
	} {
		if !strings.Contains(s.said.String(), want) {
			t.Errorf("the tutorial's commands did not say %q, but:\n%s", want, &s.said)
		}
	}
}

// session is somebody who follows the tutorial.
type session struct {
	t        *testing.T
	dir, url string
	said     strings.Builder
	graphql  string // where it is served, once it is
	stop     func()
}

func (s *session) step(language, text string) {
	s.t.Helper()
	switch {
	case language == "graphql":
		if err := os.WriteFile(filepath.Join(s.dir, "model.graphql"), []byte(text), 0o644); err != nil {
			s.t.Fatal(err)
		}
	case strings.HasPrefix(text, "make "): // built has done it
	case strings.Contains(text, "freshet run"):
		s.serve(text)
	case strings.Contains(text, "freshet destroy"):
		s.stop()
		s.run(strings.ReplaceAll(text, "destroy", "destroy --yes"))
	default:
		s.run(text)
	}
}

func (s *session) run(text string) {
	s.t.Helper()
	text = database.ReplaceAllString(text, s.url)
	if s.graphql != "" { // what was changed a moment ago shall show
		text = strings.ReplaceAll(text, "http://127.0.0.1:8080/graphql", s.graphql+" -s -H 'Freshet-Consistency: strong'")
	}
	out, err := s.command(text).CombinedOutput()
	s.said.Write(out)
	if err != nil && !strings.Contains(text, "freshet check") { // which has found something
		s.t.Fatalf("%s: %v\n%s", text, err, out)
	}
}

func (s *session) command(text string) *exec.Cmd {
	c := exec.Command("bash", "-c", text)
	c.Dir, c.Env = s.dir, append(os.Environ(), "DATABASE_URL="+s.url)
	return c
}

var served = regexp.MustCompile(`http://[0-9.:]+/graphql`)

// serve starts what serves, on free ports, and waits until it streams.
func (s *session) serve(text string) {
	s.t.Helper()
	log := filepath.Join(s.dir, "log")
	c := s.command("exec " + strings.TrimSpace(text) + " --listen 127.0.0.1:0 --admin 127.0.0.1:0 2>" + log)
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	s.stop = func() {
		_ = c.Process.Signal(os.Interrupt) // it may have ended
		if err := <-ended; err != nil {
			s.t.Errorf("%s: %v", text, err)
		}
		s.stop = func() {}
	}
	s.t.Cleanup(func() { s.stop() })
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		written, _ := os.ReadFile(log) // not there yet: nothing is written
		if strings.Contains(string(written), "projector streaming") {
			s.graphql = served.FindString(string(written))
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	written, _ := os.ReadFile(log)
	s.t.Fatalf("%s: it does not stream:\n%s", text, written)
}
