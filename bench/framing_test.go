package main

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestClientReadsEveryFraming has answers one after the other on a connection:
// each must end where the next begins.
func TestClientReadsEveryFraming(t *testing.T) {
	answers := strings.Join([]string{
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{\"a\": 1}",
		"HTTP/1.1 200 OK\r\ncontent-length:9\r\nConnection: keep-alive\r\n\r\n{\"b\": 22}",
		"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n{\"c\"\r\n7;x=y\r\n: 3333}\r\n0\r\nX-Trailer: 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nCONTENT-LENGTH: 2\r\n\r\n[]",
	}, "")
	c := &client{conn: discard{}, in: bufio.NewReader(strings.NewReader(answers))}
	for _, want := range []string{`{"a": 1}`, `{"b": 22}`, `{"c": 3333}`, `{}`, `[]`} {
		if err := c.exchange(nil); err != nil {
			t.Fatalf("instead of %s: %v", want, err)
		}
		if string(c.body) != want {
			t.Errorf("read %q, want %q", c.body, want)
		}
	}
}

func TestClientRefusesBrokenFraming(t *testing.T) {
	for name, answer := range map[string]string{
		"no length":         "HTTP/1.1 200 OK\r\nX-Content-Length: 2\r\n\r\n{}",
		"negative length":   "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
		"no number":         "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}",
		"short":             "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
		"no last chunk":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
		"no end of trailer": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n",
		"chunked errors":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"errors\"\r\n0\r\n\r\n",
	} {
		c := &client{conn: discard{}, in: bufio.NewReader(strings.NewReader(answer))}
		if err := c.exchange(nil); err == nil {
			t.Errorf("%s: read %q without an error", name, c.body)
		}
	}
}

// discard is a connection that takes every request.
type discard struct{ net.Conn }

func (discard) Write(b []byte) (int, error) { return len(b), nil }

func TestKeysInTellsOrder(t *testing.T) {
	const a, b = `"0f8fad5b-d9cb-469f-a165-70867728950e"`, `"7c9e6679-7425-40de-944b-e07fc1f90ae7"`
	one, other := keysIn([]byte(`{"id":`+a+`,"x":["t",{"id":`+b+`}]}`)), keysIn([]byte(`{"x":{"id":`+b+`},"id":`+a+`}`))
	if !slices.Equal(one, []string{a, b}) || !slices.Equal(other, []string{b, a}) {
		t.Errorf("found %v and %v", one, other)
	}
}

// TestPeersArePinned wants each package's content pinned and no place named to
// get it from: that is the user's own choice.
func TestPeersArePinned(t *testing.T) {
	files, err := filepath.Glob("peers/*/package-lock.json")
	if err != nil || len(files) < 2 {
		t.Fatalf("lock files %v, %v", files, err)
	}
	for _, file := range files {
		var lock struct {
			Packages map[string]struct{ Resolved, Integrity string }
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &lock); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for name, p := range lock.Packages {
			if name != "" && (p.Resolved != "" || p.Integrity == "") {
				t.Errorf("%s: %s is from %q with integrity %q", file, name, p.Resolved, p.Integrity)
			}
		}
	}
}

func TestNewer(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for _, file := range []string{a, b} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	if err := os.Chtimes(b, now, now.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if !newer(a, b) || newer(b, a) || newer(filepath.Join(dir, "none"), b) || newer(a, filepath.Join(dir, "none")) {
		t.Error("newer says otherwise than the files' times")
	}
}
