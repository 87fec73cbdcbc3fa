package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"freshet/model"
)

// libraryModel has an interface of stored types, one with a type that is not
// stored, a union, and a field of each; embeds are as %[1]s says.
const libraryModel = `
"Whatever has a title"
interface Titled {
  id: ID!
  "As printed"
  title: String! @deprecated(reason: "Ask for name.")
  author: Actor
}

interface Actor { name: String! }

"What a note is on"
union Subject = Book | Film

type Company @table(name: "company", stored: false) { name: String! city: String }

type Firm implements Actor @table(name: "firm", stored: false) { name: String! city: String }

type Person implements Actor @table(name: "person") { id: ID! name: String! friend: Person @belongsTo %[1]s }

type Book implements Titled @table(name: "book") {
  id: ID!
  title: String!
  pages: Int
  person: Person @belongsTo
  firm: Firm @belongsTo
  author: Actor @firstOf(fields: ["person", "firm"])
}

type Film implements Titled @table(name: "film") {
  id: ID!
  title: String!
  length: Int!
  director: Person @belongsTo %[1]s
  author: Actor @firstOf(fields: ["director"])
}

type Note @table(name: "note") @index(fields: ["book"]) {
  id: ID!
  text: String
  book: Book @belongsTo %[2]s
  film: Film @belongsTo
  subject: Subject @firstOf(fields: ["book", "film"])
  titled: Titled @firstOf(fields: ["film", "book"])
}`

func library(tb testing.TB, embeds bool) *model.Model {
	tb.Helper()
	person, book := "", ""
	if embeds {
		person, book = `@embed(fields: "id name")`, `@embed(fields: "id title pages person { id name } firm { name city }")`
	}
	return parseSource(tb, "library.graphql", fmt.Sprintf(libraryModel, person, book))
}

var shelf = world{
	"Person": {"p1": {"id": "p1", "name": "Ada", "friend": "p2"}, "p2": {"id": "p2", "name": "Bob"}},
	"Book": {
		"b1": {"id": "b1", "title": "Dune", "pages": 600, "person": "p1"},
		"b2": {"id": "b2", "title": "Atlas", "firm": row{"name": "Maps Ltd", "city": "Ulm"}},
		"b3": {"id": "b3", "title": "Anonymous"},
	},
	"Film": {"f1": {"id": "f1", "title": "Alien", "length": 117, "director": "p2"}, "f2": {"id": "f2", "title": "Lost", "director": "p1"}},
	"Note": {
		"n1": {"id": "n1", "text": "on a book", "book": "b1"}, "n2": {"id": "n2", "film": "f1"}, "n3": {"id": "n3"},
		"n4": {"id": "n4", "book": "b2", "film": "f1"}, "n5": {"id": "n5", "book": "b3"}, "n6": {"id": "n6", "film": "f2"},
	},
}

// TestFirstOf asks for fields of interfaces and unions by every way that the
// specification has, of documents that embed much and of ones that embed keys.
func TestFirstOf(t *testing.T) {
	servers := map[string]*Server{}
	for name, embeds := range map[string]bool{"rich": true, "lean": false} {
		m := library(t, embeds)
		servers[name] = newServer(t, m, newMemStore(t, m, shelf), func(c *Config) { c.GlobalIDs = true })
	}
	for _, c := range []struct{ query, want string }{
		{`{ note(id: "n1") { subject { __typename ... on Book { title pages } ... on Film { length } } } }`,
			`{"note":{"subject":{"__typename":"Book","title":"Dune","pages":600}}}`},
		{`{ note(id: "n2") { subject { ... on Book { title } ...F } } } fragment F on Film { length director { name } }`,
			`{"note":{"subject":{"length":117,"director":{"name":"Bob"}}}}`},
		{`{ note(id: "n3") { subject { __typename } titled { title } } }`, `{"note":{"subject":null,"titled":null}}`},
		{`{ note(id: "n4") { subject { __typename } titled { __typename title } } }`,
			`{"note":{"subject":{"__typename":"Book"},"titled":{"__typename":"Film","title":"Alien"}}}`},
		{`{ note(id: "n4") { titled { id author { name } ... on Book { pages } } subject { ... on Titled { t: title author { __typename name ... on Firm { city } } } } } }`,
			`{"note":{"titled":{"id":"f1","author":{"name":"Bob"}},"subject":{"t":"Atlas","author":{"__typename":"Firm","name":"Maps Ltd","city":"Ulm"}}}}`},
		{`{ note(id: "n1") { subject { ...T } titled { ...T } } } fragment T on Titled { title author { ...A } } fragment A on Actor { name ... on Person { friend { name } } }`,
			`{"note":{"subject":{"title":"Dune","author":{"name":"Ada","friend":{"name":"Bob"}}},"titled":{"title":"Dune","author":{"name":"Ada","friend":{"name":"Bob"}}}}}`},
		{`{ note(id: "n5") { titled { title author { name } } } }`, `{"note":{"titled":{"title":"Anonymous","author":null}}}`},
		{`{ note(id: "n1") { titled { nodeId } } }`, `{"note":{"titled":{"nodeId":"Qm9vazpiMQ"}}}`},
		{`{ node(id: "Qm9vazpiMQ") { __typename ... on Titled { title author { name } } ... on Actor { name } } }`,
			`{"node":{"__typename":"Book","title":"Dune","author":{"name":"Ada"}}}`},
		{`query($s: Boolean = false) { note(id: "n1") { subject @skip(if: $s) { ... on Book @include(if: $s) { title } __typename } } }`,
			`{"note":{"subject":{"__typename":"Book"}}}`},
		{`{ noteList(orderBy: [{id: DESC}], limit: 2) { id subject { __typename } } notes(first: 1, where: {book: {id: {eq: "b2"}}}) { nodes { titled { title } subject { ... on Book { title } } } } }`,
			`{"noteList":[{"id":"n6","subject":{"__typename":"Film"}},{"id":"n5","subject":{"__typename":"Book"}}],"notes":{"nodes":[{"titled":{"title":"Alien"},"subject":{"title":"Atlas"}}]}}`},
	} {
		for name, s := range servers {
			if got := ask(t, s, c.query, "").Body.String(); got != `{"data":`+c.want+`}` {
				t.Errorf("%s: %s\ngot  %s\nwant %s", name, c.query, got, c.want)
			}
		}
	}
}

// TestFirstOfErrors: errors below a field of a union have its own path, and
// name the type that was found.
func TestFirstOfErrors(t *testing.T) {
	m := library(t, false)
	s := newServer(t, m, newMemStore(t, m, shelf))
	got := ask(t, s, `{ note(id: "n6") { id subject { ... on Film { minutes: length } } } }`, "").Body.String()
	want := `{"errors":[{"message":"Cannot return null for non-nullable field Film.length.","locations":[{"line":1,"column":47}],"path":["note","subject","minutes"]}],"data":{"note":{"id":"n6","subject":null}}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for query, message := range map[string]string{
		`{ note(id: "n1") { subject { title } } }`:                    `Cannot query field \"title\" on type \"Subject\".`,
		`{ note(id: "n1") { subject } }`:                              `must have a selection of subfields`,
		`{ note(id: "n1") { subject { ... on Person { name } } } }`:   `can never be of type \"Person\"`,
		`{ note(id: "n1") { titled { pages } } }`:                     `Cannot query field \"pages\" on type \"Titled\".`,
		`{ note(id: "n1") { subject { ... on Actor { name } } } }`:    `can never be of type \"Actor\"`,
		`{ notes(where: {subject: {id: {eq: "b1"}}}) { totalCount }}`: `Field \"subject\" is not defined by type \"NoteFilter\"`,
	} {
		w := ask(t, s, query, "")
		if w.Code != 422 || !strings.Contains(w.Body.String(), message) {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
}

// TestFirstOfReads: what is stitched below a union costs one read for each of
// its types, however many objects there are.
func TestFirstOfReads(t *testing.T) {
	m := library(t, false)
	store := newMemStore(t, m, shelf)
	s := newServer(t, m, store, func(c *Config) { c.CacheBytes, c.Feed = 0, nil })
	ask(t, s, `{ noteList(limit: 10) { subject { ... on Titled { title author { name } } } } }`, "")
	reads := map[string]int{}
	for _, call := range store.calls {
		reads[strings.Fields(call)[0]]++
	}
	if reads["Book"] != 1 || reads["Film"] != 1 || reads["Person"] != 1 {
		t.Errorf("the reads were %v", store.calls)
	}
}

// TestAbstractSchema: the served schema has interfaces and unions as the model
// file has them, and nothing of where their objects come from.
func TestAbstractSchema(t *testing.T) {
	m := library(t, true)
	s := newServer(t, m, newMemStore(t, m, shelf))
	for _, want := range []string{
		"\"Whatever has a title\"\ninterface Titled {\n", "  \"As printed\"\n  title: String! @deprecated(reason: \"Ask for name.\")\n  author: Actor\n",
		"\"What a note is on\"\nunion Subject = Book | Film\n", "type Book implements Titled {\n", "  subject: Subject\n",
	} {
		if !strings.Contains(s.SDL(), want) {
			t.Errorf("the schema lacks %q:\n%s", want, s.SDL())
		}
	}
	if strings.Contains(s.SDL(), "firstOf") {
		t.Error("the schema shows a directive of model files")
	}
	ids := newServer(t, m, newMemStore(t, m, shelf), func(c *Config) { c.GlobalIDs = true })
	for _, want := range []string{
		"interface Titled implements Node {\n  nodeId: ID!\n", "interface Actor {\n", "type Book implements Node & Titled {\n", "type Firm implements Actor {\n",
	} {
		if !strings.Contains(ids.SDL(), want) {
			t.Errorf("with global ids the schema lacks %q:\n%s", want, ids.SDL())
		}
	}
	var answer struct {
		Data map[string]struct {
			Kind          string
			PossibleTypes []struct{ Name string }
			Interfaces    []struct{ Name string }
		}
	}
	w := ask(t, ids, `{ titled: __type(name: "Titled") {...K} subject: __type(name: "Subject") {...K} book: __type(name: "Book") {...K} }
		fragment K on __Type { kind possibleTypes { name } interfaces { name } }`, "")
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(answer.Data); got != "map[book:{OBJECT [] [{Node} {Titled}]} subject:{UNION [{Book} {Film}] []} titled:{INTERFACE [{Book} {Film}] [{Node}]}]" {
		t.Errorf("introspection says %s", got)
	}
	clash := parseSource(t, "x.graphql", `interface I { nodeId: ID! } type A implements I @table(name: "a") { id: ID! nodeId: ID! @column(name: "x") }`)
	_, err := New(Config{Model: clash, Layouts: layoutsOf(clash, "text"), Store: newMemStore(t, clash, nil), GlobalIDs: true, OnError: func(context.Context, error) {}})
	if err == nil || !strings.Contains(err.Error(), "nodeId") {
		t.Errorf("a nodeId of the model's own beside global ids: %v", err)
	}
}

// TestFirstOfCost: nested unions cannot multiply what is compiled beyond the
// limit, and the largest of the types counts.
func TestFirstOfCost(t *testing.T) {
	m := parseSource(t, "x.graphql", `
		interface Thing { id: ID! next: Thing }
		type A implements Thing @table(name: "a") { id: ID! a: A @belongsTo(foreignKey: "a") b: B @belongsTo(foreignKey: "b") next: Thing @firstOf(fields: ["a", "b"]) }
		type B implements Thing @table(name: "b") { id: ID! a: A @belongsTo(foreignKey: "a") b: B @belongsTo(foreignKey: "b") next: Thing @firstOf(fields: ["a", "b"]) }`)
	s := newServer(t, m, newMemStore(t, m, world{"A": {"1": {"id": "1"}}}), func(c *Config) { c.MaxDepth = 50 })
	nested := func(n int) string {
		return `{ a(id: "1") ` + strings.Repeat("{ next ", n) + "{ id }" + strings.Repeat("}", n+1)
	}
	if w := ask(t, s, nested(8), ""); w.Code != 200 {
		t.Errorf("8 levels: %s", w.Body)
	}
	if w := ask(t, s, nested(40), ""); w.Code != 422 || !strings.Contains(w.Body.String(), "too many fields") {
		t.Errorf("40 levels: %d %s", w.Code, w.Body)
	}
}
