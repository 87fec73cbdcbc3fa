package migrate_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/catalog"
	"freshet/projector/checkpoint"
	"freshet/projector/compile"
	"freshet/projector/migrate"

	modelfile "freshet/model"
)

func removal(t *testing.T, conn *pgx.Conn, opts migrate.Options) *migrate.Migration {
	t.Helper()
	m, err := migrate.Removal(t.Context(), conn, opts)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// everything lists what a database has beside the application's own.
const everything = `
SELECT coalesce(string_agg(x, ', ' ORDER BY x), '') FROM (
    SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('freshet', 'public') AND c.relkind IN ('r', 'i', 'p', 'v')
    UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname = 'freshet'
    UNION ALL SELECT 'publication ' || pubname FROM pg_publication
    UNION ALL SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE database = current_database()
    UNION ALL SELECT 'identity ' || relname || relreplident::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relreplident <> 'f'
) t (x)`

// TestRemoval leaves a database as it was before the migration, but for what
// it cannot know to be Freshet's, which it tells.
func TestRemoval(t *testing.T) {
	url := pgtest.Database(t)
	pgtest.Exec(t, url, blog)
	conn := pgtest.Connect(t, url)
	before := scan[string](t, conn, everything)
	opts := options(t)
	apply(t, url, planned(t, conn, blogNeeds, opts))
	migrated := scan[string](t, conn, everything)
	if !strings.Contains(migrated, "tb_comment_id_author_id_freshet_identity") || !strings.Contains(migrated, "slot s_") {
		t.Fatalf("the migration made %s", migrated)
	}
	m := removal(t, conn, opts)
	if got := scan[string](t, conn, everything); got != migrated {
		t.Errorf("planning changed it to %s", got)
	}
	if notes := strings.Join(m.Notes, "\n"); !strings.Contains(notes, `ALTER TABLE "public"."tb_note" REPLICA IDENTITY DEFAULT`) {
		t.Errorf("it does not tell of FULL identities:\n%s", notes)
	}
	apply(t, url, m)
	after := scan[string](t, conn, everything)
	for _, of := range []string{"tb_note", "tb_tag", "tb_visit", "tb_visit_1", "tb_visit_2", "tb_visit_2a"} {
		before = strings.Replace(before, "identity "+of+"d, ", "", 1) // these are FULL now
		after = strings.Replace(after, "identity "+of+"d, ", "", 1)
		before = strings.TrimSuffix(before, ", identity "+of+"d")
		after = strings.TrimSuffix(after, ", identity "+of+"d")
	}
	if after != before {
		t.Errorf("before %s\nafter  %s", before, after)
	}
	if again := removal(t, conn, opts); !again.Empty() {
		t.Errorf("there is more to do: %v", kinds(again))
	}
}

// TestRemovalGoesOn stops after each step in turn, and does the rest with a
// new plan.
func TestRemovalGoesOn(t *testing.T) {
	url, conn := migrated(t)
	opts := options(t)
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stopped")
	for left := len(removal(t, conn, opts).Steps); left > 0; left-- {
		m := removal(t, conn, opts)
		if len(m.Steps) != left {
			t.Fatalf("%d steps, want %d: %v", len(m.Steps), left, kinds(m))
		}
		done := false
		func() {
			defer func() {
				if r := recover(); r != nil && r != stop {
					panic(r)
				}
			}()
			_ = migrate.Apply(t.Context(), config, m, func(s migrate.Step) {
				if done {
					panic(stop)
				}
				done = s.Done
			})
		}()
	}
	if left := scan[string](t, conn, everything); strings.Contains(left, "freshet") || strings.Contains(left, "tv_") {
		t.Errorf("left: %s", left)
	}
}

func TestRemovalRefuses(t *testing.T) {
	for _, c := range []struct {
		name, sql string
		says      []string
	}{
		{"a view on a document table", "CREATE VIEW report AS SELECT * FROM tv_user", []string{"view public.report", "tv_user"}},
		{"a view on the log", "CREATE VIEW audit AS SELECT * FROM freshet.sync_log", []string{"view public.audit", "freshet.sync_log"}},
		{"a foreign key", "CREATE TABLE pin (user_id uuid REFERENCES tv_user)", []string{"foreign key of table public.pin"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, conn := migrated(t)
			pgtest.Exec(t, url, c.sql)
			before := scan[string](t, conn, everything)
			_, err := migrate.Removal(t.Context(), conn, options(t))
			var notReady *migrate.NotReady
			if !errors.As(err, &notReady) {
				t.Fatalf("got %v", err)
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("it does not say %q:\n%s", want, err)
				}
			}
			if after := scan[string](t, conn, everything); after != before {
				t.Errorf("it changed %s\nto %s", before, after)
			}
		})
	}
	t.Run("a projector at work", func(t *testing.T) {
		url, conn := migrated(t)
		other := pgtest.Connect(t, url)
		if ok, _, err := checkpoint.TryLock(t.Context(), other, options(t).Slot); err != nil || !ok {
			t.Fatal(err)
		}
		_, err := migrate.Removal(t.Context(), conn, options(t))
		if err == nil || !strings.Contains(err.Error(), "it runs: pid") {
			t.Errorf("got %v", err)
		}
	})
}

// TestRemovalSparesOthers leaves what bears Freshet's names but is not its own.
func TestRemovalSparesOthers(t *testing.T) {
	url, conn := migrated(t)
	pgtest.Exec(t, url, `
		DROP TABLE tv_user; CREATE TABLE tv_user (id uuid PRIMARY KEY, mine text);
		CREATE TABLE tv_other (id int, data jsonb, freshet_lsn pg_lsn);
		CREATE TABLE freshet.mine (id int);
		CREATE FUNCTION freshet.ours() RETURNS int LANGUAGE sql AS 'SELECT 1';
		CREATE PUBLICATION others FOR TABLE tb_tag, tb_comment;`)
	m := removal(t, conn, options(t))
	apply(t, url, m)
	left := scan[string](t, conn, everything)
	for _, want := range []string{"public.tv_user", "public.tv_other", "freshet.mine", "schema freshet", "publication others"} {
		if !strings.Contains(left, want) {
			t.Errorf("%s is gone; left is %s", want, left)
		}
	}
	notes := strings.Join(m.Notes, "\n")
	for _, want := range []string{"public.tv_user is left", "mine, ours()"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note of %q:\n%s", want, notes)
		}
	}
	if strings.Contains(left, "freshet.sync_log") || strings.Contains(left, "publication freshet") {
		t.Errorf("left is %s", left)
	}
}

// TestRemovalOfLongNames finds an identity index whose name was cut.
func TestRemovalOfLongNames(t *testing.T) {
	const table = "tb_a_table_with_a_name_that_leaves_no_room_for_anything_else"
	url := pgtest.Database(t)
	pgtest.Exec(t, url, `CREATE TABLE `+table+` (id bigint PRIMARY KEY, the_owner bigint NOT NULL)`)
	conn := pgtest.Connect(t, url)
	cat, err := catalog.Load(t.Context(), conn, catalog.Request{Tables: []modelfile.TableName{{Name: table}}})
	if err != nil {
		t.Fatal(err)
	}
	src := &compile.Source{Table: cat.Resolved[modelfile.TableName{Name: table}], Identity: []string{"id", "the_owner"}}
	need := compile.IdentityNeeds(&compile.Plan{Sources: []*compile.Source{src}})[0]
	if strings.HasSuffix(need.IndexName, "freshet_identity") || len(need.SQL) != 2 {
		t.Fatalf("%+v", need)
	}
	for _, sql := range need.SQL {
		pgtest.Exec(t, url, sql)
	}
	m := removal(t, conn, options(t))
	if got := kinds(m); !slices.Equal(got, []migrate.Kind{migrate.KindIdentity, migrate.KindIdentity}) {
		t.Fatalf("steps %v", got)
	}
	apply(t, url, m)
	if n := scan[int](t, conn, `SELECT count(*) FROM pg_index WHERE indrelid = $1::text::regclass`, table); n != 1 {
		t.Errorf("%d indexes", n)
	}
}
