package oracle

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
)

// difference is where two values part: the path and both sides.
type difference struct {
	path      string
	want, got any
}

// absent stands for a field or element that is not there.
type absent struct{}

func (absent) String() string { return "(absent)" }

// diff returns the first difference between what must be and what is, or nil.
func diff(path string, want, got any) *difference {
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			return diffObject(path, w, g)
		}
	case []any:
		if g, ok := got.([]any); ok {
			return diffList(path, w, g)
		}
	default:
		if sameScalar(want, got) {
			return nil
		}
	}
	return &difference{path, want, got}
}

func diffObject(path string, want, got map[string]any) *difference {
	for _, k := range sortedKeys(want) {
		g, ok := got[k]
		if !ok {
			return &difference{path + "." + k, want[k], absent{}}
		}
		if d := diff(path+"."+k, want[k], g); d != nil {
			return d
		}
	}
	for _, k := range sortedKeys(got) {
		if _, ok := want[k]; !ok {
			return &difference{path + "." + k, absent{}, got[k]}
		}
	}
	return nil
}

func diffList(path string, want, got []any) *difference {
	for i := range max(len(want), len(got)) {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case i >= len(want):
			return &difference{at, absent{}, got[i]}
		case i >= len(got):
			return &difference{at, want[i], absent{}}
		}
		if d := diff(at, want[i], got[i]); d != nil {
			return d
		}
	}
	return nil
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func sameScalar(want, got any) bool {
	switch w := want.(type) {
	case approx:
		return w.equals(got)
	case json.Number:
		g, ok := got.(json.Number)
		return ok && sameNumber(string(w), string(g))
	}
	switch got.(type) {
	case map[string]any, []any: // not comparable
		return false
	}
	return want == got
}

func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	x, okx := new(big.Rat).SetString(a)
	y, oky := new(big.Rat).SetString(b)
	return okx && oky && x.Cmp(y) == 0
}

func (a approx) equals(got any) bool {
	s, text := got.(string)
	if n, ok := got.(json.Number); ok {
		s = string(n)
	} else if !text {
		return false
	}
	f, err := strconv.ParseFloat(s, 64)
	return err == nil && text == a.asText && math.Abs(f-a.value) <= 1e-12*math.Max(1, math.Abs(a.value))
}
