package validate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"freshet/api/syntax"
)

func check(t *testing.T, text string) []string {
	t.Helper()
	doc, failed := syntax.Parse(text, 0)
	if failed != nil {
		t.Fatal(failed)
	}
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: "type Query { a(x: Int): Query b: [String!] }"})
	var out []string
	for _, e := range Document(NewSchema(schema), doc, Options{}) {
		out = append(out, e.Message)
	}
	return out
}

// TestBounded: the rules end, whatever the fragments do. That they say what
// graphql-js does is compared by the tests of package api.
func TestBounded(t *testing.T) {
	many := "{ " + strings.Repeat("nope ", 150) + "}"
	if got := check(t, many); len(got) != 101 || !strings.Contains(got[100], "error limit reached") {
		t.Errorf("%d errors, the last %q", len(got), got[len(got)-1])
	}
	var wide strings.Builder
	wide.WriteString("{ " + strings.Repeat("a { a { b } } ", 900) + "}")
	if got := check(t, wide.String()); len(got) != 1 || got[0] != "Validation aborted." {
		t.Errorf("a field over and over: %.300q", got)
	}
	var web strings.Builder
	web.WriteString("{ ...F0 }")
	for i := range 300 {
		fmt.Fprintf(&web, " fragment F%d on Query { ", i)
		for j := range 300 {
			fmt.Fprintf(&web, "...F%d ", j)
		}
		web.WriteString("}")
	}
	if got := check(t, web.String()); got[len(got)-1] != "Too many validation errors, error limit reached. Validation aborted." && got[len(got)-1] != "Validation aborted." {
		t.Errorf("a web of fragments: %d errors, the last %q", len(got), got[len(got)-1])
	}
}
