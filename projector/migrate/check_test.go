package migrate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/migrate"
)

func check(t *testing.T, conn *pgx.Conn) string {
	t.Helper()
	var lines []string
	for _, f := range migrate.Check(t.Context(), conn, handMade(t, conn, blogNeeds), options(t)) {
		lines = append(lines, f.String())
		if f.Severity == migrate.Fault && f.Remedy == "" {
			t.Errorf("no remedy: %s", f)
		}
	}
	return strings.Join(lines, "\n")
}

func wants(t *testing.T, got string, wants ...string) {
	t.Helper()
	for _, w := range wants {
		if !strings.Contains(got, w) {
			t.Errorf("nothing says %q in:\n%s", w, got)
		}
	}
}

func TestCheckOfNothing(t *testing.T) {
	url := pgtest.Database(t)
	pgtest.Exec(t, url, blog)
	got := check(t, pgtest.Connect(t, url))
	wants(t, got, "fault: schema freshet: Freshet's own tables are not there yet",
		"fault: public.tb_tag: it has no replica identity", "fault: public.tb_comment: its replica identity does not cover author_id",
		"fault: publication freshet: it does not exist", "it does not exist yet",
		"warning: max_slot_wal_keep_size: it is unlimited")
	if strings.Index(got, "warning:") < strings.LastIndex(got, "fault:") {
		t.Errorf("the worst does not come first:\n%s", got)
	}
}

func TestCheckWhenAllIsWell(t *testing.T) {
	_, conn := migrated(t)
	if got := check(t, conn); strings.Contains(got, "fault") {
		t.Error(got)
	}
}

func TestCheckSlot(t *testing.T) {
	url, conn := migrated(t)
	name := options(t).Slot
	config, _ := pgconn.ParseConfig(url)
	config.RuntimeParams["replication"], config.RuntimeParams["application_name"] = "database", "thief"
	thief, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	start := fmt.Sprintf(`START_REPLICATION SLOT "%s" LOGICAL 0/0 (proto_version '1', publication_names 'freshet')`, name)
	thief.Frontend().SendQuery(&pgproto3.Query{String: start})
	if err := thief.Frontend().Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := thief.ReceiveMessage(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, check(t, conn), fmt.Sprintf("fault: replication slot %s: it is held by somebody else: pid %d of user postgres (thief) from 127.0.0.1", name, thief.PID()),
		fmt.Sprintf("pg_terminate_backend(%d)", thief.PID()))
	_ = thief.Close(t.Context())

	drop := `SELECT pg_drop_replication_slot('` + name + `')`
	waitInactive(t, conn, name)
	pgtest.Exec(t, url, drop+`; SELECT pg_create_physical_replication_slot('`+name+`')`)
	wants(t, check(t, conn), "it is not Freshet's: it is a physical slot")
	if _, err := migrate.Plan(t.Context(), conn, handMade(t, conn, blogNeeds), options(t)); err == nil {
		t.Error("Plan accepts a physical slot")
	}
	other := pgtest.Database(t)
	pgtest.Exec(t, other, drop+`; SELECT pg_create_logical_replication_slot('`+name+`', 'pgoutput')`)
	wants(t, check(t, conn), `it is not Freshet's: it belongs to database "t_`)
	pgtest.Exec(t, other, drop)
	pgtest.Exec(t, url, `INSERT INTO freshet.checkpoint SELECT '`+name+`', system_identifier, 1, current_database(), 'streaming', 1, 1, '0/1', '0/1', NULL, now() FROM pg_control_system()`)
	wants(t, check(t, conn), "it is gone, though documents were applied up to 0/1", "--recreate-slot")
	m := planned(t, conn, blogNeeds, options(t))
	if !m.Empty() || !strings.Contains(strings.Join(m.Notes, ""), "--recreate-slot") {
		t.Errorf("a slot after a gap is planned: %v %v", kinds(m), m.Notes)
	}
}

func TestCheckCheckpoint(t *testing.T) {
	url, conn := migrated(t)
	insert := `DELETE FROM freshet.checkpoint; INSERT INTO freshet.checkpoint
		SELECT '` + options(t).Slot + `', %s, %s, %s, 'streaming', 1, 1, %s, '0/1', NULL, now() FROM pg_control_system()`
	for want, args := range map[string][]any{
		"belongs to another cluster (system identifier 42": {"42", "1", "current_database()", "'0/1'"},
		"belongs to another timeline (7, this one is 1)":   {"system_identifier", "7", "current_database()", "'0/1'"},
		`belongs to another database ("x"`:                 {"system_identifier", "1", "'x'", "'0/1'"},
		"belongs to a later state of this cluster":         {"system_identifier", "1", "current_database()", "'FF/1'"},
	} {
		pgtest.Exec(t, url, fmt.Sprintf(insert, args...))
		wants(t, check(t, conn), want)
	}
	pgtest.Exec(t, url, fmt.Sprintf(insert, "system_identifier", "1", "current_database()", "'0/1'"))
	if got := check(t, conn); strings.Contains(got, "fault") {
		t.Error(got)
	}
}

func TestCheckRole(t *testing.T) {
	url := pgtest.Database(t)
	role := "c_checkrole"
	pgtest.Exec(t, url, blog+`CREATE ROLE `+role+` LOGIN; REVOKE ALL ON SCHEMA public FROM PUBLIC;
		DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM public', current_database()); END $$;
		GRANT USAGE ON SCHEMA public TO `+role+`; GRANT SELECT ON tb_user TO `+role+`; GRANT SELECT (tag, user_id) ON tb_tag TO `+role+`;
		ALTER TABLE tb_user ENABLE ROW LEVEL SECURITY`)
	t.Cleanup(func() { pgtest.Exec(t, url, `DROP OWNED BY `+role+`; DROP ROLE `+role) })
	conn := pgtest.Connect(t, strings.Replace(url, "postgres://postgres@", "postgres://"+role+"@", 1))
	got := check(t, conn)
	wants(t, got, "fault: role c_checkrole: it may not use replication", `ALTER ROLE "c_checkrole" REPLICATION`,
		"it may not create temporary tables", "schema freshet is not there, and it may not create it",
		"fault: public.tb_note: role c_checkrole may not read it", `GRANT SELECT ON "public"."tb_note" TO "c_checkrole"`,
		"fault: public.tb_user: row-level security hides rows", "fault: schema public: role c_checkrole may not create tv_* tables in it",
		"warning: public.tb_note: role c_checkrole does not own it")
	if strings.Contains(got, "tb_tag: role c_checkrole may not read it") {
		t.Errorf("the right to the columns it reads is not seen:\n%s", got)
	}
}

func TestCheckServer(t *testing.T) {
	s := pgtest.Start(t, map[string]string{
		"wal_level": "replica", "max_replication_slots": "1", "max_slot_wal_keep_size": "1GB",
		"standard_conforming_strings": "off",
	})
	url := pgtest.DatabaseOn(t, s)
	pgtest.Exec(t, url, blog+`SELECT pg_create_physical_replication_slot('taken')`)
	got := check(t, pgtest.Connect(t, url))
	wants(t, got, `fault: wal_level: it is "replica"`, "ALTER SYSTEM SET wal_level = 'logical'", "fault: max_replication_slots: all 1 slots are in use",
		"warning: standard_conforming_strings")
	if _, err := migrate.Plan(t.Context(), pgtest.Connect(t, url), handMade(t, pgtest.Connect(t, url), blogNeeds), options(t)); err == nil || !strings.Contains(err.Error(), "wal_level") {
		t.Errorf("Plan: %v", err)
	}
	if strings.Contains(got, "max_slot_wal_keep_size") {
		t.Error("a limit is set, and complained of")
	}
	pgtest.Exec(t, url, `SELECT pg_drop_replication_slot('taken')`)
}

func TestCheckModels(t *testing.T) {
	url, conn := migrated(t)
	pgtest.Exec(t, url, `UPDATE freshet.models SET hash = 'x'; INSERT INTO freshet.models
		VALUES ('Old', 'h', '{"type": "Old", "schema": "public", "table": "tv_old"}', '[]', 'ready')`)
	wants(t, check(t, conn), "fault: public.tv_user: the table of read model User was built from another definition", "freshet migrate --apply drops and creates it",
		"note: public.tv_old: read model Old is no longer in the model file")
	pgtest.Exec(t, url, `UPDATE freshet.schema_version SET version = 99`)
	wants(t, check(t, conn), "made by a newer Freshet")
}

func TestPrivileges(t *testing.T) {
	url, conn := migrated(t)
	sql := migrate.Privileges(handMade(t, conn, blogNeeds))
	t.Cleanup(func() {
		pgtest.Exec(t, url, `REASSIGN OWNED BY freshet_projector TO postgres; DROP OWNED BY freshet_projector; DROP OWNED BY freshet_api; DROP ROLE freshet_projector, freshet_api`)
	})
	for range 2 {
		pgtest.Exec(t, url, sql)
	}
	projector := pgtest.Connect(t, strings.Replace(url, "postgres://postgres@", "postgres://freshet_projector@", 1))
	if got := check(t, projector); strings.Contains(got, "fault") {
		t.Error(got)
	}
	if err := migrate.ApplyIndexes(t.Context(), projector, handMade(t, conn, blogNeeds)); err != nil {
		t.Error(err)
	}
	// A rebuild by the projector's role leaves the API its right to read.
	pgtest.Exec(t, url, `UPDATE freshet.models SET hash = 'other'`)
	apply(t, projector.Config().ConnString(), planned(t, projector, blogNeeds, options(t)))
	api := pgtest.Connect(t, strings.Replace(url, "postgres://postgres@", "postgres://freshet_api@", 1))
	for _, table := range []string{"tv_user", "freshet.sync_log", "freshet.checkpoint", "freshet.models"} {
		if _, err := api.Exec(t.Context(), `SELECT FROM `+table); err != nil {
			t.Error(err)
		}
	}
	if _, err := api.Exec(t.Context(), `SELECT FROM tb_user`); err == nil {
		t.Error("the API may read the sources")
	}
}
