package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector"
	"freshet/projector/status"
)

// strictSchema is the published schema with nothing allowed beside what it
// names: a new field must be described.
func strictSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := pageFiles.ReadFile("statuspage/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	closeObjects(doc)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("status.json", doc); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("status.json")
}

func closeObjects(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v["properties"].(map[string]any); ok && v["type"] != nil {
			v["additionalProperties"] = false
		}
		for _, part := range v {
			closeObjects(part)
		}
	case []any:
		for _, part := range v {
			closeObjects(part)
		}
	}
}

func validate(t *testing.T, schema *jsonschema.Schema, text string) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err == nil {
		err = schema.Validate(v)
	}
	if err != nil {
		t.Errorf("%v\nin %s", err, text)
	}
}

// TestStatusEndToEnd looks at a real process as a program, a browser and a
// stream do.
func TestStatusEndToEnd(t *testing.T) {
	url, path := blogDatabase(t)
	p := begin(t, "run", "--database-url="+url, "--model="+path, "--migrate", "--listen", "127.0.0.1:0")
	pgtest.Exec(t, url, `UPDATE tb_user SET full_name = 'Renamed';
INSERT INTO freshet.pending (model, key, reason, error, since_lsn, next_try_at) VALUES ('Post', '<script>', 'quarantine', '<b>bad</b>', '0/1', now() + interval '1 hour')`)
	ask(t, p.addr["graphql"], `{ users(first: 1) { nodes { fullName } } }`) // strong: the change is there
	schema, admin := strictSchema(t), p.addr["admin"]

	body := get(t, admin, "/status?model=User", "*/*")
	validate(t, schema, body)
	var s processStatus
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Log) == 0 || slices.ContainsFunc(s.Log, func(r logRow) bool { return r.Model != "User" }) {
		t.Errorf("the log of User: %+v", s.Log)
	}
	if !s.Database.Reachable || s.Database.State == nil || len(s.Database.State.Models) != 3 || s.Lag.Bytes == nil {
		t.Errorf("the database: %+v, lag %+v", s.Database, s.Lag)
	}
	if s.Summary.Word != "Streaming" || s.Summary.Level != levelWarn || len(s.Summary.Notes) != 1 || !strings.Contains(s.Summary.Notes[0], "1 document could not be built") {
		t.Errorf("the summary: %+v", s.Summary)
	}
	validate(t, schema, get(t, admin, "/status?failed=true", "application/json"))
	if page := get(t, admin, "/status", "text/html"); !strings.Contains(page, ">Streaming</h1>") {
		t.Errorf("the page:\n%s", page)
	}

	events := listenTo(t, "http://"+admin+"/status/events")
	first, second := events.next(t), events.next(t)
	for _, e := range []event{first, second} {
		if e.kind != "status" {
			t.Fatalf("event %s", e.kind)
		}
		validate(t, schema, e.data)
	}
	p.stop()
	for e := second; e.kind != "bye"; {
		e = events.next(t)
	}
	began := time.Now()
	if code := p.wait(); code != exitOK || time.Since(began) > grace/2-time.Second {
		t.Errorf("exit code %d after %s: a stream held up the end:\n%s", code, time.Since(began), p.errs)
	}
}

type event struct{ kind, data string }

type eventReader struct{ scan *bufio.Scanner }

func listenTo(t *testing.T, url string) *eventReader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if ct := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || ct != "text/event-stream" {
		t.Fatalf("%s, %s", res.Status, ct)
	}
	scan := bufio.NewScanner(res.Body)
	scan.Buffer(nil, 4<<20)
	return &eventReader{scan}
}

func (r *eventReader) next(t *testing.T) (e event) {
	t.Helper()
	for r.scan.Scan() {
		key, value, _ := strings.Cut(r.scan.Text(), ": ")
		switch key {
		case "event":
			e.kind = value
		case "data":
			e.data = value
		case "":
			return e
		}
	}
	t.Fatalf("the stream ended: %v", r.scan.Err())
	return e
}

var reference = regexp.MustCompile(`(?i)(?:src|href|action|url\()\s*=?\s*["']?([^"'\s>)]+)`)

// TestStatusPageIsLocal: nothing is loaded from elsewhere, nothing is inline,
// and what is referred to is served.
func TestStatusPageIsLocal(t *testing.T) {
	s := looked(t, &fakeSource{})
	admin := s.URL
	page := fetched(t, admin+"/status", "text/html")
	for _, m := range reference.FindAllStringSubmatch(page.body, -1) {
		ref := m[1]
		if strings.HasPrefix(ref, "#") {
			continue
		}
		if strings.Contains(ref, "//") || strings.HasPrefix(ref, "data:") {
			t.Errorf("the page refers to %s", ref)
			continue
		}
		if ref != "metrics" {
			fetched(t, admin+"/"+ref, "*/*")
		}
	}
	if regexp.MustCompile(`(?i)<style|style=|\son\w+=|<script(?:>|\s[^>]*>[^<])`).MatchString(page.body) {
		t.Error("the page has script or style within")
	}
	if csp := page.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("its policy: %s", csp)
	}
	for _, a := range pageAssets {
		body, _ := pageFiles.ReadFile(a.file)
		text := strings.ReplaceAll(string(body), "http://www.w3.org/2000/svg", "")
		text = strings.ReplaceAll(text, "https://json-schema.org/draft/2020-12/schema", "")
		if strings.Contains(text, "://") || strings.Contains(text, "@import") {
			t.Errorf("%s refers to elsewhere", a.file)
		}
		for _, risky := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"} {
			if strings.Contains(text, risky) {
				t.Errorf("%s has %s", a.file, risky)
			}
		}
	}
}

// fakeSource is a database that a test rules.
type fakeSource struct {
	mu    sync.Mutex
	fault error
	hang  bool
	reads atomic.Int64
}

func (f *fakeSource) set(fault error, hang bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.hang = fault, hang
}

func (f *fakeSource) read(ctx context.Context, filters []logFilter) (reading, error) {
	f.reads.Add(1)
	f.mu.Lock()
	fault, hang := f.fault, f.hang
	f.mu.Unlock()
	if hang {
		<-ctx.Done()
		return reading{}, ctx.Err()
	}
	status := "reserved"
	r := reading{log: map[logFilter][]logRow{}, state: aDatabase(&status)}
	for _, want := range filters {
		r.log[want] = []logRow{}
	}
	return r, fault
}

func (f *fakeSource) close() {}

func aDatabase(wal *string) status.Database {
	return status.Database{Now: time.Now(), WriteLSN: "0/20", Slot: status.Slot{Name: "freshet", Exists: true, Active: true, WALStatus: wal},
		Checkpoint: &status.Checkpoint{State: "streaming", AppliedLSN: "0/20", Watermark: "0/20", Complete: "0/20", UpdatedAt: time.Now()}}
}

// looked serves the status of a process that runs neither projector nor API.
func looked(t *testing.T, src source) *httptest.Server {
	t.Helper()
	s := &service{started: time.Now(), metrics: newMetrics(), board: newBoard()}
	s.board.source = src
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended <- s.adminPart(l).run(ctx) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return &httptest.Server{URL: "http://" + l.Addr().String()}
}

type answer struct {
	body   string
	header http.Header
}

func fetched(t *testing.T, url, accept string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
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
		t.Fatalf("%s: %s, %v: %s", url, res.Status, err, body)
	}
	return answer{string(body), res.Header}
}

// TestStatusDatabaseDown keeps the last known values, with their age, says so
// in words, and comes back.
func TestStatusDatabaseDown(t *testing.T) {
	src, schema := &fakeSource{}, strictSchema(t)
	server := looked(t, src)
	at := func() (s processStatus) {
		body := fetched(t, server.URL+"/status", "*/*").body
		validate(t, schema, body)
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	until := func(what string, ok func(processStatus) bool) processStatus {
		for deadline := time.Now().Add(15 * time.Second); ; {
			s := at()
			if ok(s) {
				return s
			}
			if time.Now().After(deadline) {
				t.Fatalf("never %s: %+v", what, s)
			}
		}
	}
	until("read", func(s processStatus) bool { return s.Database.Reachable })
	for _, c := range []struct {
		fault error
		hang  bool
		says  string
	}{{errors.New("the server is gone"), false, "the server is gone"}, {nil, true, "no answer within 2s"}} {
		src.set(c.fault, c.hang)
		s := until("down", func(s processStatus) bool { return strings.Contains(s.Database.Error, c.says) })
		if s.Database.Reachable || s.Database.State == nil || s.Database.AgeSeconds == nil || s.Database.State.Slot.Name != "freshet" {
			t.Errorf("the last known: %+v", s.Database)
		}
		if notes := strings.Join(s.Summary.Notes, " "); s.Summary.Level != levelWarn || !strings.Contains(notes, c.says) || !strings.Contains(notes, "old") {
			t.Errorf("it says %+v", s.Summary)
		}
	}
	src.set(nil, false)
	until("back", func(s processStatus) bool { return s.Database.Reachable && s.Database.Error == "" })
}

// TestStatusReadsSeldom: many viewers cost one reading a second, nobody none,
// and there is a limit to viewers.
func TestStatusReadsSeldom(t *testing.T) {
	src := &fakeSource{}
	server := looked(t, src)
	began := time.Now()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	for range maxViewers {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/status/events", nil)
		res, err := http.DefaultClient.Do(req)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(res, err)
		}
		defer res.Body.Close()
		go func() { _, _ = io.Copy(io.Discard, res.Body) }()
	}
	res, err := http.Get(server.URL + "/status/events")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("one viewer too many: %s", res.Status)
	}
	time.Sleep(2500 * time.Millisecond) // a rate is what is tested
	n, most := src.reads.Load(), int64(time.Since(began)/time.Second)+1
	if n < 2 || n > most {
		t.Errorf("%d readings in %s", n, time.Since(began))
	}
	leave()
	time.Sleep(1500 * time.Millisecond) // those asked for already
	n = src.reads.Load()
	time.Sleep(1500 * time.Millisecond)
	if more := src.reads.Load() - n; more != 0 {
		t.Errorf("%d readings with nobody there", more)
	}
}

func TestStatusSummary(t *testing.T) {
	ms := func(v float64) *float64 { return &v }
	with := func(state projector.State, detail string) *processStatus {
		p := &processStatus{Projector: &projectorStatus{Status: projector.Status{State: state, Detail: detail}}}
		p.Database.Reachable = true
		return p
	}
	slot := func(p *processStatus, wal string) *processStatus {
		d := aDatabase(&wal)
		p.Database.State = &d
		return p
	}
	fresh := with(projector.Streaming, "")
	fresh.Freshness.P50MS, fresh.Freshness.P99MS = ms(3.14), ms(42)
	behind := with(projector.Streaming, "")
	behind.Lag.Seconds = ms(75)
	filling := with(projector.Backfilling, "filling 2 read models")
	filling.Projector.Backfill = []backfillProgress{{Model: "A", Documents: 100, Estimate: 100, Done: true}, {Model: "B", Documents: 150, Estimate: 900, SecondsLeft: ms(130)}}
	catching := with(projector.CatchingUp, "")
	bytes := int64(5 << 20)
	catching.Lag = lagStatus{Bytes: &bytes, SecondsLeft: ms(12)}
	large := slot(with(projector.Streaming, ""), "reserved")
	large.Freshness.P50MS, large.Freshness.P99MS = ms(3.14), ms(42)
	large.Database.State.FanOuts = []status.FanOut{{Model: "Post", Path: "author", Documents: 40_000, Changes: 1}, {Model: "Comment", Path: "author", Changes: 1}}
	largeElsewhere := slot(&processStatus{}, "reserved")
	largeElsewhere.Database.State.FanOuts = large.Database.State.FanOuts
	paused := slot(with(projector.Streaming, ""), "reserved")
	paused.Database.State.Models = []status.Model{{Name: "Item", State: "paused", Paused: &status.Paused{Since: time.Now(), Error: "tb_item: the column \"n\" is gone.\nGive it back"}}}
	inPart := slot(with(projector.Streaming, ""), "reserved")
	inPart.Database.State.Models = append(paused.Database.State.Models, status.Model{Name: "Post", State: "ready"})
	for _, c := range []struct {
		p     *processStatus
		level level
		word  string
		says  string
	}{
		{fresh, levelOK, "Streaming", "within 3.1 ms of their commit, 99 % within 42 ms"},
		{behind, levelWarn, "Streaming", "up to 75 s behind"},
		{filling, levelBusy, "Backfilling", "250 of about 1,000 documents (25 %), about 2 min left"},
		{with(projector.Backfilling, "waiting for transactions that began before: pid 7"), levelBusy, "Backfilling", "pid 7."},
		{catching, levelBusy, "Catching up", "5.0 MiB to go, about 12 s left"},
		{with(projector.Standby, "another projector leads: pid 12"), levelOK, "Standby", "another projector leads: pid 12."},
		{with(projector.Waiting, "connection\nrefused"), levelBad, "Waiting", "connection refused."},
		{slot(with(projector.Waiting, "x"), "lost"), levelBad, "Lost slot", "--recreate-slot"},
		{slot(with(projector.Streaming, ""), "unreserved"), levelBad, "Streaming", "about to be lost"},
		{large, levelBusy, "Streaming", "within 42 ms. A large change to Post is being applied: 40,000 documents so far; 1 more waits."},
		{largeElsewhere, levelBusy, "Streaming", "A large change to Post is being applied: 40,000 documents so far"},
		{paused, levelBad, "Paused", "Every read model is paused."},
		{inPart, levelBad, "Streaming in part", "The documents of the other read models are kept fresh."},
		{slot(&processStatus{}, "reserved"), levelOK, "Streaming", "a projector elsewhere is streaming"},
	} {
		if s := summarize(c.p); s.Level != c.level || s.Word != c.word || !strings.Contains(s.Text, c.says) {
			t.Errorf("got %+v, want %s %s with %q", s, c.level, c.word, c.says)
		}
	}
}

// TestStatusNotes is on what is not kept, or was found wrong: it is red.
func TestStatusNotes(t *testing.T) {
	now, wal := time.Now(), "reserved"
	item := func(p status.Paused) (s processStatus) {
		d := aDatabase(&wal)
		d.Models = []status.Model{{Name: "Item", State: "paused", Paused: &p}}
		s.Database.State, s.Database.Reachable = &d, true
		return s
	}
	broken := item(status.Paused{Since: now, Error: "tb_item: the column is gone.\nGive it back"})
	mended := item(status.Paused{Since: now, Error: "tb_item: the column is gone", Waits: "to be filled again when these transactions end: pid 7"})
	here := processStatus{Projector: &projectorStatus{Status: projector.Status{State: projector.Streaming, Checked: 500, Diverged: 1}}}
	d := aDatabase(&wal)
	d.Diverged = status.Diverged{Documents: 3, Last: &now}
	elsewhere := processStatus{Database: databaseStatus{State: &d, Reachable: true}}
	for _, c := range []struct {
		p    processStatus
		says string
	}{
		{broken, "Item is paused: tb_item: the column is gone. Give it back. It was noticed now; documents are served as they were."},
		{mended, "Item is paused: nothing is wrong any more, and it waits to be filled again when these transactions end: pid 7. It had been: tb_item: the column is gone."},
		{here, "1 stored document did not equal the definition, since the start of this process, though nothing had touched it, and was rebuilt."},
		{elsewhere, "3 stored documents did not equal the definition, in the last 24 hours, though nothing had touched them, and were rebuilt."},
	} {
		if s := summarize(&c.p); s.Level != levelBad || len(s.Notes) != 1 || !strings.Contains(s.Notes[0], c.says) {
			t.Errorf("got %+v\nwant %s", s, c.says)
		}
	}
}

func TestStatusHistory(t *testing.T) {
	b := newBoard()
	at := time.Now()
	last := projector.Status{}
	for i := range int64(historyLength + 50) {
		for range 99 {
			b.batch(projector.BatchEvent{At: at, Commits: []time.Time{at.Add(-10 * time.Millisecond)}})
		}
		b.batch(projector.BatchEvent{At: at, Commits: []time.Time{at.Add(-time.Second)}})
		next := projector.Status{Transactions: i * 100, Upserted: i * 200, Received: pglogrepl.LSN(1000 + i*5000)}
		b.sample(last, next, at, at.Add(time.Second))
		last, at = next, at.Add(time.Second)
	}
	h := b.history.since(0)
	if len(h) != historyLength || h[1].Commits != 100 || h[1].Written != 200 || len(b.history.since(b.history.n-1)) != 1 {
		t.Errorf("%d samples, %+v", len(h), h[1])
	}
	f := b.history.freshness(historyLength)
	if f.Commits != historyLength*100 || *f.P50MS < 9.5 || *f.P50MS > 10.5 || *f.P99MS > 10.5 {
		t.Errorf("freshness of %d: %v %v", f.Commits, *f.P50MS, *f.P99MS)
	}
	if pace := b.history.pace(); pace < 4990 || pace > 5010 {
		t.Errorf("pace %f", pace)
	}
}
