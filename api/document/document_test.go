package document

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"freshet/model"
)

const source = `
type A @table(name: "a") {
  id: ID!
  name: String
  json: JSON
  nums: [Int]
  b: B @belongsTo(foreignKey: "b_id") @embed(fields: "id x")
  bs: [B] @hasMany(foreignKey: "a_id") @embed(fields: "id as")
}
type B @table(name: "b") {
  id: ID!
  x: Int
  as: [A!]! @hasMany(foreignKey: "b_id")
}`

func shapeOf(tb testing.TB) *Shape {
	tb.Helper()
	m, diags := model.Parse("a.graphql", source)
	if err := diags.Err(); err != nil {
		tb.Fatal(err)
	}
	return NewShape(m.Type("A").Document())
}

// dump writes out all that a document holds, by its slots.
func dump(d *Document, s *Shape, o Object) string {
	if o == 0 {
		return "null"
	}
	var parts []string
	for i, slot := range s.Slots {
		part := "null"
		switch {
		case slot.Sub == nil:
			if v := d.Value(o, i); v != nil {
				part = string(v)
			}
		case !slot.Many:
			part = dump(d, slot.Sub, d.One(o, i))
		default:
			if list, ok := d.Many(o, i); ok {
				var items []string
				for j := range list.Len() {
					items = append(items, dump(d, slot.Sub, d.Elem(list, j)))
				}
				part = "[" + strings.Join(items, ",") + "]"
			}
		}
		parts = append(parts, fmt.Sprintf("%q:%s", slot.Field.Name, part))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestPrepare(t *testing.T) {
	s := shapeOf(t)
	for _, c := range []struct{ in, want string }{
		{`{}`, `{"id":null,"name":null,"json":null,"nums":null,"b":null,"bs":null}`},
		{` { "id" : "1" , "unknown":{"a":[1,{"]":"}"}]},"name":"q\"\\" } `, `{"id":"1","name":"q\"\\","json":null,"nums":null,"b":null,"bs":null}`},
		{`{"b": {"x": 3, "id": "b"}, "id": "1", "bs": [], "name": null, "nums": [1, null, 2]}`, `{"id":"1","name":null,"json":null,"nums":[1,null,2],"b":{"id":"b","x":3},"bs":[]}`},
		{`{"bs": [{"id": "x", "as": [{"id": "1"}, {"id": "2"}]}, null, {"as": []}], "json": {"a b": [ 1 , "c d" , {} , [] ], "e": -1.5e+3}}`,
			`{"id":null,"name":null,"json":{"a b":[1,"c d",{},[]],"e":-1.5e+3},"nums":null,"b":null,"bs":[{"id":"x","as":[{"id":"1"},{"id":"2"}]},null,{"id":null,"as":[]}]}`},
	} {
		d, err := Prepare(s, []byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if got := dump(d, s, d.Root()); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.in, got, c.want)
		}
	}
}

func TestPrepareRefuses(t *testing.T) {
	s := shapeOf(t)
	deep := `{"json":` + strings.Repeat("[", 20_000)
	for _, in := range []string{``, `null`, `[]`, `"x"`, `{`, `{"id"`, `{"id":`, `{"id":"`, `{"id":"\"`, `{"id":"a"`, `{"id":"a" "b":1}`, `{"b":[]}`, `{"b":1}`, `{"bs":{}}`, `{"bs":[1]}`, `{"bs":[{}`, `{"json":[1`, `{"json":{"a"}}`, `{"id":1} x`, `{"id":}`, deep} {
		if d, err := Prepare(s, []byte(in)); err == nil {
			t.Errorf("%.40s was taken: %s", in, dump(d, s, d.Root()))
		}
	}
}

// FuzzPrepare: no text makes it panic, and what is valid JSON is read as
// encoding/json reads it.
func FuzzPrepare(f *testing.F) {
	s := shapeOf(f)
	f.Add([]byte(`{"id":"1","name":"x","b":{"id":"b","x":1},"bs":[{"id":"2","as":[{"id":"3"}]},null],"nums":[1,2],"json":{"a":[null]}}`))
	f.Add([]byte(`{"id" : "\u0041\\" , "name":null}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		d, err := Prepare(s, in)
		if err != nil || !json.Valid(in) {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(in, &want); err != nil {
			t.Fatalf("taken, but no object: %v", err)
		}
		if out := dump(d, s, d.Root()); !json.Valid([]byte(out)) {
			t.Errorf("%s became %s", in, out)
		}
	})
}

func BenchmarkPrepare(b *testing.B) {
	s := shapeOf(b)
	elem := `{"id": "00000000-0000-4000-8000-000000000000", "as": [{"id": "a"}, {"id": "b"}]}`
	in := []byte(`{"b": {"x": 3, "id": "b"}, "bs": [` + strings.Repeat(elem+", ", 9) + elem + `], "id": "1", "name": "` + strings.Repeat("text ", 100) + `"}`)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Prepare(s, in); err != nil {
			b.Fatal(err)
		}
	}
}
