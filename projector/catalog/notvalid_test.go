package catalog_test

import (
	"testing"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/catalog"
)

// A NOT NULL that is not validated, which version 18 has, promises nothing of
// the rows that were there before.
func TestNotNullThatIsNotValid(t *testing.T) {
	url := pgtest.Database(t)
	conn := pgtest.Connect(t, url)
	var version int
	if err := conn.QueryRow(t.Context(), "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		t.Fatal(err)
	}
	if version < 180000 {
		t.Skip("NOT NULL can be NOT VALID from Postgres 18 on")
	}
	pgtest.Exec(t, url, `CREATE TABLE tb_old (id bigint PRIMARY KEY, a text, b text NOT NULL);
		INSERT INTO tb_old VALUES (1, NULL, 'b');
		ALTER TABLE tb_old ADD CONSTRAINT a_there NOT NULL a NOT VALID`)
	cat, err := catalog.Load(t.Context(), conn, catalog.Request{Tables: named("tb_old")})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"id": true, "a": false, "b": true} {
		if got := cat.Resolved[named("tb_old")[0]].Column(name).NotNull; got != want {
			t.Errorf("%s: not null %v, want %v", name, got, want)
		}
	}
}
