package migrate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/migrate"
)

func TestPlanApplyPlan(t *testing.T) {
	url := pgtest.Database(t)
	pgtest.Exec(t, url, blog)
	conn := pgtest.Connect(t, url)
	m := planned(t, conn, blogNeeds, options(t))
	want := []migrate.Kind{
		migrate.KindSchema, migrate.KindTable,
		migrate.KindIdentity, migrate.KindIdentity, // the comments' index and its use
		migrate.KindIdentity, migrate.KindIdentity, migrate.KindIdentity, // tb_note, tb_tag, tb_visit
		migrate.KindPublication, migrate.KindSlot,
	}
	if d := cmp.Diff(want, kinds(m)); d != "" {
		t.Error(d)
	}
	if n := scan[int](t, conn, `SELECT count(*) FROM pg_tables WHERE schemaname = 'freshet' OR tablename LIKE 'tv%'`); n != 0 {
		t.Errorf("Plan made %d tables", n)
	}
	var told []string
	config, _ := pgx.ParseConfig(url)
	if err := migrate.Apply(t.Context(), config, m, func(s migrate.Step) {
		if s.Done {
			told = append(told, string(s.Kind))
		}
	}); err != nil {
		t.Fatal(err)
	}
	if len(told) != len(want) || !m.Empty() {
		t.Errorf("%d steps told of as done, empty %v", len(told), m.Empty())
	}
	again := planned(t, conn, blogNeeds, options(t))
	if !again.Empty() {
		t.Errorf("planned again: %v", kinds(again))
	}
	if last := again.Steps[len(again.Steps)-1]; last.Kind != migrate.KindIndex || last.Phase != migrate.After {
		t.Errorf("the secondary index is not left to the fill: %+v", last)
	}
	if err := migrate.Ready(t.Context(), conn, handMade(t, conn, blogNeeds), options(t).Slot, ""); err != nil {
		t.Errorf("not ready: %v", err)
	}
	identities := scan[string](t, conn, `SELECT string_agg(relname || '=' || relreplident::text, ' ' ORDER BY relname) FROM pg_class
		WHERE relname ~ '^tb_' AND relkind IN ('r', 'p')`)
	if want := "tb_comment=i tb_note=f tb_tag=f tb_unrelated=d tb_user=d tb_visit=f tb_visit_1=f tb_visit_2=d tb_visit_2a=f"; identities != want {
		t.Errorf("identities %s", identities)
	}
	if s := scan[string](t, conn, `SELECT state || ' ' || (sources -> 0 ->> 'table') FROM freshet.models`); s != "backfilling tb_comment" {
		t.Errorf("freshet.models has %s", s)
	}
}

func TestIndexesAfterTheFill(t *testing.T) {
	url, conn := migrated(t)
	cp := handMade(t, conn, blogNeeds)
	// What a killed build leaves behind.
	pgtest.Exec(t, url, `CREATE INDEX tv_user_username_idx ON tv_user (username);
		UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'tv_user_username_idx'::regclass`)
	for range 2 {
		if err := migrate.ApplyIndexes(t.Context(), conn, cp); err != nil {
			t.Fatal(err)
		}
	}
	if !scan[bool](t, conn, `SELECT indisvalid FROM pg_index WHERE indexrelid = 'tv_user_username_idx'::regclass`) {
		t.Error("the index is not valid")
	}
	pgtest.Exec(t, url, `UPDATE freshet.models SET state = 'ready'`)
	if m := planned(t, conn, blogNeeds, options(t)); len(m.Steps) != 0 {
		t.Errorf("planned: %+v", m.Steps)
	}
	pgtest.Exec(t, url, `DROP INDEX tv_user_username_idx`)
	m := planned(t, conn, blogNeeds, options(t))
	if d := cmp.Diff([]migrate.Kind{migrate.KindIndex}, kinds(m)); d != "" {
		t.Error(d)
	}
	apply(t, url, m)
	if m := planned(t, conn, blogNeeds, options(t)); len(m.Steps) != 0 {
		t.Errorf("planned: %+v", m.Steps)
	}
}

func TestModelChanged(t *testing.T) {
	url, conn := migrated(t)
	pgtest.Exec(t, url, `UPDATE freshet.models SET hash = 'other', state = 'ready';
		INSERT INTO tv_user VALUES (gen_random_uuid(), '{}', 'x', '0/1', now());
		GRANT SELECT ON tv_user TO PUBLIC`)
	err := migrate.Ready(t.Context(), conn, handMade(t, conn, blogNeeds), options(t).Slot, "")
	var notReady *migrate.NotReady
	if !errors.As(err, &notReady) || !strings.Contains(err.Error(), "was built from another definition") {
		t.Errorf("Ready: %v", err)
	}
	m := planned(t, conn, blogNeeds, options(t))
	if d := cmp.Diff([]migrate.Kind{migrate.KindTable}, kinds(m)); d != "" {
		t.Error(d)
	}
	if !strings.Contains(m.Steps[0].What, "drop and create public.tv_user") {
		t.Error(m.Steps[0].What)
	}
	apply(t, url, m)
	apply(t, url, m) // done: nothing happens
	if n := scan[int](t, conn, `SELECT count(*) FROM tv_user`); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	if s := scan[string](t, conn, `SELECT hash || ' ' || state FROM freshet.models`); s != "hash-1 backfilling" {
		t.Error(s)
	}
	if !scan[bool](t, conn, `SELECT relacl::text LIKE '%=r/%' FROM pg_class WHERE oid = 'tv_user'::regclass`) {
		t.Error("the grant to PUBLIC is lost")
	}
}

// Two migrations planned before either is applied: the second finds the
// table made, and does not drop it.
func TestPlannedAtOnce(t *testing.T) {
	url, conn := migrated(t)
	pgtest.Exec(t, url, `UPDATE freshet.models SET hash = 'other'`)
	first, second := planned(t, conn, blogNeeds, options(t)), planned(t, conn, blogNeeds, options(t))
	apply(t, url, first)
	pgtest.Exec(t, url, `INSERT INTO tv_user VALUES (gen_random_uuid(), '{}', 'x', '0/1', now())`)
	apply(t, url, second)
	if n := scan[int](t, conn, `SELECT count(*) FROM tv_user`); n != 1 {
		t.Error("the second migration dropped what the first one made")
	}
}

// Two applied at once take turns.
func TestAppliedAtOnce(t *testing.T) {
	url, conn := migrated(t)
	pgtest.Exec(t, url, `UPDATE freshet.models SET hash = 'other'`)
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	var group errgroup.Group
	for _, m := range []*migrate.Migration{planned(t, conn, blogNeeds, options(t)), planned(t, conn, blogNeeds, options(t)), planned(t, conn, blogNeeds, options(t))} {
		group.Go(func() error { return migrate.Apply(t.Context(), config, m, nil) })
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

func TestForeignTableIsRefused(t *testing.T) {
	url := pgtest.Database(t)
	pgtest.Exec(t, url, blog+`CREATE TABLE tv_user (id uuid PRIMARY KEY, precious text)`)
	conn := pgtest.Connect(t, url)
	_, err := migrate.Plan(t.Context(), conn, handMade(t, conn, blogNeeds), options(t))
	var notReady *migrate.NotReady
	if !errors.As(err, &notReady) || !strings.Contains(err.Error(), "public.tv_user: it exists and was not made for read model User: it is a table with the columns id, precious") {
		t.Fatalf("got %v", err)
	}
	// Recorded or not, what does not bear our marks is never dropped.
	pgtest.Exec(t, url, `DROP TABLE tv_user`)
	apply(t, url, planned(t, conn, blogNeeds, options(t)))
	pgtest.Exec(t, url, `DROP TABLE tv_user; CREATE TABLE tv_user (id uuid PRIMARY KEY, precious text)`)
	if _, err = migrate.Plan(t.Context(), conn, handMade(t, conn, blogNeeds), options(t)); !errors.As(err, &notReady) {
		t.Fatalf("got %v", err)
	}
}

func TestOwnTableIsAdopted(t *testing.T) {
	url, conn := migrated(t)
	pgtest.Exec(t, url, `INSERT INTO tv_user VALUES (gen_random_uuid(), '{}', 'x', '0/1', now()); DELETE FROM freshet.models`)
	m := planned(t, conn, blogNeeds, options(t))
	if d := cmp.Diff([]migrate.Kind{migrate.KindTable}, kinds(m)); d != "" {
		t.Error(d)
	}
	apply(t, url, m)
	if n := scan[int](t, conn, `SELECT count(*) FROM tv_user`); n != 1 {
		t.Error("the documents are gone")
	}
}

func TestModelGone(t *testing.T) {
	url, conn := migrated(t)
	pgtest.Exec(t, url, `CREATE TABLE tv_old (id int PRIMARY KEY, data jsonb, freshet_lsn pg_lsn);
		CREATE TABLE not_ours (id int);
		INSERT INTO freshet.models VALUES ('Old', 'h', '{"type": "Old", "schema": "public", "table": "tv_old"}', '[]', 'ready'),
			('Odd', 'h', '{"type": "Odd", "schema": "public", "table": "not_ours"}', '[]', 'ready')`)
	m := planned(t, conn, blogNeeds, options(t))
	if !m.Empty() || !strings.Contains(strings.Join(m.Notes, "\n"), "public.tv_old of read model Old is no longer in the model file") {
		t.Errorf("steps %v, notes %v", kinds(m), m.Notes)
	}
	prune := options(t)
	prune.Prune = true
	m = planned(t, conn, blogNeeds, prune)
	if d := cmp.Diff([]migrate.Kind{migrate.KindDrop, migrate.KindDrop}, kinds(m)); d != "" {
		t.Error(d)
	}
	apply(t, url, m)
	if s := scan[string](t, conn, `SELECT concat(to_regclass('tv_old'), to_regclass('not_ours'))`); s != "not_ours" {
		t.Errorf("left: %s", s)
	}
}

func TestPublicationDrift(t *testing.T) {
	url, conn := migrated(t)
	pgtest.Exec(t, url, `UPDATE freshet.models SET state = 'ready'; CREATE INDEX tv_user_username_idx ON tv_user (username);
		ALTER PUBLICATION freshet DROP TABLE tb_comment; ALTER PUBLICATION freshet ADD TABLE tb_unrelated;
		ALTER PUBLICATION freshet SET (publish = 'insert, update', publish_via_partition_root = false)`)
	err := migrate.Ready(t.Context(), conn, handMade(t, conn, blogNeeds), options(t).Slot, "")
	for _, want := range []string{"public.tb_comment are not all published: the table is not in it", "it does not publish delete, truncate"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Ready does not say %q: %v", want, err)
		}
	}
	m := planned(t, conn, blogNeeds, options(t))
	want := []migrate.Kind{migrate.KindRefill, migrate.KindPublication, migrate.KindPublication, migrate.KindPublication}
	if d := cmp.Diff(want, kinds(m)); d != "" {
		t.Error(d)
	}
	apply(t, url, m)
	if m := planned(t, conn, blogNeeds, options(t)); !m.Empty() {
		t.Errorf("planned again: %v", kinds(m))
	}
	if s := scan[string](t, conn, `SELECT state FROM freshet.models`); s != "backfilling" {
		t.Errorf("the model is %s, though it missed changes", s)
	}
	tables := scan[string](t, conn, `SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_publication_tables WHERE pubname = 'freshet'`)
	if tables != "tb_comment tb_note tb_tag tb_user tb_visit" {
		t.Errorf("published: %s", tables)
	}
}

func TestPublicationOfAllTables(t *testing.T) {
	url := pgtest.Database(t)
	pgtest.Exec(t, url, blog+`ALTER TABLE tb_tag REPLICA IDENTITY FULL; CREATE PUBLICATION freshet FOR ALL TABLES WITH (publish_via_partition_root = true)`)
	conn := pgtest.Connect(t, url)
	apply(t, url, planned(t, conn, blogNeeds, options(t)))
	if m := planned(t, conn, blogNeeds, options(t)); !m.Empty() {
		t.Errorf("planned again: %v", kinds(m))
	}
	if err := migrate.Ready(t.Context(), conn, handMade(t, conn, blogNeeds), options(t).Slot, ""); err != nil {
		t.Error(err)
	}
}

func TestPublicationFilterIsRefused(t *testing.T) {
	url, conn := migrated(t)
	if scan[int](t, conn, `SELECT current_setting('server_version_num')::int`) < 150000 {
		t.Skip("row filters came with Postgres 15")
	}
	for _, how := range []string{"tb_user WHERE (id IS NOT NULL)", "tb_user (id)"} {
		pgtest.Exec(t, url, `ALTER PUBLICATION freshet DROP TABLE tb_user; ALTER PUBLICATION freshet ADD TABLE `+how)
		_, err := migrate.Plan(t.Context(), conn, handMade(t, conn, blogNeeds), options(t))
		if err == nil || !strings.Contains(err.Error(), `ALTER PUBLICATION "freshet" DROP TABLE "public"."tb_user"`) {
			t.Errorf("%s: %v", how, err)
		}
		if err := migrate.Ready(t.Context(), conn, handMade(t, conn, blogNeeds), options(t).Slot, ""); err == nil {
			t.Errorf("%s: ready", how)
		}
	}
}

func TestIdentityLost(t *testing.T) {
	url, conn := migrated(t)
	pgtest.Exec(t, url, `UPDATE freshet.models SET state = 'ready'; CREATE INDEX tv_user_username_idx ON tv_user (username);
		ALTER TABLE tb_comment REPLICA IDENTITY DEFAULT;
		CREATE TABLE tb_visit_3 PARTITION OF tb_visit FOR VALUES FROM ('2024-03-01') TO ('2024-04-01')`)
	err := migrate.Ready(t.Context(), conn, handMade(t, conn, blogNeeds), options(t).Slot, "")
	for _, want := range []string{"public.tb_comment: its replica identity does not cover author_id", "public.tb_visit: its replica identity does not cover user_id", "or of one of its partitions"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Ready does not say %q: %v", want, err)
		}
	}
	m := planned(t, conn, blogNeeds, options(t))
	// The index is still there.
	if d := cmp.Diff([]migrate.Kind{migrate.KindRefill, migrate.KindIdentity, migrate.KindIdentity}, kinds(m)); d != "" {
		t.Error(d)
	}
	apply(t, url, m)
	if m := planned(t, conn, blogNeeds, options(t)); !m.Empty() {
		t.Errorf("planned again: %v", kinds(m))
	}
}

// Tables and partitions that the primary key would cover get it back.
func TestIdentityDefault(t *testing.T) {
	url, conn := migrated(t)
	pgtest.Exec(t, url, `ALTER TABLE tb_user REPLICA IDENTITY NOTHING; ALTER TABLE tb_visit_1 REPLICA IDENTITY NOTHING;
		ALTER TABLE tb_visit REPLICA IDENTITY DEFAULT; ALTER TABLE tb_visit_2a REPLICA IDENTITY DEFAULT`)
	needs := slices.Clone(blogNeeds)
	needs[4].identity = []string{"id"}
	m := planned(t, conn, needs, options(t))
	if d := cmp.Diff([]migrate.Kind{migrate.KindIdentity, migrate.KindIdentity}, kinds(m)); d != "" {
		t.Error(d)
	}
	apply(t, url, m)
	identities := scan[string](t, conn, `SELECT string_agg(relname || '=' || relreplident::text, ' ' ORDER BY relname) FROM pg_class
		WHERE relname ~ '^tb_(user|visit)' AND relkind IN ('r', 'p')`)
	if want := "tb_user=d tb_visit=d tb_visit_1=d tb_visit_2=d tb_visit_2a=d"; identities != want {
		t.Errorf("identities %s", identities)
	}
}

func TestSourceTypeChanged(t *testing.T) {
	url, conn := migrated(t)
	pgtest.Exec(t, url, `ALTER TABLE tb_comment ALTER COLUMN content TYPE varchar(20)`)
	err := migrate.Ready(t.Context(), conn, handMade(t, conn, blogNeeds), options(t).Slot, "")
	if err == nil || !strings.Contains(err.Error(), "public.tb_comment.content was text and is character varying(20)") {
		t.Errorf("got %v", err)
	}
	m := planned(t, conn, blogNeeds, options(t))
	if d := cmp.Diff([]migrate.Kind{migrate.KindRefill}, kinds(m)); d != "" {
		t.Error(d)
	}
	apply(t, url, m)
	if err := migrate.Ready(t.Context(), conn, handMade(t, conn, blogNeeds), options(t).Slot, ""); err != nil {
		t.Error(err)
	}
}

func TestUnsuitableSources(t *testing.T) {
	url := pgtest.Database(t)
	pgtest.Exec(t, url, blog+`CREATE TABLE heir () INHERITS (tb_note); ALTER TABLE tb_tag SET UNLOGGED`)
	conn := pgtest.Connect(t, url)
	_, err := migrate.Plan(t.Context(), conn, handMade(t, conn, blogNeeds), options(t))
	if err == nil || !strings.Contains(err.Error(), "public.tb_note: other tables inherit") || !strings.Contains(err.Error(), "public.tb_tag: it is unlogged") {
		t.Errorf("got %v", err)
	}
}

// A fill that has begun is begun again.
func TestIdentityLostDuringTheFill(t *testing.T) {
	url, conn := migrated(t)
	pgtest.Exec(t, url, `ALTER TABLE tb_note REPLICA IDENTITY DEFAULT; INSERT INTO freshet.backfill VALUES ('User', 0, NULL, NULL)`)
	m := planned(t, conn, blogNeeds, options(t))
	if d := cmp.Diff([]migrate.Kind{migrate.KindRefill, migrate.KindIdentity}, kinds(m)); d != "" {
		t.Error(d)
	}
	apply(t, url, m)
	if n := scan[int](t, conn, `SELECT count(*) FROM freshet.backfill`); n != 0 {
		t.Error("ranges are still marked as done")
	}
}

func TestCanceledApply(t *testing.T) {
	url := pgtest.Database(t)
	pgtest.Exec(t, url, blog)
	conn := pgtest.Connect(t, url)
	m := planned(t, conn, blogNeeds, options(t))
	ctx, cancel := context.WithCancel(t.Context())
	config, _ := pgx.ParseConfig(url)
	err := migrate.Apply(ctx, config, m, func(s migrate.Step) {
		if s.Kind == migrate.KindIdentity {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	apply(t, url, planned(t, conn, blogNeeds, options(t)))
	if m := planned(t, conn, blogNeeds, options(t)); !m.Empty() {
		t.Errorf("planned again: %v", kinds(m))
	}
}
