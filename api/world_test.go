package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"

	"freshet/cache"
	"freshet/model"
)

// world is a set of rows, from which a memStore makes documents by the model's
// own selections. A row has the values of its columns under their field names,
// a key for a to-one relation and a list of keys for a to-many one; rows of
// types that are not stored stand in place of their keys.
type world map[string]map[string]row

type row map[string]any

// memStore keeps documents in memory.
type memStore struct {
	mu    sync.Mutex
	docs  map[string]map[string][]byte
	lsn   pglogrepl.LSN
	batch int64
	lags  cache.Lags
	fail  error
	calls []string // "Post 3": a type and how many keys
}

// newMemStore builds the documents of a world.
func newMemStore(tb testing.TB, m *model.Model, w world) *memStore {
	tb.Helper()
	s := &memStore{docs: map[string]map[string][]byte{}, lsn: 0x16B3748}
	for _, t := range m.Types {
		if !t.Stored {
			continue
		}
		s.docs[t.Name] = map[string][]byte{}
		for key, r := range w[t.Name] {
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", " ")
			if err := enc.Encode(w.build(r, t.Document())); err != nil {
				tb.Fatal(err)
			}
			s.docs[t.Name][key] = b.Bytes()
		}
	}
	return s
}

// build makes an object of a row.
func (w world) build(r row, sel *model.Selection) any {
	if r == nil {
		return nil
	}
	out := map[string]any{}
	for _, item := range sel.Items {
		v := r[item.Field.Name]
		if item.Sub == nil {
			out[item.Field.Name] = v
			continue
		}
		if !item.Field.Relation.ToMany() {
			out[item.Field.Name] = w.build(w.target(v, item.Sub), item.Sub)
			continue
		}
		if v == nil {
			out[item.Field.Name] = nil
			continue
		}
		list := []any{}
		for _, e := range v.([]any) {
			list = append(list, w.build(w.target(e, item.Sub), item.Sub))
		}
		out[item.Field.Name] = list
	}
	return out
}

func (w world) target(v any, sel *model.Selection) row {
	switch v := v.(type) {
	case row:
		return v
	case string:
		return w[sel.Type.Name][v]
	}
	return nil
}

// bases are the Postgres types that the tests' models stand on.
var bases = map[string]string{
	"ID": "text", "String": "text", "Int": "int4", "Decimal": "numeric", "DateTime": "timestamptz", "Boolean": "bool", "UUID": "uuid", "Float": "float8", "BigInt": "int8",
}

// layoutsOf makes the layouts that a projector would write, with keys of a type.
func layoutsOf(m *model.Model, keyBase string) []Layout {
	var out []Layout
	for _, t := range m.Types {
		if !t.Stored {
			continue
		}
		l := Layout{Type: t.Name, Schema: "public", Table: "tv_" + model.SnakeCase(t.Name)}
		l.Key = LayoutColumn{Path: t.KeyField().Name, Column: model.SnakeCase(t.KeyField().Name), SQL: keyBase, Base: keyBase}
		seen := map[string]bool{}
		for _, index := range t.Indexes {
			for _, p := range index.Fields {
				if path := p.String(); !seen[path] && path != l.Key.Path {
					seen[path] = true
					l.Columns = append(l.Columns, layoutColumn(p, keyBase))
				}
			}
		}
		out = append(out, l)
	}
	return out
}

func layoutColumn(p model.IndexPath, keyBase string) LayoutColumn {
	last := p.Path[len(p.Path)-1]
	name := model.SnakeCase(strings.ReplaceAll(p.String(), ".", "_"))
	base, ok := bases[last.Type.Name]
	if last.Kind == model.Relates {
		base, ok, name = keyBase, true, name+"_id"
	}
	if !ok {
		base = "text"
	}
	return LayoutColumn{Path: p.String(), Column: name, SQL: base, Base: base}
}

// parseModel parses a model file of testdata.
func parseModel(tb testing.TB, path string) *model.Model {
	tb.Helper()
	source, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return parseSource(tb, path, string(source))
}

func parseSource(tb testing.TB, path, source string) *model.Model {
	tb.Helper()
	m, diags := model.Parse(path, source)
	if err := diags.Err(); err != nil {
		tb.Fatal(err)
	}
	return m
}

// fakeFeed is a feed that tests move.
type fakeFeed struct {
	mu      sync.Mutex
	lsn     pglogrepl.LSN
	lags    cache.Lags
	stale   bool
	cache   cache.Invalidator
	waiting int
	moved   chan struct{}
}

func newFakeFeed(lsn pglogrepl.LSN) *fakeFeed {
	return &fakeFeed{lsn: lsn, moved: make(chan struct{})}
}

func (f *fakeFeed) Attach(c cache.Invalidator) { f.cache = c }

func (f *fakeFeed) Watermark() pglogrepl.LSN {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lsn
}

func (f *fakeFeed) Fresh() (bool, time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.stale, 0
}

func (f *fakeFeed) Lags() cache.Lags {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lags
}

// lag sets the lags, as with a batch.
func (f *fakeFeed) lag(lags cache.Lags) {
	f.mu.Lock()
	f.lags = lags
	lsn := f.lsn
	f.mu.Unlock()
	f.move(lsn)
}

func (f *fakeFeed) WaitModels(ctx context.Context, lsn pglogrepl.LSN, models []string) error {
	for {
		f.mu.Lock()
		late, have, moved := f.lags.Late(f.lsn, lsn, models), f.lsn, f.moved
		f.mu.Unlock()
		switch {
		case late == nil && have >= lsn:
			return nil
		case late != nil && late.Lag.Paused():
			return late
		}
		if !f.park(ctx, moved) {
			if late == nil {
				return ctx.Err()
			}
			late.Cause = ctx.Err()
			return late
		}
	}
}

// park waits, and reports false when ctx ended first.
func (f *fakeFeed) park(ctx context.Context, moved <-chan struct{}) bool {
	count := func(n int) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.waiting += n
	}
	count(1)
	defer count(-1)
	select {
	case <-moved:
		return true
	case <-ctx.Done():
		return false
	}
}

func (f *fakeFeed) move(lsn pglogrepl.LSN) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lsn = lsn
	close(f.moved)
	f.moved = make(chan struct{})
}

func (f *fakeFeed) Wait(ctx context.Context, lsn pglogrepl.LSN) error {
	for {
		f.mu.Lock()
		have, moved := f.lsn, f.moved
		f.mu.Unlock()
		if have >= lsn {
			return nil
		}
		if !f.park(ctx, moved) {
			return ctx.Err()
		}
	}
}

// newServer makes a server over a memory store.
func newServer(tb testing.TB, m *model.Model, store Store, change ...func(*Config)) *Server {
	tb.Helper()
	cfg := Config{
		Model: m, Layouts: layoutsOf(m, "text"), Store: store, Feed: newFakeFeed(0x16B3748), CacheBytes: 1 << 20,
		OnError: func(_ context.Context, err error) { tb.Logf("reported: %v", err) },
	}
	for _, f := range change {
		f(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// ask posts a query and returns status, headers and body.
func ask(tb testing.TB, s http.Handler, query, vars string, headers ...string) *httptest.ResponseRecorder {
	tb.Helper()
	q, err := json.Marshal(query)
	if err != nil {
		tb.Fatal(err)
	}
	if vars == "" {
		vars = "null"
	}
	body := `{"query":` + string(q) + `,"variables":` + vars + `}`
	r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if !json.Valid(w.Body.Bytes()) {
		tb.Fatalf("not JSON: %s", w.Body)
	}
	return w
}

// indent makes an answer readable and keeps its order.
func indent(tb testing.TB, body []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, body, "", "  "); err != nil {
		tb.Fatalf("%v in %s", err, body)
	}
	b.WriteByte('\n')
	return b.Bytes()
}
