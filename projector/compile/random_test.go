package compile

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// writer makes random changes. What Postgres refuses is rolled back, as it
// would be for any application.
type writer struct {
	*rand.Rand
	refused int
}

// some is a subquery for the value of a column in some row.
func (w *writer) some(table, column string) string {
	return fmt.Sprintf("(SELECT %[1]s FROM %[2]s ORDER BY md5(%[1]s::text || '%[3]d') LIMIT 1)", column, table, w.IntN(1e6))
}

// maybe is the same, or NULL.
func (w *writer) maybe(table, column string) string {
	if w.IntN(4) == 0 {
		return "NULL"
	}
	return w.some(table, column)
}

func (w *writer) word() string {
	return strconv.Quote([]string{"Ann", "Bob", "Zoe", "O''Hara", "x", ""}[w.IntN(6)] + strconv.Itoa(w.IntN(4)))
}

func (w *writer) text() string {
	s := w.word()
	return "'" + s[1:len(s)-1] + "'"
}

func (w *writer) pick(items ...string) string { return items[w.IntN(len(items))] }

// update changes one or several rows of a table.
func (w *writer) update(table, key, sets string) string {
	if w.IntN(5) == 0 {
		return fmt.Sprintf("UPDATE %s SET %s WHERE %s IN %s OR %[3]s IN %[4]s OR %[3]s IN %[5]s", table, sets, key, w.some(table, key), w.some(table, key))
	}
	return fmt.Sprintf("UPDATE %s SET %s WHERE %s = %s", table, sets, key, w.some(table, key))
}

func (w *writer) remove(table, key string) string {
	return fmt.Sprintf("DELETE FROM %s WHERE %s = %s", table, key, w.some(table, key))
}

// transaction runs up to n of the changes, and keeps what works.
func (w *writer) transaction(t *testing.T, conn *pgx.Conn, n int, change func() string) {
	t.Helper()
	ctx := context.Background()
	tx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 1 + w.IntN(n) {
		sql := change()
		err := pgx.BeginFunc(ctx, tx, func(sp pgx.Tx) error {
			_, err := sp.Exec(ctx, sql)
			return err
		})
		var refused *pgconn.PgError
		if errors.As(err, &refused) && refused.Code[:2] == "23" {
			w.refused++
		} else if err != nil {
			t.Fatalf("%v\n%s", err, sql)
		}
	}
	if err := tx.Commit(ctx); err != nil {
		w.refused++
	}
}

// rounds is how many transactions the random tests make; FRESHET_ROUNDS sets
// another number, FRESHET_SEED another seed.
func rounds(t *testing.T, short int) (int, *writer) {
	n, seed := short, uint64(1)
	if s := os.Getenv("FRESHET_ROUNDS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	if s := os.Getenv("FRESHET_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("%d rounds with seed %d", n, seed)
	return n, &writer{Rand: rand.New(rand.NewPCG(seed, seed))}
}

const blogData = `
INSERT INTO tb_user (id, username, full_name, created_at)
SELECT md5('u' || i)::uuid, 'user' || i, CASE WHEN i % 3 > 0 THEN 'User ' || i END, timestamptz '2024-01-01 00:00:00.123456Z' + i * interval '1 day'
  FROM generate_series(1, 6) i;
INSERT INTO tb_post (id, author_id, title, content, published, created_at)
SELECT md5('p' || i)::uuid, md5('u' || 1 + (i * i) % 6)::uuid, 'Post ' || i, repeat('text ', i), i % 2 = 0, timestamptz '2024-02-01Z' + (i / 2) * interval '1 hour'
  FROM generate_series(1, 40) i;
INSERT INTO tb_comment (id, post_id, author_id, content, created_at)
SELECT md5('c' || i)::uuid, md5('p' || 1 + (i * i) % 9)::uuid, md5('u' || 1 + i % 6)::uuid, 'Comment ' || i, timestamptz '2024-03-01Z' + (i / 3) * interval '1 minute'
  FROM generate_series(1, 300) i;`

func (w *writer) blog() string {
	switch w.IntN(14) {
	case 0:
		return "INSERT INTO tb_user (username, full_name) VALUES ('new" + strconv.Itoa(w.IntN(1e6)) + "', " + w.text() + ")"
	case 1:
		return w.update("tb_user", "id", "full_name = "+w.pick(w.text(), "NULL"))
	case 2:
		return w.update("tb_user", "id", "username = username || 'x'")
	case 3:
		return w.remove("tb_user", "id")
	case 4, 5:
		return "INSERT INTO tb_post (author_id, title, content) SELECT " + w.some("tb_user", "id") + ", " + w.text() + ", 'c'"
	case 6:
		return w.update("tb_post", "id", "author_id = "+w.some("tb_user", "id"))
	case 7:
		return w.update("tb_post", "id", w.pick("title = "+w.text(), "published = NOT published", "created_at = created_at + interval '1 day'"))
	case 8:
		return w.pick(w.remove("tb_post", "id"), w.update("tb_post", "id", "id = gen_random_uuid()"))
	case 9, 10:
		return "INSERT INTO tb_comment (post_id, author_id, content) SELECT " + w.some("tb_post", "id") + ", " + w.some("tb_user", "id") + ", " + w.text()
	case 11:
		return w.update("tb_comment", "id", "post_id = "+w.some("tb_post", "id"))
	case 12:
		return w.update("tb_comment", "id", w.pick("content = "+w.text(), "author_id = "+w.some("tb_user", "id"), "id = gen_random_uuid()"))
	}
	return w.remove("tb_comment", "id")
}

func TestBlogLive(t *testing.T) {
	l := openLive(t, "blog", blogData)
	for _, rm := range l.plan.ReadModels {
		l.verify(rm)
	}
	l.checkBlog()
	n, w := rounds(t, 40)
	written := 0
	for range n {
		written += l.step(func() { w.transaction(t, l.conn, 4, w.blog) })
		if t.Failed() {
			return
		}
	}
	l.checkBlog()
	t.Logf("%d documents written, %d changes refused by constraints", written, w.refused)
}
