package verify

import "testing"

func TestExplainFindsTheFirstDifference(t *testing.T) {
	for _, test := range []struct{ stored, defined, path, left, right string }{
		{`{"a":1}`, `{"a":2}`, "$.a", "1", "2"},
		{`{"a":{"b":[1,2]}}`, `{"a":{"b":[1,3]}}`, "$.a.b[1]", "2", "3"},
		{`{"a":[1]}`, `{"a":[1,2]}`, "$.a.length", "1", "2"},
		{`{"a":1}`, `{"a":1,"b":null,"c":true}`, "$.c", "null", "true"},
		{`{"n":1.10}`, `{"n":1.1}`, "$.n", "1.10", "1.1"},
		{`[]`, `{}`, "$", "[]", "{}"},
	} {
		d := explain("k", found{kind: "data", stored: test.stored, defined: test.defined})
		if d.Path != test.path || d.Stored != test.left || d.Defined != test.right {
			t.Errorf("explain(%s, %s) = %+v", test.stored, test.defined, d)
		}
	}
}
