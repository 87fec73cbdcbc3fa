package compile

import (
	"fmt"
	"strings"
	"testing"
)

const subjectData = `
INSERT INTO item SELECT i, (ARRAY['song', 'film', 'other'])[1 + i % 3], 'Item ' || i, nullif(i % 4, 0) FROM generate_series(1, 9) i;
INSERT INTO post SELECT i, 'Post ' || i FROM generate_series(1, 7) i;
INSERT INTO thread SELECT i, 'Thread ' || i FROM generate_series(1, 5) i;
INSERT INTO person SELECT i, 'Person ' || i FROM generate_series(1, 4) i;
INSERT INTO company SELECT i, 'Company ' || i FROM generate_series(1, 4) i;
INSERT INTO reaction SELECT i, 1 + i % 5, (ARRAY['post', 'video', 'thread', NULL])[1 + i % 4]::subject_kind, nullif(i % 10, 0),
       1 + i % 9, CASE i % 3 WHEN 1 THEN 1 + i % 4 END, CASE i % 3 WHEN 2 THEN 1 + i % 4 END, nullif(i / 3, 0)
  FROM generate_series(1, 40) i;
SELECT setval(pg_get_serial_sequence('item', 'id'), 1000), setval(pg_get_serial_sequence('reaction', 'id'), 1000);`

// subject changes what reactions point to, above all the column that says to
// which table.
func (w *writer) subject() string {
	kind := w.pick("'post'", "'video'", "'thread'", "NULL")
	return w.pick(
		w.update("reaction", "id", "subject_type = "+kind),
		w.update("reaction", "id", "subject_type = "+kind),
		w.update("reaction", "id", fmt.Sprintf("subject_id = %s", w.pick("NULL", fmt.Sprint(1+w.IntN(12))))),
		w.update("reaction", "id", "echo_of = "+w.maybe("reaction", "id")),
		w.update("reaction", "id", "thread = "+w.some("thread", "id")),
		w.update("reaction", "id", "item = "+w.maybe("item", "id")),
		w.update("reaction", "id", "person = "+w.maybe("person", "id")+", company = "+w.maybe("company", "id")),
		w.pick(w.remove("reaction", "id"), "INSERT INTO reaction (thread, subject_type, subject_id) SELECT "+w.some("thread", "id")+", "+kind+fmt.Sprintf(", %d", 1+w.IntN(12))),
		w.update("item", "id", w.pick("kind = 'song'", "kind = 'film'", "title = "+w.text(), "length = NULL", "id = id + 100")),
		w.pick(w.remove("item", "id"), fmt.Sprintf("INSERT INTO item (id, kind, title) VALUES (%d, 'film', 'New')", 1+w.IntN(12))),
		w.update("post", "id", w.pick("title = "+w.text(), "title = "+w.text(), fmt.Sprintf("id = %d", 1+w.IntN(12)))),
		w.pick(w.remove("post", "id"), fmt.Sprintf("INSERT INTO post VALUES (%d, 'New')", 1+w.IntN(12))),
		w.update("thread", "id", w.pick("title = "+w.text(), "title = "+w.text(), fmt.Sprintf("id = %d", 1+w.IntN(12)))),
		w.update("person", "id", "name = "+w.text()),
		w.pick(w.update("company", "id", w.pick("name = NULL", "name = "+w.text())), w.remove("company", "id")),
	)
}

// TestSubjectLive changes rows that point to one table or another, and the
// column that says to which, and holds the documents against their definition.
func TestSubjectLive(t *testing.T) {
	l := openLive(t, "subject", subjectData)
	n, w := rounds(t, 60)
	written := 0
	for range n {
		written += l.step(func() { w.transaction(t, l.conn, 3, w.subject) })
		if t.Failed() {
			return
		}
	}
	if written == 0 {
		t.Error("no document was written")
	}
}

// TestSubjectChanges says what a change of the column that names the table
// makes of one document.
func TestSubjectChanges(t *testing.T) {
	l := openLive(t, "subject", subjectData)
	subject := func() string {
		return strings.Join(l.strings(`SELECT coalesce(data #>> '{post,title}', '-') || '/' || coalesce(data #>> '{about,title}', '-') || '/' ||
			coalesce(post_id::text, '-') || '/' || coalesce(about_title, '-') FROM tv_reaction WHERE id = 4`), "")
	}
	for _, step := range []struct{ change, want string }{
		{"UPDATE reaction SET subject_type = 'post', subject_id = 3 WHERE id = 4", "Post 3/-/3/-"},
		{"UPDATE reaction SET subject_type = 'thread' WHERE id = 4", "-/Thread 3/-/Thread 3"},
		{"UPDATE thread SET title = 'Renamed' WHERE id = 3", "-/Renamed/-/Renamed"},
		{"UPDATE post SET title = 'Unseen' WHERE id = 3", "-/Renamed/-/Renamed"},
		{"UPDATE reaction SET subject_type = NULL WHERE id = 4", "-/Renamed/-/Renamed"},
		{"UPDATE reaction SET subject_type = 'post' WHERE id = 4", "Unseen/-/3/-"},
		{"DELETE FROM post WHERE id = 3", "-/-/-/-"},
		{"INSERT INTO post VALUES (3, 'Again')", "Again/-/3/-"},
	} {
		l.step(func() { exec(t, l.conn, step.change) })
		if got := subject(); got != step.want {
			t.Errorf("after %s: %s, want %s", step.change, got, step.want)
		}
	}
}
