package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// orderedObject is a JSON object whose members have the order that JavaScript
// gives them, as messages show it: numbers first, then as they were written.
type orderedObject struct {
	names  []string
	values map[string]any
}

// decodeOrdered decodes JSON into string, json.Number, bool, nil, []any and
// *orderedObject.
func decodeOrdered(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return decodeNext(dec)
}

func decodeNext(dec *json.Decoder) (any, error) {
	t, err := dec.Token()
	if err != nil {
		return nil, fmt.Errorf("decode JSON: %w", err)
	}
	switch t {
	case json.Delim('['):
		return decodeList(dec)
	case json.Delim('{'):
		return decodeObject(dec)
	}
	return t, nil
}

func decodeList(dec *json.Decoder) (any, error) {
	list := []any{}
	for dec.More() {
		v, err := decodeNext(dec)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := dec.Token()
	return list, err
}

func decodeObject(dec *json.Decoder) (any, error) {
	o := &orderedObject{values: map[string]any{}}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("decode JSON: %w", err)
		}
		v, err := decodeNext(dec)
		if err != nil {
			return nil, err
		}
		text, _ := name.(string)
		if _, have := o.values[text]; !have {
			o.names = append(o.names, text)
		}
		o.values[text] = v
	}
	slices.SortStableFunc(o.names, func(a, b string) int {
		x, isX := arrayIndex(a)
		y, isY := arrayIndex(b)
		switch {
		case isX && isY:
			return cmp.Compare(x, y)
		case isX:
			return -1
		case isY:
			return 1
		}
		return 0
	})
	_, err := dec.Token()
	return o, err
}

// arrayIndex says whether a name is a number that could be an array's index.
func arrayIndex(name string) (uint64, bool) {
	n, err := strconv.ParseUint(name, 10, 32)
	return n, err == nil && n < 1<<32-1 && strconv.FormatUint(n, 10) == name
}
