package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

var (
	errJSON   = errors.New("it is not well-formed JSON")
	errNested = errors.New("it is nested too deep")
)

// maxNesting is how deep the JSON of a request may be nested: far deeper than
// any input type is used, and not so deep that reading it takes much memory.
const maxNesting = 500

// members calls visit with each member of a JSON object: the name without its
// quotes and the value as it is written. An empty text has none, and so has
// null. The values themselves are only checked as far as finding their end
// takes.
func members(raw []byte, visit func(name, value []byte)) error {
	s := reader{raw: raw}
	if s.space(); s.at == len(raw) || string(bytes.TrimSpace(raw)) == null {
		return nil
	}
	if !s.take('{') {
		return errJSON
	}
	if s.space(); s.take('}') {
		return s.end()
	}
	for {
		s.space()
		name, err := s.value(0)
		if err != nil || len(name) < 2 || name[0] != '"' {
			return errJSON
		}
		if s.space(); !s.take(':') {
			return errJSON
		}
		s.space()
		value, err := s.value(0)
		if err != nil {
			return err
		}
		if name, err = unquote(name); err != nil {
			return err
		}
		visit(name, value)
		if s.space(); s.take('}') {
			return s.end()
		}
		if !s.take(',') {
			return errJSON
		}
	}
}

// unquote returns the text of a name, which hardly ever has escapes.
func unquote(raw []byte) ([]byte, error) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], nil
	}
	return appendString(nil, raw)
}

// reader walks JSON text from outside.
type reader struct {
	raw []byte
	at  int
}

func (s *reader) space() {
	for s.at < len(s.raw) && (s.raw[s.at] == ' ' || s.raw[s.at] == '\n' || s.raw[s.at] == '\t' || s.raw[s.at] == '\r') {
		s.at++
	}
}

func (s *reader) take(b byte) bool {
	if s.at < len(s.raw) && s.raw[s.at] == b {
		s.at++
		return true
	}
	return false
}

func (s *reader) end() error {
	if s.space(); s.at != len(s.raw) {
		return errJSON
	}
	return nil
}

// value passes over a value and returns it. Brackets are counted by any kind:
// what is inside an object or list is parsed, and refused, by whoever uses it.
func (s *reader) value(depth int) ([]byte, error) {
	start := s.at
	for s.at < len(s.raw) {
		switch c := s.raw[s.at]; {
		case c == '"':
			if !s.str() {
				return nil, errJSON
			}
			if depth == 0 {
				return s.raw[start:s.at], nil
			}
			continue
		case c == '{' || c == '[':
			if depth++; depth > maxNesting {
				return nil, errNested
			}
		case c == '}' || c == ']':
			if depth == 0 {
				return s.raw[start:s.at], s.some(start)
			}
			if depth--; depth == 0 {
				s.at++
				return s.raw[start:s.at], nil
			}
		case depth == 0 && (c == ',' || c == ' ' || c == '\n' || c == '\t' || c == '\r'):
			return s.raw[start:s.at], s.some(start)
		}
		s.at++
	}
	if depth > 0 {
		return nil, errJSON
	}
	return s.raw[start:s.at], s.some(start)
}

func (s *reader) some(start int) error {
	if s.at == start {
		return errJSON
	}
	return nil
}

// str passes over a string.
func (s *reader) str() bool {
	for s.at++; s.at < len(s.raw); s.at++ {
		switch s.raw[s.at] {
		case '\\':
			s.at++
		case '"':
			s.at++
			return true
		}
	}
	return false
}

// plainString decodes a JSON string that has no escapes.
func plainString(raw []byte) (string, bool) {
	inner := raw[1 : len(raw)-1]
	for _, b := range inner {
		if b < 0x20 || b == '\\' || b == '"' {
			return "", false
		}
	}
	return string(inner), utf8.Valid(inner)
}

// appendString appends the text that a JSON string stands for.
func appendString(dst, raw []byte) ([]byte, error) {
	if len(raw) < 2 || raw[0] != '"' {
		return dst, errJSON
	}
	inner := raw[1 : len(raw)-1]
	for _, b := range inner {
		if b < 0x20 {
			return dst, errJSON
		}
	}
	if bytes.IndexByte(inner, '\\') < 0 {
		return append(dst, inner...), nil
	}
	if out, ok := appendSimple(dst, inner); ok {
		return out, nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return dst, errJSON
	}
	return append(dst, s...), nil
}

// appendSimple decodes the escapes that queries have: \n, \t, \", \\ and such.
func appendSimple(dst, inner []byte) ([]byte, bool) {
	out := dst
	for i := 0; i < len(inner); i++ {
		c := inner[i]
		if c != '\\' {
			out = append(out, c)
			continue
		}
		if i++; i == len(inner) {
			return dst, false
		}
		switch inner[i] {
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case 'r':
			out = append(out, '\r')
		case '"', '\\', '/':
			out = append(out, inner[i])
		default:
			return dst, false
		}
	}
	return out, true
}
