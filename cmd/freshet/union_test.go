package main

import (
	"strings"
	"testing"

	"freshet/deploy/pgserver/pgtest"
)

const unionModel = `
interface Titled { id: ID! title: String! }
union Subject = Article | Clip
enum Kind { article clip }

type Article implements Titled @table(name: "article") { id: ID! title: String! }
type Clip implements Titled @table(name: "clip") { id: ID! title: String! seconds: Int }

type Reaction @table(name: "reaction") @index(fields: ["article"]) {
  id: ID!
  kind: Kind!
  article: Article @belongsTo(foreignKey: "subject", when: {kind: {eq: article}}) @embed(fields: "id title")
  clip: Clip @belongsTo(foreignKey: "subject", when: {kind: {eq: clip}})
  subject: Subject @firstOf(fields: ["article", "clip"])
  titled: Titled @firstOf(fields: ["article", "clip"])
}`

const unionSchema = `
CREATE TABLE article (id bigint PRIMARY KEY, title text NOT NULL);
CREATE TABLE clip (id bigint PRIMARY KEY, title text NOT NULL, seconds integer);
CREATE TABLE reaction (id bigint PRIMARY KEY, kind text NOT NULL, subject bigint NOT NULL);
CREATE INDEX ON reaction (subject);
INSERT INTO article VALUES (1, 'Rivers');
INSERT INTO clip VALUES (1, 'Waves', 30);
INSERT INTO reaction VALUES (7, 'article', 1);`

// TestUnionEndToEnd follows a column that says to which table another one
// points, through all that is cached.
func TestUnionEndToEnd(t *testing.T) {
	url := pgtest.Database(t)
	pgtest.Exec(t, url, unionSchema)
	database, file := "--database-url="+url, "--model="+write(t, "model.graphql", unionModel)
	p := begin(t, "run", database, file, "--migrate", "--listen", "127.0.0.1:0", "--global-ids")
	const query = `{ reaction(id: "7") { subject { __typename ... on Titled { title } ... on Clip { seconds } } titled { id } } }`
	for _, step := range []struct{ change, want string }{
		{"", `{"subject":{"__typename":"Article","title":"Rivers"},"titled":{"id":"1"}}`},
		{"UPDATE reaction SET kind = 'clip'", `{"subject":{"__typename":"Clip","title":"Waves","seconds":30},"titled":{"id":"1"}}`},
		{"UPDATE clip SET seconds = 31", `{"subject":{"__typename":"Clip","title":"Waves","seconds":31},"titled":{"id":"1"}}`},
		{"UPDATE reaction SET kind = 'article'", `{"subject":{"__typename":"Article","title":"Rivers"},"titled":{"id":"1"}}`},
		{"UPDATE article SET title = 'Streams'", `{"subject":{"__typename":"Article","title":"Streams"},"titled":{"id":"1"}}`},
		{"DELETE FROM article", `{"subject":null,"titled":null}`},
		{"UPDATE reaction SET kind = 'clip'; DELETE FROM clip; INSERT INTO clip VALUES (1, 'Foam', NULL)", `{"subject":{"__typename":"Clip","title":"Foam","seconds":null},"titled":{"id":"1"}}`},
	} {
		if step.change != "" {
			pgtest.Exec(t, url, step.change)
		}
		if got, want := ask(t, p.addr["graphql"], query), `{"data":{"reaction":`+step.want+`}}`; got != want {
			t.Errorf("after %q:\ngot  %s\nwant %s", step.change, got, want)
		}
	}
	if got := ask(t, p.addr["graphql"], `{ node(id: "Q2xpcDox") { __typename ... on Titled { title } } reactions(where: {article: {id: {eq: "1"}}}) { totalCount } }`); got != `{"data":{"node":{"__typename":"Clip","title":"Foam"},"reactions":{"totalCount":0}}}` {
		t.Errorf("by its global id: %s", got)
	}
	r := freshet(t, "check", database, file)
	if strings.Contains(r.out+r.errors, "foreign key constraint") {
		t.Errorf("check asks for a constraint that there cannot be:\n%s%s", r.out, r.errors)
	}
	if code := p.end(); code != exitOK {
		t.Errorf("exit code %d:\n%s", code, p.errs)
	}
	if r := freshet(t, "verify", database, file); r.code != exitOK {
		t.Errorf("verify: exit code %d:\n%s%s", r.code, r.out, r.errors)
	}
}
