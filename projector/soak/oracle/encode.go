package oracle

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"freshet/model"
)

// decode reads JSON with its numbers kept exact.
func decode(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

// encode returns a cell as the document holds it, by the field's type.
func encode(ref model.TypeRef, typ sqlType, c cell) (any, error) {
	if c.null() {
		return nil, nil
	}
	if ref.List {
		return encodeList(ref, typ, c)
	}
	return encodeOne(ref.Name, typ.base, *c.text, c.json)
}

func encodeList(ref model.TypeRef, typ sqlType, c cell) (any, error) {
	var texts []*string
	var elems []json.RawMessage
	if err := json.Unmarshal([]byte(*c.text), &texts); err != nil {
		return nil, fmt.Errorf("array texts: %w", err)
	}
	if err := json.Unmarshal(c.json, &elems); err != nil {
		return nil, fmt.Errorf("array elements: %w", err)
	}
	list := make([]any, len(texts))
	for i := range texts {
		if texts[i] == nil {
			continue
		}
		v, err := encodeOne(ref.Name, typ.base, *texts[i], elems[i])
		if err != nil {
			return nil, err
		}
		list[i] = v
	}
	return list, nil
}

// encodeOne encodes a single value that is not NULL.
func encodeOne(name, base, text string, raw json.RawMessage) (any, error) {
	switch name {
	case "Int", "Float":
		v, err := decode(raw)
		if _, ok := v.(json.Number); !ok {
			return nil, err // NaN and the infinities
		}
		return v, err
	case "Boolean", "LocalDateTime", "Date", "JSON":
		return decode(raw)
	case "DateTime":
		v, err := decode(raw)
		if base == "timestamp" {
			v = fmt.Sprint(v) + "+00:00"
		}
		return v, err
	case "Bytes":
		b, err := hex.DecodeString(strings.TrimPrefix(text, `\x`))
		return base64.StdEncoding.EncodeToString(b), err
	default: // ID, String, BigInt, Decimal, Time, Duration, UUID, enums
		return text, nil
	}
}
