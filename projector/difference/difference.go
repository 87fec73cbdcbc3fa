// Package difference finds the first place at which two documents differ.
//
// Guarantees: the order is that of field names and of elements, so that the
// same two documents always give the same place; and numbers are compared as
// they are written, without loss.
package difference

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// First returns the path of the first difference of two JSON texts, such as
// "$.author.name" or "$.comments[3].text" or "$.tags.length", and the two
// values there, as JSON; of a field that is not there the value is "absent".
// All are empty where a text is not JSON.
func First(stored, defined string) (path, storedValue, definedValue string) {
	a, err1 := decode(stored)
	b, err2 := decode(defined)
	if err1 != nil || err2 != nil {
		return "", "", ""
	}
	path, a, b = first("$", a, b)
	return path, encode(a), encode(b)
}

func decode(s string) (any, error) {
	var v any
	dec := json.NewDecoder(bytes.NewReader([]byte(s)))
	dec.UseNumber()
	err := dec.Decode(&v)
	return v, err
}

// absent stands for a field that is not there.
type absent struct{}

func encode(v any) string {
	if v == (absent{}) {
		return "absent"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

func first(path string, a, b any) (string, any, any) {
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok {
			return ofObjects(path, x, y)
		}
	case []any:
		if y, ok := b.([]any); ok {
			return ofArrays(path, x, y)
		}
	}
	return path, a, b
}

func ofObjects(path string, a, b map[string]any) (string, any, any) {
	both := maps.Clone(a)
	maps.Copy(both, b)
	for _, k := range slices.Sorted(maps.Keys(both)) {
		x, y := field(a, k), field(b, k)
		if encode(x) != encode(y) {
			return first(path+"."+k, x, y)
		}
	}
	return path, a, b
}

func field(object map[string]any, name string) any {
	if v, ok := object[name]; ok {
		return v
	}
	return absent{}
}

func ofArrays(path string, a, b []any) (string, any, any) {
	for i := range min(len(a), len(b)) {
		if encode(a[i]) != encode(b[i]) {
			return first(fmt.Sprintf("%s[%d]", path, i), a[i], b[i])
		}
	}
	return path + ".length", len(a), len(b)
}
