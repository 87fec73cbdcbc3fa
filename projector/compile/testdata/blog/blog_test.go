package blog_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"freshet/deploy/pgserver/pgtest"
	"freshet/examples/blog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Runner{M: m}) }

func load(t *testing.T, size blog.Size) *pgx.Conn {
	t.Helper()
	url := pgtest.Database(t)
	pgtest.Exec(t, url, blog.Schema)
	conn := pgtest.Connect(t, url)
	if err := blog.Load(t.Context(), conn, size, 1); err != nil {
		t.Fatal(err)
	}
	return conn
}

func text(t *testing.T, conn *pgx.Conn, sql string) string {
	t.Helper()
	var v string
	if err := conn.QueryRow(t.Context(), sql).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// All rows of a table, as one hash.
const digest = `SELECT md5(string_agg(r, ',' ORDER BY r)) FROM (
	SELECT u::text r FROM tb_user u UNION ALL SELECT p::text FROM tb_post p UNION ALL SELECT c::text FROM tb_comment c) _`

func TestLoadIsDeterministic(t *testing.T) {
	size := blog.Size{Users: 50, Posts: 200, Comments: 1000}
	a, b := load(t, size), load(t, size)
	if x, y := text(t, a, digest), text(t, b, digest); x != y {
		t.Errorf("two loads differ: %s, %s", x, y)
	}
}

func TestLoadIsConsistentAndSkewed(t *testing.T) {
	conn := load(t, blog.Size{Users: 100, Posts: 5000, Comments: 20000})
	for _, fk := range []string{
		"ALTER TABLE tb_post ADD FOREIGN KEY (author_id) REFERENCES tb_user",
		"ALTER TABLE tb_comment ADD FOREIGN KEY (post_id) REFERENCES tb_post",
		"ALTER TABLE tb_comment ADD FOREIGN KEY (author_id) REFERENCES tb_user",
	} {
		if _, err := conn.Exec(t.Context(), fk); err != nil {
			t.Error(err)
		}
	}
	top := text(t, conn, `SELECT (sum(n) * 100 / 20000)::int::text FROM (
		SELECT count(*) n FROM tb_comment GROUP BY post_id ORDER BY 1 DESC LIMIT 50) _`)
	if top < "25" || len(top) != 2 {
		t.Errorf("the first 1 %% of the posts have %s %% of the comments", top)
	}
	if got := text(t, conn, `SELECT string_agg(content, ' ') || string_agg(title, ' ') FROM tb_post`); strings.Contains(got, "It rained all day.") || strings.ContainsAny(got, "{}") {
		t.Error("a form of the vocabulary is misspelt")
	}
}

func TestWriter(t *testing.T) {
	conn := load(t, blog.Size{Users: 20, Posts: 50, Comments: 100})
	pool, err := pgxpool.New(t.Context(), conn.Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var mu sync.Mutex
	kinds := map[string]int{}
	w := blog.Writer{Pool: pool, Rate: 2000, Seed: 1, Wrote: func(w blog.Write) {
		mu.Lock()
		defer mu.Unlock()
		if kinds[w.Kind]++; len(kinds) == 8 {
			cancel()
		}
	}}
	if err := w.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if len(kinds) != 8 {
		t.Errorf("wrote only %v", kinds)
	}
}
