package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/batch"
	"freshet/projector/catalog"
	"freshet/projector/compile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Runner{M: m}) }

// patience is how long a test waits for a signal before it fails.
const patience = 30 * time.Second

// The paths of the test plan.
const (
	pathPost = iota
	pathComment
	pathPostComments
	pathPart
)

const (
	modelPost = iota
	modelComment
	modelPart
)

// schema goes with plan. A post is told by its full old row, a comment by an
// index over its key and its foreign key.
const schema = `
	CREATE TABLE tb_post (id bigint PRIMARY KEY, title text, body text, draft text);
	ALTER TABLE tb_post REPLICA IDENTITY FULL;
	ALTER TABLE tb_post ALTER COLUMN body SET STORAGE EXTERNAL;
	CREATE TABLE tb_comment (id bigint PRIMARY KEY, post_id bigint NOT NULL REFERENCES tb_post ON DELETE CASCADE, content text NOT NULL);
	CREATE UNIQUE INDEX tb_comment_identity ON tb_comment (id, post_id);
	ALTER TABLE tb_comment REPLICA IDENTITY USING INDEX tb_comment_identity;
	CREATE TABLE tb_part (id bigint PRIMARY KEY, v text) PARTITION BY RANGE (id);
	CREATE TABLE tb_part_low PARTITION OF tb_part FOR VALUES FROM (0) TO (100);
	CREATE TABLE tb_part_high PARTITION OF tb_part FOR VALUES FROM (100) TO (200);
	CREATE TABLE tb_other (id bigint PRIMARY KEY);
	CREATE PUBLICATION freshet FOR TABLE tb_post, tb_comment, tb_part, tb_other WITH (publish_via_partition_root = true);`

func plan() *compile.Plan {
	post, comment, part := &compile.ReadModel{ID: modelPost, Name: "Post"}, &compile.ReadModel{ID: modelComment, Name: "Comment"}, &compile.ReadModel{ID: modelPart, Name: "Part"}
	id := []string{"id"}
	return &compile.Plan{
		ReadModels: []*compile.ReadModel{post, comment, part},
		Sources: []*compile.Source{
			{Table: table("tb_post"), Reads: []string{"body", "id", "title"}, Identity: id, Paths: []*compile.Path{
				{ID: pathPost, Model: post, Via: "Post", Start: id, Direct: true, Reads: []string{"body", "id", "title"}},
			}},
			{Table: table("tb_comment"), Reads: []string{"content", "id", "post_id"}, Identity: []string{"id", "post_id"}, Paths: []*compile.Path{
				{ID: pathComment, Model: comment, Via: "Comment", Start: id, Direct: true, Reads: []string{"content", "id"}},
				{ID: pathPostComments, Model: post, Via: "Post.comments", Start: []string{"post_id"}, Direct: true, Reads: []string{"content", "id", "post_id"}},
			}},
			{Table: table("tb_part"), Reads: []string{"id", "v"}, Identity: id, Paths: []*compile.Path{
				{ID: pathPart, Model: part, Via: "Part", Start: id, Direct: true, Reads: []string{"id", "v"}},
			}},
		},
	}
}

func table(name string) *catalog.Table {
	return &catalog.Table{Name: catalog.Name{Schema: "public", Name: name}}
}

func newAssembler() *batch.Assembler { return batch.NewAssembler(plan(), batch.Options{}) }

// source is a database with the schema, its publication and its slot.
type source struct {
	t    testing.TB
	url  string
	slot string
	conn *pgx.Conn
}

func newSource(t testing.TB) *source { return sourceAt(t, pgtest.Database(t)) }

func sourceAt(t testing.TB, url string) *source {
	t.Helper()
	s := &source{t: t, url: url, conn: pgtest.Connect(t, url)}
	s.slot = s.conn.Config().Database // slots are of the whole server, databases have names of their own
	s.exec(schema)
	return s
}

// ready adds the slot.
func (s *source) ready() *source {
	s.t.Helper()
	s.exec("SELECT pg_create_logical_replication_slot('" + s.slot + "', 'pgoutput')")
	return s
}

func (s *source) exec(sql string) {
	s.t.Helper()
	if _, err := s.conn.Exec(context.Background(), sql); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

func (s *source) text(sql string) string {
	s.t.Helper()
	var text *string
	if err := s.conn.QueryRow(context.Background(), sql).Scan(&text); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	if text == nil {
		return ""
	}
	return *text
}

func (s *source) lsn(sql string) pglogrepl.LSN {
	s.t.Helper()
	lsn, err := pglogrepl.ParseLSN(s.text("SELECT (" + sql + ")::text"))
	if err != nil {
		s.t.Fatal(err)
	}
	return lsn
}

func (s *source) confirmed() pglogrepl.LSN {
	s.t.Helper()
	return s.lsn("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" + s.slot + "'")
}

// mark commits a marker.
func (s *source) mark(content string) {
	s.t.Helper()
	s.exec("SELECT pg_logical_emit_message(true, 'freshet', '" + content + "')")
}

func (s *source) config() Config {
	s.t.Helper()
	conn, err := pgconn.ParseConfig(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	return Config{Conn: conn, Slot: s.slot, Publication: "freshet"}
}

func (s *source) open(cfg Config) (*Stream, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return Open(ctx, cfg, newAssembler())
}

// follower runs a stream.
type follower struct {
	*Stream
	t      testing.TB
	out    chan Event
	done   chan error // of Run
	cancel context.CancelFunc
	closed bool
}

func (s *source) follow(cfg Config) *follower {
	s.t.Helper()
	stream, err := s.open(cfg)
	if err != nil {
		s.t.Fatalf("Open: %v", err)
	}
	f := &follower{Stream: stream, t: s.t, out: make(chan Event), done: make(chan error, 1)}
	var ctx context.Context
	ctx, f.cancel = context.WithCancel(context.Background())
	go func() { f.done <- stream.Run(ctx, f.out) }()
	s.t.Cleanup(func() {
		if !f.closed {
			f.stop()
		}
	})
	return f
}

// stop ends Run and closes the stream.
func (f *follower) stop() {
	f.t.Helper()
	f.cancel()
	if err := f.wait(); !errors.Is(err, context.Canceled) {
		f.t.Errorf("Run: %v", err)
	}
	f.close()
}

func (f *follower) close() {
	f.t.Helper()
	f.closed = true
	f.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := f.Close(ctx); err != nil {
		f.t.Errorf("Close: %v", err)
	}
}

func (f *follower) wait() error {
	f.t.Helper()
	select {
	case err := <-f.done:
		return err
	case <-time.After(patience):
		f.t.Fatal("Run does not return")
		return nil
	}
}

// fails waits for Run to fail, and for nothing to be delivered but Idle.
func (f *follower) fails() error {
	f.t.Helper()
	for {
		select {
		case err := <-f.done:
			f.close()
			return err
		case e := <-f.out:
			if e.Transaction != nil {
				f.t.Fatalf("unexpected transaction %+v", e.Transaction)
			}
		case <-time.After(patience):
			f.t.Fatal("Run does not return")
		}
	}
}

func (f *follower) event() Event {
	f.t.Helper()
	select {
	case e := <-f.out:
		return e
	case err := <-f.done:
		f.closed = true
		_ = f.Close(context.Background())
		f.t.Fatalf("Run: %v", err)
	case <-time.After(patience):
		f.t.Fatal("no event comes")
	}
	return Event{}
}

// next returns the next transaction.
func (f *follower) next() *batch.Transaction {
	f.t.Helper()
	for {
		if e := f.event(); e.Transaction != nil {
			return e.Transaction
		}
	}
}

// until returns the transactions before that marker, and the marker's.
func (f *follower) until(marker string) (before []*batch.Transaction, m *batch.Transaction) {
	f.t.Helper()
	for {
		tx := f.next()
		if slices.Contains(tx.Markers, marker) {
			return before, tx
		}
		before = append(before, tx)
	}
}

// show writes what a transaction made dirty, to compare.
func show(tx *batch.Transaction) string {
	s := ""
	names := []string{"post", "comment", "post.comments", "part"}
	for _, p := range tx.Dirty.Paths() {
		s += fmt.Sprintf("%s%v ", names[p], slices.Sorted(tx.Dirty.Values(p)))
	}
	if whole := tx.Dirty.Whole(); whole != nil {
		s += fmt.Sprintf("whole%v ", whole)
	}
	return s + fmt.Sprintf("%d changes", tx.Changes)
}

// eventually waits for a condition that nothing signals.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come about: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
