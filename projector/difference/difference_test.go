package difference

import "testing"

func TestFirst(t *testing.T) {
	for _, test := range []struct{ stored, defined, path, left, right string }{
		{`{"a":1}`, `{"a":2}`, "$.a", "1", "2"},
		{`{"a":{"b":[1,2]}}`, `{"a":{"b":[1,3]}}`, "$.a.b[1]", "2", "3"},
		{`{"a":[1]}`, `{"a":[1,2]}`, "$.a.length", "1", "2"},
		{`{"a":1}`, `{"a":1,"b":null,"c":true}`, "$.b", "absent", "null"},
		{`{"a":1,"x":"y"}`, `{"a":1}`, "$.x", `"y"`, "absent"},
		{`{"n":1.10}`, `{"n":1.1}`, "$.n", "1.10", "1.1"},
		{`{"n":12345678901234567890}`, `{"n":12345678901234567891}`, "$.n", "12345678901234567890", "12345678901234567891"},
		{`[]`, `{}`, "$", "[]", "{}"},
		{`null`, `{`, "", "", ""},
	} {
		path, left, right := First(test.stored, test.defined)
		if path != test.path || left != test.left || right != test.right {
			t.Errorf("First(%s, %s) = %s, %s, %s", test.stored, test.defined, path, left, right)
		}
	}
}
