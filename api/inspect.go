package api

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// maxInspect is how deep and long messages show a value, as graphql-js does.
const (
	maxInspectDepth = 2
	maxInspectItems = 10
)

// inspect shows a value in a message.
func inspect(v any, depth int) string {
	switch v := v.(type) {
	case nil:
		return null
	case string:
		return string(appendText(nil, v))
	case json.Number:
		return jsNumber(v)
	case bool:
		return strconv.FormatBool(v)
	case []any:
		return inspectList(v, depth)
	case *orderedObject:
		return inspectObject(v, depth)
	}
	return fmt.Sprint(v)
}

func inspectList(v []any, depth int) string {
	if len(v) == 0 {
		return "[]"
	}
	if depth >= maxInspectDepth {
		return "[Array]"
	}
	var items []string
	for _, item := range v[:min(len(v), maxInspectItems)] {
		items = append(items, inspect(item, depth+1))
	}
	if more := len(v) - maxInspectItems; more == 1 {
		items = append(items, "... 1 more item")
	} else if more > 1 {
		items = append(items, fmt.Sprintf("... %d more items", more))
	}
	return "[" + strings.Join(items, ", ") + "]"
}

func inspectObject(v *orderedObject, depth int) string {
	if len(v.names) == 0 {
		return "{}"
	}
	if depth >= maxInspectDepth {
		return "[Object]"
	}
	var items []string
	for _, k := range v.names {
		items = append(items, k+": "+inspect(v.values[k], depth+1))
	}
	return "{ " + strings.Join(items, ", ") + " }"
}

// jsNumber writes a number as JavaScript does.
func jsNumber(n json.Number) string {
	f, _ := n.Float64() // what is too large is infinite, as in JavaScript
	switch size := math.Abs(f); {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		return "0"
	case size >= 1e21 || size < 1e-6:
		digits, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
		return digits + "e" + exponent[:1] + strings.TrimLeft(exponent[1:], "0")
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}
