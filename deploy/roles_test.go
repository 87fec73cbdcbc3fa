package deploy_test

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver/pgtest"
	"freshet/examples/blog"
	"freshet/model"
	"freshet/projector/catalog"
	"freshet/projector/compile"
	"freshet/projector/migrate"
)

const blogModel = "../examples/blog/model.graphql"

// rights are all owners and privileges in a database.
const rights = `
SELECT kind || ' ' || name || ': ' || what FROM (
    SELECT 'table' AS kind, c.oid::regclass::text AS name, c.relowner AS owner, c.relacl AS acl
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v') AND n.nspname IN ('public', 'freshet')
    UNION ALL SELECT 'schema', nspname, nspowner, nspacl FROM pg_namespace WHERE nspname IN ('public', 'freshet')
    UNION ALL SELECT 'later in', coalesce(n.nspname, ''), d.defaclrole, d.defaclacl
      FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
    UNION ALL SELECT 'database', 'this', datdba, datacl FROM pg_database WHERE datname = current_database()
) o, LATERAL (
    SELECT 'owned by ' || owner::regrole AS what
    UNION ALL SELECT a.privilege_type || ' to ' || CASE a.grantee WHEN 0 THEN 'public' ELSE a.grantee::regrole::text END FROM aclexplode(o.acl) a
) w ORDER BY 1`

// TestRoles runs roles.sql, twice, and compares what comes of it with what
// migrate.Privileges writes for the same model.
func TestRoles(t *testing.T) {
	plan, byMigrate := migrated(t)
	pgtest.Exec(t, byMigrate, migrate.Privileges(plan))
	_, url := migrated(t)
	script := read(t, "deploy/sql/roles.sql")
	pgtest.Exec(t, url, script)
	pgtest.Exec(t, url, script)
	got, want := lines(t, url, rights), lines(t, byMigrate, rights)
	if diff := cmp.Diff(want, got); diff != "" || len(got) < 20 {
		t.Errorf("roles.sql gives other rights than migrate.Privileges (-want +got):\n%s%v", diff, got)
	}
	// A view reads as its owner: whoever migrated has no right to the tables any more.
	if !slices.Contains(got, "table freshet.lag: owned by freshet_projector") {
		t.Error("freshet.lag does not belong to freshet_projector")
	}
	projector, api := as(t, url, "freshet_projector"), as(t, url, "freshet_api")
	if out, err := exec.Command(built(t), "check", "--model", blogModel, "--database-url", projector).CombinedOutput(); err != nil {
		t.Errorf("check as freshet_projector: %v\n%s", err, out)
	}
	for sql, allowed := range map[string]bool{
		"SELECT count(*) FROM tv_post": true, "SELECT count(*) FROM freshet.sync_log": true,
		"SELECT count(*) FROM freshet.lag": true, "DELETE FROM freshet.fanout": false,
		"SELECT count(*) FROM tb_post": false, "DELETE FROM tv_post": false, "DELETE FROM freshet.pending": false,
	} {
		if _, err := pgtest.Connect(t, api).Exec(context.Background(), sql); (err == nil) != allowed {
			t.Errorf("%s as freshet_api: %v", sql, err)
		}
	}
}

// migrated makes a database with the blog, and brings it to what its model
// needs.
func migrated(t *testing.T) (*compile.Plan, string) {
	t.Helper()
	ctx, url := context.Background(), pgtest.Database(t)
	pgtest.Exec(t, url, blog.Schema)
	m, faults, err := model.ParseFile(blogModel)
	if err != nil || faults.Err() != nil {
		t.Fatal(err, faults)
	}
	conn := pgtest.Connect(t, url)
	cat, err := catalog.Load(ctx, conn, compile.Request(m))
	if err != nil {
		t.Fatal(err)
	}
	plan, faults := compile.Compile(m, cat)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	steps, err := migrate.Plan(ctx, conn, plan, migrate.Options{LeaveSlot: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := migrate.Apply(ctx, conn.Config(), steps, func(migrate.Step) {}); err != nil {
		t.Fatal(err)
	}
	return plan, url
}

func lines(t *testing.T, url, sql string) []string {
	t.Helper()
	rows, err := pgtest.Connect(t, url).Query(context.Background(), sql)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// as is the URL with another user.
func as(t *testing.T, url, user string) string {
	t.Helper()
	_, rest, ok := strings.Cut(url, "@")
	if !ok {
		t.Fatal(url)
	}
	return "postgres://" + user + "@" + rest
}
