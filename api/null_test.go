package api

import (
	"strings"
	"testing"

	"freshet/model"
)

const nullModel = `
enum E { A B }
type T @table(name: "t") {
  id: ID!
  s: String
  n: String!
  e: E
  en: E!
  list: [String]
  listN: [String]!
  nlist: [String!]
  nlistN: [String!]!
  elist: [E]
  one: U @belongsTo(foreignKey: "one_id") @embed(fields: "id s n")
  oneN: U! @belongsTo(foreignKey: "one_n_id") @embed(fields: "id s n")
  many: [U!]! @hasMany(foreignKey: "t_id") @embed(fields: "id s n")
}
type U @table(name: "u") {
  id: ID!
  s: String
  n: String!
  t: T @belongsTo(foreignKey: "t_id")
}`

// rawStore is a store of documents written by hand.
func rawStore(docs map[string]map[string]string) *memStore {
	s := &memStore{docs: map[string]map[string][]byte{}, lsn: 0x16B3748}
	for typ, byKey := range docs {
		s.docs[typ] = map[string][]byte{}
		for key, text := range byKey {
			s.docs[typ][key] = []byte(text)
		}
	}
	return s
}

// TestNulls: where a null goes, by graphql-js 16.
func TestNulls(t *testing.T) {
	m := parseSource(t, "null.graphql", nullModel)
	for _, c := range []struct{ name, doc, selection, want string }{
		{"nullable", `{"id":"1","s":null}`, "s", `{"data":{"t":{"s":null}}}`},
		{"absent member", `{"id":"1"}`, "s one { id }", `{"data":{"t":{"s":null,"one":null}}}`},
		{"non-null leaf", `{"id":"1"}`, "s n id", `{"errors":[{"message":"Cannot return null for non-nullable field T.n.","locations":[{"line":1,"column":18}],"path":["t","n"]}],"data":{"t":null}}`},
		{"alias in the path, name in the message", `{"id":"1"}`, "x: n", `{"errors":[{"message":"Cannot return null for non-nullable field T.n.","locations":[{"line":1,"column":16}],"path":["t","x"]}],"data":{"t":null}}`},
		{"merged fields have all locations", `{"id":"1"}`, "n ...F n", `{"errors":[{"message":"Cannot return null for non-nullable field T.n.","locations":[{"line":1,"column":16},{"line":1,"column":47},{"line":1,"column":23}],"path":["t","n"]}],"data":{"t":null}}`},
		{"below a nullable relation", `{"id":"1","one":{"id":"u"}}`, "id one { n }", `{"errors":[{"message":"Cannot return null for non-nullable field U.n.","locations":[{"line":1,"column":25}],"path":["t","one","n"]}],"data":{"t":{"id":"1","one":null}}}`},
		{"below a non-null relation", `{"id":"1","oneN":{"id":"u"}}`, "id oneN { n }", `{"errors":[{"message":"Cannot return null for non-nullable field U.n.","locations":[{"line":1,"column":26}],"path":["t","oneN","n"]}],"data":{"t":null}}`},
		{"relation itself", `{"id":"1","oneN":null}`, "oneN { n }", `{"errors":[{"message":"Cannot return null for non-nullable field T.oneN.","locations":[{"line":1,"column":16}],"path":["t","oneN"]}],"data":{"t":null}}`},
		{"list of objects is null", `{"id":"1","many":null}`, "many { id }", `{"errors":[{"message":"Cannot return null for non-nullable field T.many.","locations":[{"line":1,"column":16}],"path":["t","many"]}],"data":{"t":null}}`},
		{"object in a list is null", `{"id":"1","many":[{"id":"a"},null]}`, "many { id }", `{"errors":[{"message":"Cannot return null for non-nullable field T.many.","locations":[{"line":1,"column":16}],"path":["t","many",1]}],"data":{"t":null}}`},
		{"field in a list is null", `{"id":"1","many":[{"id":"a","n":"x"},{"id":"b"}]}`, "many { n }", `{"errors":[{"message":"Cannot return null for non-nullable field U.n.","locations":[{"line":1,"column":23}],"path":["t","many",1,"n"]}],"data":{"t":null}}`},
		{"lists of leaves", `{"id":"1","list":["a",null],"listN":[null],"nlist":[],"nlistN":["null"]}`, "list listN nlist nlistN", `{"data":{"t":{"list":["a",null],"listN":[null],"nlist":[],"nlistN":["null"]}}}`},
		{"null in a list of non-null leaves", `{"id":"1","nlist":["a",null]}`, "id nlist", `{"errors":[{"message":"Cannot return null for non-nullable field T.nlist.","locations":[{"line":1,"column":19}],"path":["t","nlist",1]}],"data":{"t":{"id":"1","nlist":null}}}`},
		{"the same, list itself non-null", `{"id":"1","nlistN":[null]}`, "id nlistN", `{"errors":[{"message":"Cannot return null for non-nullable field T.nlistN.","locations":[{"line":1,"column":19}],"path":["t","nlistN",0]}],"data":{"t":null}}`},
		{"no enum value", `{"id":"1","e":"C"}`, "e", `{"errors":[{"message":"Enum \"E\" cannot represent value: \"C\"","locations":[{"line":1,"column":16}],"path":["t","e"]}],"data":{"t":{"e":null}}}`},
		{"no enum value, non-null", `{"id":"1","en":"C"}`, "en", `{"errors":[{"message":"Enum \"E\" cannot represent value: \"C\"","locations":[{"line":1,"column":16}],"path":["t","en"]}],"data":{"t":null}}`},
		{"no enum value in a list", `{"id":"1","elist":["A","C",null]}`, "elist", `{"errors":[{"message":"Enum \"E\" cannot represent value: \"C\"","locations":[{"line":1,"column":16}],"path":["t","elist",1]}],"data":{"t":{"elist":["A",null,null]}}}`},
		{"stitched and absent", `{"id":"1","one":{"id":"gone"}}`, "id one { t { id } }", `{"data":{"t":{"id":"1","one":null}}}`},
		{"stitched, non-null and absent", `{"id":"1","oneN":{"id":"gone"}}`, "id oneN { t { id } }", `{"errors":[{"message":"Cannot return null for non-nullable field T.oneN.","locations":[{"line":1,"column":19}],"path":["t","oneN"]}],"data":{"t":null}}`},
		{"stitched in a list and absent", `{"id":"1","many":[{"id":"gone"},{"id":"u"}]}`, "many { id t { id } }", `{"data":{"t":{"many":[{"id":"u","t":null}]}}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkNull(t, m, c.doc, c.selection, c.want)
		})
	}
}

func checkNull(t *testing.T, m *model.Model, doc, selection, want string) {
	t.Helper()
	store := rawStore(map[string]map[string]string{"T": {"1": doc}, "U": {"u": `{"id":"u","n":"x"}`}})
	query := `{ t(id: "1") { ` + selection + ` } }`
	if strings.Contains(selection, "...F") {
		query += ` fragment F on T { n }`
	}
	if got := ask(t, newServer(t, m, store), query, "").Body.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
