package model

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

func TestSnakeCase(t *testing.T) {
	for in, want := range map[string]string{
		"fullName": "full_name", "HTTPServer": "http_server", "address2": "address2", "userID": "user_id",
		"userIDs": "user_ids", "already_snake": "already_snake", "A": "a", "aB": "a_b", "Post": "post",
		"address2Line": "address2_line", "A_B": "a_b", "imageURLsCount": "image_urls_count", "_x": "_x", "": "",
	} {
		if got := SnakeCase(in); got != want {
			t.Errorf("SnakeCase(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"title", "createdAt", "id", "author", "DESC"}
	for in, want := range map[string]string{
		"titel": "title", "creatdAt": "createdAt", "Author": "author", "iD": "id", "desc": "DESC", "zip": "", "x": "", "": "",
		strings.Repeat("x", 1000): "",
	} {
		if got := nearest(in, names); got != want {
			t.Errorf("nearest(%q) = %q, want %q", in, got, want)
		}
	}
}

// at marks, in a model file, the place that the one fault must be at.
const at = "¶"

// Each file has one fault, at the mark.
func TestPositions(t *testing.T) {
	const head = "type A @table(name: \"a\") {\n  id: ID!\n  name: String\n  a: A @belongsTo(foreignKey: \"x\") "
	for name, source := range map[string]string{
		"quoted":             head + `@embed(fields: "id ¶nme")` + "\n}",
		"nested":             head + `@embed(fields: "id a { id ¶nme }")` + "\n}",
		"after escapes":      head + `@embed(fields: "\u0069d\t \u{61}{ id ¶nme }")` + "\n}",
		"escaped line break": head + `@embed(fields: "id\n ¶nme")` + "\n}",
		"block":              head + "@embed(fields: \"\"\"\n    id\n      a {\n ¶nme }\n  \"\"\")\n}",
		"block, first line":  head + "@embed(fields: \"\"\"id ¶nme\n  name\"\"\")\n}",
		"block, comment":     head + "@embed(fields: \"\"\"\n  # é \\\"\"\" x\n  id ¶nme\"\"\")\n}",
		"beyond ASCII":       "# 漢字 🙂\n" + head + "@embed(fields: \"\"\"\n # 🙂🙂 \n id, ¶nme\"\"\")\n}",
		"syntax in block":    head + "@embed(fields: \"\"\"\n  id\n  ¶!\n\"\"\")\n}",
		"syntax in quotes":   head + `@embed(fields: "id ¶) name")` + "\n}",
		"value in block":     head + "@hasMany(foreignKey: ¶\"\"\"\n\n\"\"\") \n}",
		"directive":          head + "¶@embde(fields: \"id\")\n}",
		"argument":           head + "@embed(¶feilds: \"id\")\n}",
		"argument's value":   head + "@embed(fields: ¶3)\n}",
		"field":              "type A @table(name: \"a\") {\n id: ID!\n ¶b: A\n}",
		"type of a field":    "type A @table(name: \"a\") {\n id: ID!\n \"doc\" b: ¶Strng!\n}",
		"element type":       "type A @table(name: \"a\") {\n id: ID!\n b: [¶Strng!]\n}",
		"path of an index":   "type A @table(name: \"a\") @index(fields: [\"id\", \"a.¶nme\"]) {\n id: ID!\n a: A @belongsTo\n}",
		"key":                "type A @table(name: \"a\", key: ¶\"b\") {\n id: ID!\n}",
		"filter":             "type A @table(name: \"a\", where: {and: [{id: {¶equal: 1}}]}) {\n id: ID!\n}",
		"file's syntax":      "type A @table(name: \"a\") {\n id ¶ID!\n}",
		"not UTF-8":          "# é\n#  ¶\xff",
	} {
		for _, lineEnd := range []string{"\n", "\r\n"} {
			t.Run(name+fmt.Sprintf("%q", lineEnd), func(t *testing.T) {
				testPosition(t, strings.ReplaceAll(source, "\n", lineEnd))
			})
		}
	}
}

func testPosition(t *testing.T, marked string) {
	before, after, ok := strings.Cut(marked, at)
	if !ok {
		t.Fatal("no mark")
	}
	lines := strings.Split(before, "\n")
	want := Pos{"f", len(lines), len([]rune(lines[len(lines)-1])) + 1}
	_, ds := Parse("f", "\ufeff"+before+after)
	positions := make([]Pos, 0, len(ds))
	for _, d := range ds {
		positions = append(positions, d.Pos)
	}
	if !slices.Contains(positions, want) {
		t.Errorf("want a fault at %s, got\n%s", want, ds.Error())
	}
}

// Our own decoding of quoted strings must be the parser's.
func TestLiteralAgreesWithTheParser(t *testing.T) {
	for _, literal := range []string{
		`""`, `"a"`, `"a\"b\\c\/\b\f\n\r\t"`, `"\u0041\u{1F600}\uD83D\uDE00x"`, `"\uD83Dx"`, `"é漢🙂"`, `"\uD83D\uD83D"`,
		`"""a "" b \""" c"""`, "\"\"\"one line\"\"\"", `"""a""""`,
	} {
		source := "scalar X @y(z: " + literal + ")"
		doc, err := parser.ParseSchema(&ast.Source{Input: source})
		if err != nil {
			t.Fatalf("%s: %v", literal, err)
		}
		v := doc.Definitions[0].Directives[0].Arguments[0].Value
		got, offsets := newText("", source).literal(v.Position.Start)
		if got != v.Raw {
			t.Errorf("%s decodes to %q, the parser says %q", literal, got, v.Raw)
		}
		if len(offsets) != len([]rune(got)) {
			t.Errorf("%s: %d offsets for %d characters", literal, len(offsets), len([]rune(got)))
		}
	}
}

func TestPreludeCoversTheDesign(t *testing.T) {
	for name, args := range map[string]string{
		"table": "name schema key where stored", "column": "name", "belongsTo": "foreignKey where when", "firstOf": "fields",
		"hasOne": "foreignKey where orderBy", "hasMany": "foreignKey where orderBy limit",
		"manyToMany": "through foreignKey targetKey where orderBy limit", "embed": "fields", "aggregate": "fn of field",
		"computed": "sql", "unique": "", "index": "fields using", "deprecated": "reason",
	} {
		def := known.directives.ForName(name)
		if def == nil {
			t.Errorf("no @%s", name)
			continue
		}
		var got []string
		for _, a := range def.Arguments {
			got = append(got, a.Name)
		}
		if strings.Join(got, " ") != args {
			t.Errorf("@%s has %v, want %s", name, got, args)
		}
	}
	for _, s := range known.scalars {
		if _, ok := constants[s]; !ok && (TypeRef{Name: s}).sortable() {
			t.Errorf("the scalar %s can be compared and has no constants", s)
		}
	}
	// A file may repeat the prelude.
	if _, ds := Parse("f", Prelude+"type A @table(name: \"a\") { id: ID! }"); len(ds) != 0 {
		t.Error(ds.Error())
	}
}
