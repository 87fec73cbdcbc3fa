package served

import (
	"strings"
	"testing"

	"freshet/model"
)

func TestPlural(t *testing.T) {
	for in, want := range map[string]string{
		"post": "posts", "category": "categories", "person": "people", "box": "boxes", "status": "statuses", "day": "days",
		"orderLine": "orderLines", "salesPerson": "salesPeople", "news": "news", "series": "series", "branch": "branches",
		"user_category": "user_categories", "hero": "heroes", "y": "ys",
	} {
		if got := plural(in); got != want {
			t.Errorf("plural of %s is %s, want %s", in, got, want)
		}
	}
}

func TestLowerFirst(t *testing.T) {
	for in, want := range map[string]string{"Post": "post", "HTTPServer": "httpServer", "URL": "url", "OrderLine": "orderLine", "a": "a", "": ""} {
		if got := lowerFirst(in); got != want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
}

func build(t *testing.T, source string, layouts ...Layout) (*Schema, error) {
	t.Helper()
	m, diags := model.Parse("x.graphql", source)
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	return New(m, layouts, Options{})
}

// TestClashes: names that would be taken twice.
func TestClashes(t *testing.T) {
	key := LayoutColumn{Path: "id", Column: "id", SQL: "uuid", Base: "uuid"}
	s, err := build(t, `
type Post @table(name: "post") { id: ID! and: Int @index not: String @unique }
type Posts @table(name: "posts") { id: ID! }
type News @table(name: "news") { id: ID! }
type PostOrder @table(name: "po") { id: ID! }
"quoted \" and \\ in \"\"\" a description"
type Plain @table(name: "plain", stored: false) { x: Int }`,
		Layout{Type: "Post", Schema: "s", Table: "tv_post", Key: key, Columns: []LayoutColumn{{Path: "and", Column: "and", SQL: "integer", Base: "int4"}, {Path: "not", Column: "not", SQL: "text", Base: "text"}}},
		Layout{Type: "Posts", Schema: "s", Table: "tv_posts", Key: key}, Layout{Type: "News", Schema: "s", Table: "tv_news", Key: key},
		Layout{Type: "PostOrder", Schema: "s", Table: "tv_post_order", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"post(id", "posts(id", "postList(first", "news(id", "newsList(first", "postByNot(not", "_and: [", "_not: ", "PostOrder_"} {
		if !strings.Contains(s.SDL, want) {
			t.Errorf("the schema has no %q", want)
		}
	}
	if got := s.AST.Types["Plain"].Description; got != `quoted " and \ in """ a description` {
		t.Errorf("the description is %q", got)
	}
}

func TestRefuses(t *testing.T) {
	key := LayoutColumn{Path: "id", Column: "id", SQL: "uuid", Base: "uuid"}
	const one = `type Post @table(name: "post") { id: ID! }`
	if _, err := build(t, one); err == nil || !strings.Contains(err.Error(), "freshet migrate") {
		t.Errorf("without a table: %v", err)
	}
	stale := Layout{Type: "Post", Key: key, Columns: []LayoutColumn{{Path: "gone.x"}}}
	if _, err := build(t, one, stale); err == nil || !strings.Contains(err.Error(), "gone.x") {
		t.Errorf("with another model's table: %v", err)
	}
}
