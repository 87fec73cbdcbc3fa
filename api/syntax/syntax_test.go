package syntax

import (
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
)

// TestErrors: the words and places of errors. Thousands more are compared with
// graphql-js by the tests of package api.
func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "Syntax Error: Unexpected <EOF>. 1:1",
		"{":                       "Syntax Error: Expected Name, found <EOF>. 1:2",
		"{ é }":                   "Syntax Error: Unexpected character: U+00E9. 1:3",
		"{ a(x: \"😀\", ]":         "Syntax Error: Expected Name, found \"]\". 1:14",
		"{ a(x: \"\"\"\n\n b":     "Syntax Error: Unterminated string. 3:3",
		"{ a(x: \"\"\"\nb\"\"\"!": "Syntax Error: Expected Name, found \"!\". 2:5",
		"query($a: Int = $b) {a}": "Syntax Error: Unexpected variable \"$b\" in constant value. 1:17",
		"{ a\r\n\r b c: }":        "Syntax Error: Expected Name, found \"}\". 3:7",
		"{ a { b { c { d } } } }": "Syntax Error: Document contains more that 7 tokens. Parsing aborted. 1:15",
	} {
		limit := 0
		if strings.Contains(want, "more that") {
			limit = 7
		}
		_, err := Parse(text, limit)
		if err == nil {
			t.Errorf("%q is accepted", text)
			continue
		}
		at := err.Locations[0]
		if got := err.Message + " " + place(at.Line, at.Column); got != want {
			t.Errorf("%q:\ngot  %s\nwant %s", text, got, want)
		}
	}
}

func place(line, column int) string {
	return string(rune('0'+line)) + ":" + strings.TrimPrefix(string(rune('0'+column/10))+string(rune('0'+column%10)), "0")
}

// TestBlockStrings: indentation that lines share is none of the text.
func TestBlockStrings(t *testing.T) {
	doc, err := Parse("{ a(x: \"\"\"\n\n    one\n      two \\\"\"\"\n\n  \"\"\") }", 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := doc.Operations[0].SelectionSet[0].(*ast.Field).Arguments[0].Value.Raw; got != "one\n  two \"\"\"" {
		t.Errorf("%q", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("query Q($a: [Int!]! = [1]) @d { ...F x: a(b: {c: \"\\u{1F600}\"}) }")
	f.Add("\"\"\"d\"\"\" fragment F on T { a }")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := Parse(text, 10_000); err != nil && len(err.Locations) != 1 {
			t.Errorf("%q: %v", text, err)
		}
	})
}
