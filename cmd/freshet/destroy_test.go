package main

import (
	"strings"
	"testing"

	"freshet/deploy/pgserver/pgtest"
)

// typing runs a command with somebody at the keyboard.
func typing(t *testing.T, text string, args ...string) result {
	t.Helper()
	var out, errs output
	m := program(&out, &errs)
	m.Stdin = strings.NewReader(text)
	code := m.Run(t.Context(), args)
	return result{code: code, out: out.String(), errors: errs.String()}
}

func TestDestroy(t *testing.T) {
	url, path := blogDatabase(t)
	database, file := "--database-url="+url, "--model="+path
	conn := pgtest.Connect(t, url)
	count := func(sql string) (n int) {
		if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	const ours = `SELECT (SELECT count(*) FROM pg_tables WHERE schemaname = 'freshet' OR tablename LIKE 'tv\_%') + (SELECT count(*) FROM pg_publication)
		+ (SELECT count(*) FROM pg_replication_slots WHERE database = current_database()) + (SELECT count(*) FROM pg_indexes WHERE indexname LIKE '%freshet%')`
	name := conn.Config().Database

	p := begin(t, "projector", database, file, "--migrate")
	before := count(ours)
	r := expect(t, exitFound, "nothing was removed", "destroy", database, "--yes")
	for _, want := range []string{"replication slot freshet: it is active: pid ", "the projector of slot freshet: it runs: pid ", "freshet"} {
		if !strings.Contains(r.errors, want) {
			t.Errorf("it does not say %q:\n%s", want, r.errors)
		}
	}
	p.end()

	for _, wrong := range []string{"", "yes\n", "\n"} {
		r := typing(t, wrong, "destroy", database)
		if r.code != exitUsage || !strings.Contains(r.out, "will drop public.tv_post") || !strings.Contains(r.errors, "nothing was removed") {
			t.Errorf("%q: exit code %d:\n%s%s", wrong, r.code, r.out, r.errors)
		}
	}
	if n := count(ours); n != before || n == 0 {
		t.Fatalf("%d of %d things are left", n, before)
	}
	r = typing(t, name+"\n", "destroy", database)
	if r.code != exitOK {
		t.Fatalf("exit code %d:\n%s%s", r.code, r.out, r.errors)
	}
	golden(t, "destroy.txt", strings.ReplaceAll(r.out, name, "DATABASE"))
	if n := count(ours); n != 0 {
		t.Errorf("%d things are left", n)
	}
	if n := count("SELECT count(*) FROM tb_post"); n != 50 {
		t.Errorf("%d posts", n)
	}
	expect(t, exitOK, "nothing of Freshet's in database "+name, "destroy", database, "--yes")

	// And back again.
	p = begin(t, "projector", database, file, "--migrate")
	expect(t, exitOK, "Post: 50 documents compared, 0 differ", "verify", database, file)
	p.end()
	expect(t, exitOK, "done: drop schema freshet", "destroy", database, "--yes")
}
