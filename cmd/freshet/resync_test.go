package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"freshet/deploy/pgserver/pgtest"
)

// expect runs a command and looks for its exit code and for words on either of
// its outputs.
func expect(t *testing.T, code int, says string, args ...string) result {
	t.Helper()
	r := freshet(t, args...)
	if r.code != code || !strings.Contains(r.out+r.errors, says) {
		t.Errorf("freshet %s: exit code %d, want %d; want %q in:\n%s%s", strings.Join(args, " "), r.code, code, says, r.out, r.errors)
	}
	return r
}

// spoil has documents differ from their definition, as somebody's hand would.
const spoil = `UPDATE tv_post SET data = data || '{"title": "spoiled"}'`

func TestResync(t *testing.T) {
	url, path := blogDatabase(t)
	database, file := "--database-url="+url, "--model="+path
	p := begin(t, "projector", database, file, "--migrate")
	conn := pgtest.Connect(t, url)
	var one string
	if err := conn.QueryRow(t.Context(), "SELECT id::text FROM tv_post LIMIT 1").Scan(&one); err != nil {
		t.Fatal(err)
	}
	spoiled := func() (n int) {
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM tv_post WHERE data->>'title' = 'spoiled'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	pgtest.Exec(t, url, spoil)
	r := expect(t, exitOK, "1 document of Post will be rebuilt.\nDone.", "resync", "Post", database, "--key", strings.ToUpper(one))
	if n := spoiled(); n != 49 {
		t.Errorf("%d are spoiled still; it said %s", n, r.out)
	}
	expect(t, exitOK, "50 documents of Post will be rebuilt.\nDone.", "resync", "Post", database, file, "--all")
	if n := spoiled(); n != 0 {
		t.Errorf("%d are spoiled still", n)
	}
	// A document without a row goes.
	pgtest.Exec(t, url, fmt.Sprintf("INSERT INTO tv_post SELECT (jsonb_populate_record(p, '{\"id\": \"%s\"}')).* FROM tv_post p WHERE id = '%s'", ann, one))
	expect(t, exitOK, "Done.", "resync", "Post", database, "--key", ann)
	expect(t, exitOK, "Post: 50 documents compared, 0 differ", "verify", database, file, "--only", "Post")

	pgtest.Exec(t, url, spoil)
	expect(t, exitOK, "the projector begins within five seconds", "resync", "Post", database, "--refill")
	for deadline := time.Now().Add(30 * time.Second); spoiled() != 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the running projector does not fill it again")
		}
	}
	if code := p.end(); code != exitOK {
		t.Errorf("exit code %d:\n%s", code, p.errs)
	}
	pgtest.Exec(t, url, spoil)
	expect(t, exitOK, "No projector runs: they wait", "resync", "Post", database, "--key", one)
	expect(t, exitOK, "will be filled again when a projector starts: none runs", "resync", "Post", database, "--refill")
	p = begin(t, "projector", database, file)
	for deadline := time.Now().Add(30 * time.Second); spoiled() != 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the projector that was started does not fill it again")
		}
	}
	p.end()
}

func TestResyncUsage(t *testing.T) {
	url, path := blogDatabase(t)
	database, file := "--database-url="+url, "--model="+path
	expect(t, exitFound, "no Freshet tables", "resync", "Post", "--key=1", database)
	expect(t, exitOK, "", "migrate", "--apply", database, file)
	expect(t, exitUsage, "--key KEY, --all or --refill", "resync", "Post", database)
	expect(t, exitUsage, "--key KEY, --all or --refill", "resync", "Post", database, "--key=1", "--all")
	expect(t, exitUsage, "there are Comment, Post, User", "resync", "Pots", database, "--key=1")
	expect(t, exitUsage, "keys of Post are of type uuid", "resync", "Post", database, "--key=1")
	expect(t, exitUsage, `no read model "Pots"`, "resync", "Pots", database, file, "--all")
	expect(t, exitUsage, "no model file was named", "resync", "Post", database, "--all")
}

// TestResyncOfWhatCannotBeBuilt says which document it is, and why.
func TestResyncOfWhatCannotBeBuilt(t *testing.T) {
	url := pgtest.Database(t)
	pgtest.Exec(t, url, "CREATE TABLE tb_item (id text PRIMARY KEY, n int NOT NULL)")
	path := write(t, "model.graphql", `type Item @table(name: "tb_item") { id: ID! share: Int! @computed(sql: "100 / n") }`)
	p := begin(t, "projector", "--database-url="+url, "--model="+path, "--migrate")
	pgtest.Exec(t, url, "INSERT INTO tb_item VALUES ('a,b', 0), ('c', 5)")
	r := expect(t, exitFound, "1 document could not be built", "resync", "Item", "--database-url="+url, "--key", "a,b", "--key", "c")
	if !strings.Contains(r.out, "a,b") || !strings.Contains(r.out, "division by zero") {
		t.Errorf("it does not say what and why:\n%s", r.out)
	}
	p.end()
}
