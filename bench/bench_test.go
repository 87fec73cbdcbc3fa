package main

import (
	"bytes"
	"context"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestParseNamesWhatThereIs(t *testing.T) {
	var out bytes.Buffer
	if _, err := parse([]string{"-only", "rebuild,speed"}, &out); err == nil || !strings.Contains(out.String(), `no measurement "speed"; there are rebuild,`) {
		t.Errorf("error %v: %s", err, out.String())
	}
	o, err := parse([]string{"-only", "api, rebuild", "-json", ""}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	some, err := o.chosen()
	if err != nil || len(some) != 2 || some[0].name != "api" || some[1].name != "rebuild" {
		t.Errorf("chosen %v, %v", some, err)
	}
}

func TestReport(t *testing.T) {
	var r report
	r.add(row{Name: "slow", Unit: "/s", Value: 50, Baseline: 100, Against: "that"}, ratioAtLeast(0.6))
	r.add(row{Name: "small", Unit: "MB", Value: 50}, valueAtMost(200))
	r.add(row{Name: "free", Unit: "ms", Value: 3}, nothing)
	for i, want := range []string{"NO", "yes", ""} {
		if got := holds(r.Rows[i].Holds); got != want {
			t.Errorf("%s: holds %q, want %q", r.Rows[i].Name, got, want)
		}
	}
	var out bytes.Buffer
	if err := r.write(&out, ""); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"slow", "0.50", "ratio ≥ 0.6", "≤ 200 MB"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, out.String())
		}
	}
}

func TestLoadAgainstBareHandler(t *testing.T) {
	server := httptest.NewServer(bare{Answers: [][]byte{[]byte(`{"data":1}`), []byte(`{"data":22}`)}}.constant())
	defer server.Close()
	address := server.Listener.Addr().String()
	l := load{Address: address, Connections: 3, For: 100 * time.Millisecond, Requests: [][]byte{graphRequest(address, "a"), graphRequest(address, "b")}}
	a, err := l.run(t.Context())
	if err != nil || a.Count == 0 || a.Bytes < int64(10*a.Count) || a.P99 < a.P50 {
		t.Errorf("%+v, %v", a, err)
	}
	l.Once, l.Requests = true, slicesOf(l.Requests[0], 100)
	if a, err = l.run(t.Context()); err != nil || a.Count != 100 {
		t.Errorf("once: %+v, %v", a, err)
	}
}

func TestLoadEndsAtErrors(t *testing.T) {
	server := httptest.NewServer(bare{Answers: [][]byte{[]byte(`{"errors":[{"message":"no such post"}]}`)}}.constant())
	defer server.Close()
	l := load{Address: server.Listener.Addr().String(), Connections: 2, For: time.Minute, Requests: [][]byte{graphRequest("x", "a")}}
	if _, err := l.run(t.Context()); err == nil || !strings.Contains(err.Error(), "no such post") {
		t.Errorf("error %v", err)
	}
}

// TestRun keeps the benchmark from rotting. Its figures mean nothing.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var out, log bytes.Buffer
	o := options{only: "rebuild,backfill", scale: 0.02, seconds: 1, rounds: 1}
	if err := bench(ctx, o, &out, &log); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	for _, want := range []string{"rebuild of posts", "backfill of posts"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, out.String())
		}
	}
}

func slicesOf(b []byte, n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = b
	}
	return all
}

func TestLoadAtARate(t *testing.T) {
	server := httptest.NewServer(bare{Answers: [][]byte{[]byte(`{"data":1}`)}}.constant())
	defer server.Close()
	address := server.Listener.Addr().String()
	l := load{Address: address, Connections: 4, For: 200 * time.Millisecond, Rate: 100, Requests: [][]byte{graphRequest(address, "a")}}
	a, err := l.run(t.Context())
	if err != nil || a.Count == 0 || a.Count > 20+l.Connections {
		t.Errorf("%d requests in 0.2 s at 100/s, %v", a.Count, err)
	}
}
