package api

import (
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"freshet/api/page"
)

// keyText returns a value for a column in the form in which Postgres writes
// it, so that one document has one key. ok is false if no row can have it:
// 'abc' is no uuid, so that there is no such document. It is for columns that
// serve as keys; for others the value is its own text.
func keyText(c *page.Column, v any) (key string, ok bool) {
	s, ok := scalarText(v)
	if !ok {
		return "", false
	}
	switch c.Base {
	case "uuid":
		return uuidText(s)
	case "int2":
		return intText(s, 16)
	case "int4":
		return intText(s, 32)
	case "int8":
		return intText(s, 64)
	}
	return s, storable(s)
}

// storable says whether Postgres can hold the text.
func storable(s string) bool {
	return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

func intText(s string, bits int) (string, bool) {
	n, err := strconv.ParseInt(s, 10, bits)
	if err != nil {
		return "", false
	}
	if canonicalInt(s) {
		return s, true
	}
	return strconv.FormatInt(n, 10), true
}

// canonicalInt says whether a valid integer is written as Postgres does.
func canonicalInt(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	return digits == "0" && s == "0" || digits[0] >= '1' && digits[0] <= '9'
}

// uuidText returns the canonical form of a uuid with or without hyphens.
func uuidText(s string) (string, bool) {
	if canonicalUUID(s) {
		return s, true
	}
	bare := strings.ToLower(s)
	if len(bare) == 36 {
		if bare[8] != '-' || bare[13] != '-' || bare[18] != '-' || bare[23] != '-' {
			return "", false
		}
		bare = bare[:8] + bare[9:13] + bare[14:18] + bare[19:23] + bare[24:]
	}
	if len(bare) != 32 {
		return "", false
	}
	if _, err := hex.DecodeString(bare); err != nil {
		return "", false
	}
	return bare[:8] + "-" + bare[8:12] + "-" + bare[12:16] + "-" + bare[16:20] + "-" + bare[20:], true
}

func canonicalUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		hyphen := i == 8 || i == 13 || i == 18 || i == 23
		isHex := s[i] >= '0' && s[i] <= '9' || s[i] >= 'a' && s[i] <= 'f'
		if hyphen && s[i] != '-' || !hyphen && !isHex {
			return false
		}
	}
	return true
}

// scalarText returns a coerced argument in text form.
func scalarText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// rawKey returns the key in the JSON of a document's key field. The string may
// share the document's memory: it must be cloned to be kept.
func rawKey(value []byte) (string, bool) {
	if len(value) == 0 {
		return "", false
	}
	if value[0] != '"' {
		return view(value), true
	}
	inner := value[1 : len(value)-1]
	for _, b := range inner {
		if b == '\\' {
			var s string
			err := json.Unmarshal(value, &s)
			return s, err == nil
		}
	}
	return view(inner), true
}
