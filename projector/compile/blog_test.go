package compile

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// The blog's documents as somebody would write them by hand, from the plain
// tables, with no SQL in common with the compiler.

type blogUser struct {
	ID, Username string
	FullName     *string
	Created      time.Time
}

type blogPost struct {
	ID, Author, Title, Content string
	Published                  bool
	Created                    time.Time
}

type blogComment struct {
	ID, Post, Author, Content string
	Created                   time.Time
}

type blogObject = map[string]any

func collect[T any](l *live, sql string) []T {
	l.t.Helper()
	rows, err := l.conn.Query(context.Background(), sql)
	if err != nil {
		l.t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[T])
	if err != nil {
		l.t.Fatal(err)
	}
	return out
}

func instant(t time.Time) string {
	text := t.UTC().Format("2006-01-02T15:04:05.999999")
	return text + "+00:00"
}

// newest sorts by creation, newest first, then by id.
func newest[T any](items []T, created func(T) time.Time, id func(T) string) {
	slices.SortFunc(items, func(a, b T) int {
		if c := created(b).Compare(created(a)); c != 0 {
			return c
		}
		return strings.Compare(id(a), id(b))
	})
}

// checkBlog compares Documents of all keys with the handwritten ones.
func (l *live) checkBlog() {
	l.t.Helper()
	users := collect[blogUser](l, "SELECT id::text, username, full_name, created_at FROM tb_user")
	posts := collect[blogPost](l, "SELECT id::text, author_id::text, title, content, published, created_at FROM tb_post")
	comments := collect[blogComment](l, "SELECT id::text, post_id::text, author_id::text, content, created_at FROM tb_comment")
	newest(posts, func(p blogPost) time.Time { return p.Created }, func(p blogPost) string { return p.ID })
	newest(comments, func(c blogComment) time.Time { return c.Created }, func(c blogComment) string { return c.ID })
	user := map[string]blogUser{}
	for _, u := range users {
		user[u.ID] = u
	}
	count := map[string]int{}
	want := []map[string]any{{}, {}, {}}
	lists := map[string][]any{}
	for _, c := range comments {
		by := blogObject{"id": c.Author, "username": user[c.Author].Username}
		want[2][c.ID] = blogObject{"id": c.ID, "content": c.Content, "createdAt": instant(c.Created), "post": blogObject{"id": c.Post}, "author": by}
		if count[c.Post]++; count[c.Post] <= 50 {
			lists[c.Post] = append(lists[c.Post], blogObject{"id": c.ID, "content": c.Content, "createdAt": instant(c.Created), "author": by})
		}
	}
	for _, p := range posts {
		u := user[p.Author]
		author := blogObject{"id": u.ID, "username": u.Username, "fullName": u.FullName}
		want[1][p.ID] = blogObject{"id": p.ID, "title": p.Title, "content": p.Content, "published": p.Published, "createdAt": instant(p.Created),
			"author": author, "comments": orEmpty(lists[p.ID]), "commentCount": count[p.ID]}
		if count[p.Author]++; count[p.Author] <= 20 {
			lists[p.Author] = append(lists[p.Author], blogObject{"id": p.ID, "title": p.Title, "createdAt": instant(p.Created), "commentCount": count[p.ID]})
		}
	}
	for _, u := range users {
		want[0][u.ID] = blogObject{"id": u.ID, "username": u.Username, "fullName": u.FullName, "createdAt": instant(u.Created),
			"posts": orEmpty(lists[u.ID]), "postCount": count[u.ID]}
	}
	for i, rm := range l.plan.ReadModels {
		if diff := cmp.Diff(throughJSON(l, want[i]), l.documents(rm)); diff != "" {
			l.t.Errorf("%s (-want +got):\n%s", rm.Name, diff)
		}
	}
}

func orEmpty(list []any) []any {
	if list == nil {
		return []any{}
	}
	return list
}

// throughJSON gives numbers, pointers and so on the types that JSON has.
func throughJSON(l *live, v any) map[string]any {
	text, err := json.Marshal(v)
	if err != nil {
		l.t.Fatal(err)
	}
	return parseJSON(l, text)
}

func parseJSON(l *live, text []byte) map[string]any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var out map[string]any
	if err := d.Decode(&out); err != nil {
		l.t.Fatal(err)
	}
	return out
}

// documents evaluates Documents for all keys.
func (l *live) documents(rm *ReadModel) map[string]any {
	l.t.Helper()
	rows, err := l.conn.Query(context.Background(), rm.Documents, l.strings(rm.Keys))
	if err != nil {
		l.t.Fatal(err)
	}
	out := map[string]any{}
	for rows.Next() {
		raw := rows.RawValues()
		key, data := string(raw[0]), slices.Clone(raw[1])
		if len(data) > 0 && data[0] == 1 { // jsonb in binary has a version in front
			data = data[1:]
		}
		out[key] = parseJSON(l, data)
	}
	if err := rows.Err(); err != nil {
		l.t.Fatal(err)
	}
	return out
}
