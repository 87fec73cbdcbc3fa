package oracle

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver/pgtest"
	"freshet/model"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

const schema = `
CREATE TABLE author (id int PRIMARY KEY, name text NOT NULL, born date, boss_id int REFERENCES author, gone boolean NOT NULL DEFAULT false);
CREATE TABLE book (id uuid PRIMARY KEY, author_id int NOT NULL REFERENCES author, title text NOT NULL, price numeric(8,2), sold bigint NOT NULL DEFAULT 0, cover bytea);
CREATE TABLE genre (code text PRIMARY KEY);
CREATE TABLE book_genre (book_id uuid REFERENCES book, genre_code text REFERENCES genre, PRIMARY KEY (book_id, genre_code));
INSERT INTO author VALUES (1, 'Ann', '1970-01-02', NULL, false), (2, 'Bob', NULL, 1, false), (3, 'Cy', '1980-05-06', 1, true);
INSERT INTO book VALUES
  ('00000000-0000-0000-0000-00000000000b', 1, 'Zeta', 10.00, 9007199254740993, '\x00ff'),
  ('00000000-0000-0000-0000-00000000000a', 1, 'alpha', 2.50, 1, NULL),
  ('00000000-0000-0000-0000-00000000000c', 1, 'Zeta', NULL, 0, NULL),
  ('00000000-0000-0000-0000-00000000000d', 2, 'Solo', 0.10, 0, NULL);
INSERT INTO genre VALUES ('a'), ('B'), ('');
INSERT INTO book_genre SELECT '00000000-0000-0000-0000-00000000000b', code FROM genre;
`

const sdl = `
type Author @table(name: "author", where: "NOT gone") {
  id: ID!
  name: String!
  born: Date
  age: Int @computed(sql: "2000 - extract(year from born)::int")
  boss: Author @belongsTo(foreignKey: "boss_id") @embed(fields: "id name")
  staff: [Author!]! @hasMany(foreignKey: "boss_id")
  books: [Book!]! @hasMany(foreignKey: "author_id", where: "sold >= 0", orderBy: [{title: DESC}], limit: 2)
    @embed(fields: "title price genres { code }")
  bookCount: Int! @aggregate(fn: COUNT, of: "books")
  income: Decimal @aggregate(fn: SUM, of: "books", field: "price")
  mean: Decimal @aggregate(fn: AVG, of: "books", field: "price")
  first: String @aggregate(fn: MIN, of: "books", field: "title")
}
type Book @table(name: "book") {
  id: ID!
  title: String!
  price: Decimal
  sold: BigInt!
  cover: Bytes
  author: Author @belongsTo(foreignKey: "author_id") @embed(fields: "name")
  genres: [Genre!]! @manyToMany(through: "book_genre", foreignKey: "book_id", targetKey: "genre_code")
}
type Genre @table(name: "genre") { code: ID! }
`

// authors are the documents by hand.
const authors = `{
"1": {"id": "1", "name": "Ann", "born": "1970-01-02", "age": 30, "boss": null, "staff": [{"id": "2"}],
  "books": [{"id": "00000000-0000-0000-0000-00000000000a", "title": "alpha", "price": "2.50", "genres": []},
            {"id": "00000000-0000-0000-0000-00000000000b", "title": "Zeta", "price": "10.00", "genres": [{"code": ""}, {"code": "B"}, {"code": "a"}]}],
  "bookCount": 3, "income": "12.50", "mean": 6.25, "first": "Zeta"},
"2": {"id": "2", "name": "Bob", "born": null, "age": null, "boss": {"id": "1", "name": "Ann"}, "staff": [],
  "books": [{"id": "00000000-0000-0000-0000-00000000000d", "title": "Solo", "price": "0.10", "genres": []}],
  "bookCount": 1, "income": "0.10", "mean": 0.1, "first": "Solo"}
}`

const book = `{"id": "00000000-0000-0000-0000-00000000000b", "title": "Zeta", "price": "10.00", "sold": "9007199254740993", "cover": "AP8=",
  "author": {"id": "1", "name": "Ann"}, "genres": [{"code": ""}, {"code": "B"}, {"code": "a"}]}`

// TestByHand compares the oracle with documents written by hand.
func TestByHand(t *testing.T) {
	t.Parallel()
	w := evaluate(t)
	docs, err := w.documents(w.model.Type("Author"))
	if err != nil {
		t.Fatal(err)
	}
	same(t, authors, docs)
	if docs, err = w.documents(w.model.Type("Book")); err != nil {
		t.Fatal(err)
	}
	same(t, book, docs["00000000-0000-0000-0000-00000000000b"])
}

func evaluate(t *testing.T) *world {
	t.Helper()
	m, ds := model.Parse("test.graphql", sdl)
	if err := ds.Err(); err != nil {
		t.Fatal(err)
	}
	url := pgtest.Database(t)
	pgtest.Exec(t, url, schema)
	tx, err := pgtest.Connect(t, url).BeginTx(context.Background(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(context.Background(), session); err != nil {
		t.Fatal(err)
	}
	w, err := load(context.Background(), tx, m)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func same(t *testing.T, want string, got any) {
	t.Helper()
	var w, g any
	raw, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(w, g); d != "" {
		t.Error(d)
	}
}

// TestDiff shows that the comparison sees what it must, and no more.
func TestDiff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ want, got, path string }{
		{`{"a": [1, {"b": null}]}`, `{"a": [1.0, {"b": null}]}`, "none"},
		{`{"a": 12345678901234567890.1}`, `{"a": 12345678901234567890.2}`, ".a"},
		{`{"a": [1, 2]}`, `{"a": [1]}`, ".a[1]"},
		{`{"a": [1]}`, `{"a": [1, 2]}`, ".a[1]"},
		{`{"a": 1}`, `{"a": "1"}`, ".a"},
		{`{"a": 1}`, `{}`, ".a"},
		{`{}`, `{"a": null}`, ".a"},
		{`{"a": null}`, `{"a": {}}`, ".a"},
		{`{"a": "x"}`, `{"a": ["x"]}`, ".a"},
		{`{"a": {}}`, `{"a": []}`, ".a"},
	} {
		want, err := decode([]byte(c.want))
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode([]byte(c.got))
		if err != nil {
			t.Fatal(err)
		}
		path := "none"
		if d := diff("", want, got); d != nil {
			path = d.path
		}
		if path != c.path {
			t.Errorf("diff(%s, %s) at %s, want %s", c.want, c.got, path, c.path)
		}
	}
}

// TestApprox allows the last digits of sums and averages, not more.
func TestApprox(t *testing.T) {
	t.Parallel()
	if !sameScalar(approx{value: 0.3}, json.Number("0.30000000000000004")) {
		t.Error("the last digit of a float counts")
	}
	if sameScalar(approx{value: 0.3}, json.Number("0.3001")) || sameScalar(approx{value: 3}, "3") || sameScalar(approx{value: 3}, nil) {
		t.Error("a different value passes")
	}
}
