package api

import (
	"encoding/json"
	"fmt"
	"slices"
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
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	case []any:
		return inspectList(v, depth)
	case map[string]any:
		return inspectObject(v, depth)
	}
	return fmt.Sprint(v)
}

func inspectList(v []any, depth int) string {
	if len(v) == 0 {
		return "[]"
	}
	if depth > maxInspectDepth {
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

func inspectObject(v map[string]any, depth int) string {
	if len(v) == 0 {
		return "{}"
	}
	if depth > maxInspectDepth {
		return "[Object]"
	}
	var items []string
	for _, k := range sortedKeys(v) {
		items = append(items, k+": "+inspect(v[k], depth+1))
	}
	return "{ " + strings.Join(items, ", ") + " }"
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
