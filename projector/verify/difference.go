package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
)

func sortedKeys(m map[string]found) []string { return slices.Sorted(maps.Keys(m)) }

func chunks(keys []string) iter.Seq[[]string] { return slices.Chunk(keys, chunk) }

func merge(a, b map[string]found) map[string]found {
	maps.Copy(a, b)
	return a
}

// explain finds the first place at which two documents differ.
func explain(key string, f found) Difference {
	d := Difference{Key: key, Kind: f.kind}
	if f.kind != "data" {
		return d
	}
	stored, err1 := decode(f.stored)
	defined, err2 := decode(f.defined)
	if err1 != nil || err2 != nil {
		return d // the server said it is JSON; the kind is still true
	}
	d.Path, stored, defined = firstDifference("$", stored, defined)
	d.Stored, d.Defined = encode(stored), encode(defined)
	return d
}

func decode(s string) (any, error) {
	var v any
	dec := json.NewDecoder(bytes.NewReader([]byte(s)))
	dec.UseNumber()
	err := dec.Decode(&v)
	return v, err
}

func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// firstDifference returns the path of the first difference, in the order of
// keys and elements, and the two values there.
func firstDifference(path string, a, b any) (string, any, any) {
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok {
			return differenceOfObjects(path, x, y)
		}
	case []any:
		if y, ok := b.([]any); ok {
			return differenceOfArrays(path, x, y)
		}
	}
	return path, a, b
}

func differenceOfObjects(path string, a, b map[string]any) (string, any, any) {
	both := maps.Clone(a)
	maps.Copy(both, b)
	for _, k := range slices.Sorted(maps.Keys(both)) {
		if encode(a[k]) != encode(b[k]) {
			return firstDifference(path+"."+k, a[k], b[k])
		}
	}
	return path, a, b
}

func differenceOfArrays(path string, a, b []any) (string, any, any) {
	for i := range min(len(a), len(b)) {
		if encode(a[i]) != encode(b[i]) {
			return firstDifference(fmt.Sprintf("%s[%d]", path, i), a[i], b[i])
		}
	}
	return fmt.Sprintf("%s.length", path), len(a), len(b)
}
