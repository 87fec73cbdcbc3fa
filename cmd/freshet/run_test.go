package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"freshet/deploy/pgserver/pgtest"
	"freshet/examples/blog"
)

// process is a command under way.
type process struct {
	t          *testing.T
	stop       context.CancelFunc
	done       chan int
	out, errs  *output
	addr       map[string]string
	stopped    bool
	finalState int
}

// begin starts a command that serves, on free ports, and waits until it is
// ready. It is stopped at the test's end.
func begin(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, done: make(chan int, 1), out: &output{}, errs: &output{}, addr: map[string]string{}}
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	m := program(p.out, p.errs)
	addrs := make(chan [2]string, 2)
	m.Listening = func(name, addr string) { addrs <- [2]string{name, addr} }
	args = append(args, "--admin", "127.0.0.1:0")
	if args[0] != "projector" && args[0] != "demo" {
		args = append(args, "--wait-timeout=20s") // what is tested is right answers, on a machine as busy as may be
	}
	go func() { p.done <- m.Run(ctx, args) }()
	t.Cleanup(func() { p.end() })
	p.await(addrs)
	return p
}

func (p *process) await(addrs <-chan [2]string) {
	p.t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		select {
		case a := <-addrs:
			p.addr[a[0]] = a[1]
		case code := <-p.done:
			p.done <- code
			p.t.Fatalf("it ended with %d:\n%s", code, p.errs)
		case <-deadline:
			p.t.Fatalf("it is not ready:\n%s", p.errs)
		case <-time.After(10 * time.Millisecond):
			if p.addr["admin"] != "" && statusCode(p.addr["admin"], "/readyz") == http.StatusOK {
				return
			}
		}
	}
}

// end stops the command as Ctrl-C does, and returns its exit code.
func (p *process) end() int {
	p.stop()
	return p.wait()
}

// wait waits for the end, and returns the exit code.
func (p *process) wait() int {
	if !p.stopped {
		p.stopped = true
		select {
		case p.finalState = <-p.done:
		case <-time.After(30 * time.Second):
			p.t.Errorf("it did not end:\n%s", p.errs)
		}
		http.DefaultClient.CloseIdleConnections()
	}
	return p.finalState
}

func statusCode(addr, path string) int {
	res, err := http.Get("http://" + addr + path)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

func get(t *testing.T, addr, path, accept string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v:\n%s", path, res.Status, err, body)
	}
	return string(body)
}

// ask posts a GraphQL query that must see everything committed before.
func ask(t *testing.T, addr, query string) string {
	t.Helper()
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/graphql", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Freshet-Consistency", "strong")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(answer))
}

// blogDatabase is a small blog, and the path of its model file.
func blogDatabase(t *testing.T) (url, path string) {
	t.Helper()
	url = pgtest.Database(t)
	pgtest.Exec(t, url, blog.Schema)
	if err := blog.Load(t.Context(), pgtest.Connect(t, url), blog.Size{Users: 20, Posts: 50, Comments: 200}, 1); err != nil {
		t.Fatal(err)
	}
	return url, write(t, "model.graphql", blog.Model)
}

const ann = "00000000-0000-4000-8000-00000000000a"

func TestRunEndToEnd(t *testing.T) {
	url, path := blogDatabase(t)
	database, file := "--database-url="+url, "--model="+path

	if r := freshet(t, "run", database, file, "--admin", "127.0.0.1:0", "--listen", "127.0.0.1:0"); r.code != exitFound || !strings.Contains(r.errors, "freshet migrate") {
		t.Errorf("run before migrate: exit code %d:\n%s", r.code, r.errors)
	}
	p := begin(t, "run", database, file, "--migrate", "--listen", "127.0.0.1:0")

	pgtest.Exec(t, url, fmt.Sprintf("INSERT INTO tb_user (id, username, full_name) VALUES ('%s', 'ann', 'Ann Onymous')", ann))
	pgtest.Exec(t, url, fmt.Sprintf("INSERT INTO tb_post (author_id, title, content) VALUES ('%s', 'First', 'Hello')", ann))
	got := ask(t, p.addr["graphql"], `{ userByUsername(username: "ann") { fullName postCount posts { title } } }`)
	if want := `{"data":{"userByUsername":{"fullName":"Ann Onymous","postCount":1,"posts":[{"title":"First"}]}}}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	pgtest.Exec(t, url, "DELETE FROM tb_user WHERE username = 'ann'")
	if got := ask(t, p.addr["graphql"], `{ userByUsername(username: "ann") { fullName } }`); got != `{"data":{"userByUsername":null}}` {
		t.Errorf("after the delete: %s", got)
	}
	checkAdmin(t, p.addr["admin"])
	checkCommands(t, database, file)
	if code := p.end(); code != exitOK {
		t.Errorf("exit code %d:\n%s", code, p.errs)
	}
	checkStopped(t, database)
}

func checkAdmin(t *testing.T, addr string) {
	t.Helper()
	if got := statusCode(addr, "/healthz"); got != http.StatusOK {
		t.Errorf("/healthz: %d", got)
	}
	var s processStatus
	if err := json.Unmarshal([]byte(get(t, addr, "/status", "*/*")), &s); err != nil {
		t.Fatal(err)
	}
	if !s.Ready || s.Projector == nil || s.Projector.State != "streaming" || s.API == nil || !s.API.Feed.Connected {
		t.Errorf("/status: %+v", s)
	}
	if page := get(t, addr, "/status", "text/html,*/*"); !strings.Contains(page, "Freshet is ready") {
		t.Errorf("the page:\n%s", page)
	}
	metrics := get(t, addr, "/metrics", "*/*")
	for _, want := range []string{"freshet_streaming 1", "freshet_transactions_total ", `freshet_documents_total{outcome="deleted"} `, "freshet_cache_hits_total", "freshet_request_seconds_count"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("/metrics has no %s", want)
		}
	}
}

func checkCommands(t *testing.T, database, file string) {
	t.Helper()
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"check", database, file}, "0 errors"},
		{[]string{"migrate", database, file}, "Nothing to do"},
		{[]string{"verify", database, file}, "Post: 50 documents compared, 0 differ"},
		{[]string{"verify", database, file, "--only", "User", "--json"}, `"differ": 0`},
		{[]string{"status", database}, "read by process"},
		{[]string{"status", database, "--json"}, `"watermark"`},
		{[]string{"log", database, "--model", "User"}, ann},
		{[]string{"log", database, "--key", ann, "--json", "--limit", "1"}, `"deletedKeys":["` + ann + `"]`},
		{[]string{"log", database, "--failed"}, "OPERATION"},
	} {
		r := freshet(t, c.args...)
		if r.code != exitOK || !strings.Contains(r.out, c.says) && !(c.says == "0 errors" && strings.Contains(r.out, "Nothing would")) {
			t.Errorf("freshet %s: exit code %d, no %q in:\n%s%s", c.args[0], r.code, c.says, r.out, r.errors)
		}
	}
}

func checkStopped(t *testing.T, database string) {
	t.Helper()
	if r := freshet(t, "status", database); r.code != exitOK || !strings.Contains(r.out, "nobody reads it") {
		t.Errorf("status after the end: exit code %d:\n%s%s", r.code, r.out, r.errors)
	}
}

// TestProjectorAndAPIApart runs the two as separate processes do, and a
// document that somebody spoils is found and repaired.
func TestProjectorAndAPIApart(t *testing.T) {
	url, path := blogDatabase(t)
	database, file := "--database-url="+url, "--model="+path
	if r := freshet(t, "api", database, file, "--listen", "127.0.0.1:0"); r.code != exitFound || !strings.Contains(r.errors, "no Freshet tables") {
		t.Errorf("api before migrate: exit code %d:\n%s", r.code, r.errors)
	}
	if r := freshet(t, "migrate", database, file); r.code != exitOK || !strings.Contains(r.out, "tv_post") || !strings.Contains(r.out, "Nothing was changed") {
		t.Errorf("migrate: exit code %d:\n%s%s", r.code, r.out, r.errors)
	}
	if r := freshet(t, "migrate", database, file, "--apply"); r.code != exitOK || !strings.Contains(r.out, "done: ") {
		t.Errorf("migrate --apply: exit code %d:\n%s%s", r.code, r.out, r.errors)
	}
	projector := begin(t, "projector", database, file)
	api := begin(t, "api", database, file, "--listen", "127.0.0.1:0")
	pgtest.Exec(t, url, "UPDATE tb_user SET full_name = 'Renamed'")
	got := ask(t, api.addr["graphql"], `{ users(first: 1) { nodes { fullName } } }`)
	if want := `{"data":{"users":{"nodes":[{"fullName":"Renamed"}]}}}`; got != want {
		t.Errorf("got %s", got)
	}

	pgtest.Exec(t, url, "UPDATE tv_user SET data = data || '{\"fullName\": \"Spoiled\"}' WHERE id = (SELECT min(id::text)::uuid FROM tv_user)")
	if r := freshet(t, "verify", database, file, "--repair"); r.code != exitFound || !strings.Contains(r.out, "Spoiled") {
		t.Errorf("verify: exit code %d:\n%s%s", r.code, r.out, r.errors)
	}
	repaired := false
	for deadline := time.Now().Add(20 * time.Second); !repaired && time.Now().Before(deadline); {
		repaired = freshet(t, "verify", database, file).code == exitOK
	}
	if !repaired {
		t.Error("the projector did not repair the document")
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil { // both hear it
		t.Fatal(err)
	}
	if code := api.wait(); code != exitOK {
		t.Errorf("api: exit code %d:\n%s", code, api.errs)
	}
	if code := projector.wait(); code != exitOK {
		t.Errorf("projector: exit code %d:\n%s", code, projector.errs)
	}
}

// TestPortTaken finds out before anything is started.
func TestPortTaken(t *testing.T) {
	url, path := blogDatabase(t)
	taken := silent(t)
	r := freshet(t, "run", "--migrate", "--database-url", url, "--model", path, "--admin", taken)
	if r.code != exitFound || !strings.Contains(r.errors, "cannot listen on "+taken) || !strings.Contains(r.errors, "--admin") {
		t.Errorf("exit code %d:\n%s", r.code, r.errors)
	}
}

func TestDemoLeavesNothingBehind(t *testing.T) {
	tmp, err := os.MkdirTemp("/tmp", "freshet-demo-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(tmp) })
	if err := os.Chmod(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", tmp)
	r := freshet(t, "demo", "--users", "50", "--posts", "200", "--comments", "1000", "--rate", "50", "--for", "3500ms",
		"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	http.DefaultClient.CloseIdleConnections()
	if r.code != exitOK || r.errors != "" {
		t.Errorf("exit code %d:\n%s", r.code, r.errors)
	}
	for _, want := range []string{"/graphql", "userByUsername(username: ", "commits/s", "p99 ", "cache hits"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in:\n%s", want, r.out)
		}
	}
	port := regexp.MustCompile(`throwaway Postgres \.\.\. port (\d+)`).FindStringSubmatch(r.out)
	if port == nil {
		t.Fatalf("no port in:\n%s", r.out)
	}
	if conn, err := net.Dial("tcp", "127.0.0.1:"+port[1]); err == nil {
		conn.Close()
		t.Error("its Postgres is still there")
	}
	left, err := filepath.Glob(filepath.Join(tmp, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
