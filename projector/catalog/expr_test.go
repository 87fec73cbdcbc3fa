package catalog_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver/pgtest"
	"freshet/model"
	"freshet/projector/catalog"
)

var onAll = model.TableName{Name: "tb_all"}

func verdicts(t *testing.T, exprs ...catalog.Expr) map[catalog.Expr]catalog.ExprInfo {
	t.Helper()
	return load(t, catalog.Request{Exprs: exprs}).Exprs
}

func TestExpressionsAccepted(t *testing.T) {
	weird := model.TableName{Schema: `Weird "Schema"`, Name: `we're "quoted" Ünïcödé 表 select`}
	tests := []struct {
		table     model.TableName
		sql       string
		predicate bool
		typ       string
		columns   []string
	}{
		{onAll, "t || 'x'", false, "text", []string{"t"}},
		{onAll, "vc", false, "character varying(5)", []string{"vc"}},
		{onAll, "i4 + i8", false, "bigint", []string{"i4", "i8"}},
		{onAll, "n * 2", false, "numeric", []string{"n"}},
		{onAll, "'constant'", false, "text", nil},
		{onAll, "m", false, "public.mood", []string{"m"}},
		{onAll, "ms[1]", false, "public.mood", []string{"ms"}},
		{onAll, "array[i4, i2]", false, "integer[]", []string{"i2", "i4"}},
		{onAll, "shout(t)", false, "text", []string{"t"}},
		{onAll, "twice + 1", false, "integer", []string{"twice"}},
		{onAll, "(tstz AT TIME ZONE 'UTC')::date", false, "date", []string{"tstz"}},
		{onAll, "jsb ->> 'a--b;c)'", false, "text", []string{"jsb"}},
		{onAll, "(p).b", false, "text", []string{"p"}},
		{onAll, `E'it\'s -- ) ' || t`, false, "text", []string{"t"}},
		{onAll, `'back\' || t`, false, "text", []string{"t"}},
		{onAll, "$$ ) -- ; $$ || t || $q$;$$;$q$", false, "text", []string{"t"}},
		{onAll, "i4 - -1", false, "integer", []string{"i4"}},
		{onAll, "CASE WHEN b THEN 1\nELSE 2 END", false, "integer", []string{"b"}},
		{onAll, "b", true, "boolean", []string{"b"}},
		{onAll, "t IS NOT NULL AND i4 IN (1, 2)", true, "boolean", []string{"i4", "t"}},
		{weird, `"Order" + freshet_expression`, false, "integer", []string{"Order", "freshet_expression"}},
		{weird, `"se""lect; DROP" || "` + longName + `"`, false, "text", []string{longName, `se"lect; DROP`}},
		{model.TableName{Name: "part"}, "other > 1", true, "boolean", []string{"other"}},
	}
	exprs := make([]catalog.Expr, len(tests))
	for i, tt := range tests {
		exprs[i] = catalog.Expr{Table: tt.table, SQL: tt.sql, Predicate: tt.predicate}
	}
	got := verdicts(t, exprs...)
	for i, tt := range tests {
		info := got[exprs[i]]
		if info.Error != "" {
			t.Errorf("%s: %s", tt.sql, info.Error)
			continue
		}
		if info.Type.SQL != tt.typ {
			t.Errorf("%s: type %s, want %s", tt.sql, info.Type.SQL, tt.typ)
		}
		if d := cmp.Diff(tt.columns, info.Columns, cmpEmpty); d != "" {
			t.Errorf("%s: columns %s", tt.sql, d)
		}
	}
}

var cmpEmpty = cmp.Transformer("nil", func(s []string) string { return strings.Join(s, "\x00") })

func TestExpressionsRefused(t *testing.T) {
	tests := []struct{ sql, want string }{
		{"", "empty"},
		{"now()", "not immutable"},
		{"tstz > now()", "not immutable"},
		{"tstz::date", "not immutable"},
		{"moody(t)", "not immutable"},
		{"random()", "not immutable"},
		{"missing + 1", `column "missing" does not exist in public.tb_all`},
		{"nofunc(t)", "function nofunc(text) does not exist"},
		{"t +", "syntax error at or near"},
		{"t t t", `syntax error at or near "t" (at character 3)`},
		{"(SELECT max(id) FROM tb_same)", "a subquery"},
		{"EXISTS (SELECT 1)", "a subquery"},
		{"count(*)", "aggregate"},
		{"sum(i4)", "aggregate"},
		{"row_number() OVER ()", "window"},
		{"many(i4)", "a set-returning function"},
		{"ctid", "system column"},
		{"tableoid", "system column"},
		{"xmin::text", "system column"},
		{"tb_same.id", "names a table"},
		{"tb_all.t", "names a table"},
		{"i4, i8", "of type record"},
		{"i4 AS x", "syntax error"},
		{"*", "syntax error"},
		{"SELECT 1", "not a single expression"},
		{"VALUES (1)", "not a single expression"},
		{"TABLE tb_same", "not a single expression"},
		{"SELECT 1 UNION SELECT 2", "not a single expression"},
		{"1 LIMIT 1", "syntax error"},
		{"ROW(i4, t)", "of type record"},
		{"$1", "parameter"},
		{"t || $1", "parameter"},
		// Attempts to get out of the parentheses.
		{"1); DROP TABLE tb_same; --", "closes nothing"},
		{"1; DROP TABLE tb_same", "semicolon"},
		{"1) FROM pg_class; --", "closes nothing"},
		{"(1)) STORED; DROP TABLE tb_same; SELECT ((1)", "closes nothing"},
		{"1) STORED, ADD COLUMN x int DEFAULT (2", "closes nothing"},
		{"1) FROM tb_same, LATERAL (SELECT (2)", "closes nothing"},
		{"1 -- comment", "comment"},
		{"1 /* open", "comment"},
		{"'open", "never closed"},
		{`"open`, "never closed"},
		{"$x$ open", "never closed"},
		{"(t", "never closed"},
		{"array[i4", "never closed"},
		{"(i4]", "closes nothing"},
		{`E'\\' || t); DROP TABLE tb_same; --'`, "closes nothing"},
		{`E'\'' ) || t`, "closes nothing"},
		{"E'a'\n'\\' ); DROP TABLE tb_same; --'", "followed by another string"},
		{"t$a$); --$a$", "closes nothing"},
		{"1$$'$$ ); DROP TABLE tb_same; --'", "runs into"},
		{"1e'\\'", "runs into"},
		{"1\x00", "UTF-8"},
		{"'\xff'", "UTF-8"},
	}
	exprs := make([]catalog.Expr, len(tests))
	for i, tt := range tests {
		exprs[i] = catalog.Expr{Table: onAll, SQL: tt.sql}
	}
	got := verdicts(t, exprs...)
	for i, tt := range tests {
		info := got[exprs[i]]
		if info.Error == "" || !strings.Contains(info.Error, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.sql, info.Error, tt.want)
		}
		if strings.Contains(info.Error+info.Hint, "column generation") || strings.Contains(info.Error, "scratch") {
			t.Errorf("%q: the error tells of how it was checked: %q", tt.sql, info.Error)
		}
		t.Logf("%-50q %s | %s", tt.sql, info.Error, info.Hint)
	}
}

func TestPredicateMustBeBoolean(t *testing.T) {
	e := catalog.Expr{Table: onAll, SQL: "t", Predicate: true}
	if info := verdicts(t, e)[e]; !strings.Contains(info.Error, "of type text, not boolean") {
		t.Errorf("got %q", info.Error)
	}
	e = catalog.Expr{Table: model.TableName{Name: "missing"}, SQL: "true", Predicate: true}
	if info := verdicts(t, e)[e]; !strings.Contains(info.Error, "missing does not exist") {
		t.Errorf("got %q", info.Error)
	}
}

// Nothing is left behind, and what was said of an expression is said on a
// connection of any standard_conforming_strings.
func TestScratchLeavesNothing(t *testing.T) {
	url := pgtest.Database(t)
	pgtest.Exec(t, url, "CREATE TABLE tb_all (id int PRIMARY KEY, t text)")
	conn := pgtest.Connect(t, url)
	count := func() (n int) {
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_class").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if _, err := conn.Exec(t.Context(), "SET standard_conforming_strings = off"); err != nil {
		t.Fatal(err)
	}
	before := count()
	e := catalog.Expr{Table: onAll, SQL: `'a\' || t`}
	cat, err := catalog.Load(t.Context(), conn, catalog.Request{Exprs: []catalog.Expr{e, e}})
	if err != nil {
		t.Fatal(err)
	}
	if info := cat.Exprs[e]; info.Error != "" {
		t.Error(info.Error)
	}
	if after := count(); after != before {
		t.Errorf("%d relations before, %d after", before, after)
	}
}

func TestMissingPrivileges(t *testing.T) {
	url := pgtest.Database(t)
	role := "r_" + pgx.Identifier{strings.ReplaceAll(t.Name(), "/", "_")}.Sanitize()[1:8]
	pgtest.Exec(t, url, "CREATE TABLE tb_all (id int PRIMARY KEY, t text); CREATE ROLE "+role)
	t.Cleanup(func() { pgtest.Exec(t, url, "DROP OWNED BY "+role+"; DROP ROLE "+role) })
	e := catalog.Expr{Table: onAll, SQL: "t"}
	judge := func() catalog.ExprInfo {
		conn := pgtest.Connect(t, url)
		if _, err := conn.Exec(t.Context(), "SET ROLE "+role); err != nil {
			t.Fatal(err)
		}
		cat, err := catalog.Load(t.Context(), conn, catalog.Request{Exprs: []catalog.Expr{e}})
		if err != nil {
			t.Fatal(err)
		}
		return cat.Exprs[e]
	}
	if info := judge(); !strings.Contains(info.Error, "permission denied for table") || !strings.Contains(info.Hint, "GRANT SELECT ON public.tb_all") {
		t.Errorf("%+v", info)
	}
	pgtest.Exec(t, url, "GRANT SELECT ON tb_all TO "+role+"; DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM public', current_database()); END $$")
	if info := judge(); !strings.Contains(info.Error, "may not create temporary tables") || !strings.Contains(info.Hint, "GRANT TEMPORARY") {
		t.Errorf("%+v", info)
	}
	conn := pgtest.Connect(t, url)
	if _, err := conn.Exec(t.Context(), "SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
	cat, err := catalog.Load(t.Context(), conn, catalog.Request{Exprs: []catalog.Expr{e}})
	if err != nil || !strings.Contains(cat.Exprs[e].Error, "takes no writes") {
		t.Errorf("read-only: %v %+v", err, cat)
	}
}
