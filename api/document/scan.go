package document

import (
	"bytes"
	"errors"
	"fmt"
)

var errTooDeep = errors.New("it is nested too deep")

func errExpected(what string) error { return fmt.Errorf("%s is expected", what) }

// scanner walks JSON text. It checks structure, not the inside of numbers: its
// input comes from Postgres.
type scanner struct {
	text []byte
	at   int
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\n', '\t', '\r':
			s.at++
		default:
			return
		}
	}
}

// byte passes over b if it comes next.
func (s *scanner) byte(b byte) bool {
	if s.at < len(s.text) && s.text[s.at] == b {
		s.at++
		return true
	}
	return false
}

// literal passes over a word if it comes next.
func (s *scanner) literal(word string) bool {
	if s.at < len(s.text) && s.text[s.at] == word[0] && bytes.HasPrefix(s.text[s.at:], []byte(word)) {
		s.at += len(word)
		return true
	}
	return false
}

// key scans a member's key and its colon. Escapes are left as they are: no
// GraphQL name has any.
func (s *scanner) key() ([]byte, error) {
	s.space()
	start := s.at
	if err := s.string(); err != nil {
		return nil, err
	}
	key := s.text[start+1 : s.at-1]
	s.space()
	if !s.byte(':') {
		return nil, errExpected("a colon")
	}
	return key, nil
}

// string passes over a string.
func (s *scanner) string() error {
	if !s.byte('"') {
		return errExpected("a string")
	}
	for {
		i := bytes.IndexByte(s.text[s.at:], '"')
		if i < 0 {
			return errors.New("a string has no end")
		}
		end := s.at + i
		escapes := 0
		for end-1-escapes >= s.at && s.text[end-1-escapes] == '\\' {
			escapes++
		}
		s.at = end + 1
		if escapes%2 == 0 {
			return nil
		}
	}
}

// scalar passes over a string, number, true, false or null.
func (s *scanner) scalar() error {
	if s.at < len(s.text) && s.text[s.at] == '"' {
		return s.string()
	}
	start := s.at
	for s.at < len(s.text) && isWord(s.text[s.at]) {
		s.at++
	}
	if s.at == start {
		return errExpected("a value")
	}
	return nil
}

func isWord(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '-' || b == '+' || b == '.'
}

// skip passes over any value.
func (s *scanner) skip(depth int) error {
	_, err := s.walk(nil, depth, false)
	return err
}

// copy appends any value to out, without the space between its tokens.
func (s *scanner) copy(out []byte, depth int) ([]byte, error) {
	return s.walk(out, depth, true)
}

// walk passes over a value, appending it to out if keep is set.
func (s *scanner) walk(out []byte, depth int, keep bool) ([]byte, error) {
	if depth > maxDepth {
		return out, errTooDeep
	}
	s.space()
	switch {
	case s.byte('{'):
		return s.walkList(out, depth, keep, '{', '}')
	case s.byte('['):
		return s.walkList(out, depth, keep, '[', ']')
	}
	start := s.at
	err := s.scalar()
	if keep {
		out = append(out, s.text[start:s.at]...)
	}
	return out, err
}

// walkList passes over the members or elements behind an opening bracket.
func (s *scanner) walkList(out []byte, depth int, keep bool, opening, closing byte) ([]byte, error) {
	put := func(b byte) {
		if keep {
			out = append(out, b)
		}
	}
	put(opening)
	if s.space(); s.byte(closing) {
		put(closing)
		return out, nil
	}
	for {
		if opening == '{' {
			key, err := s.key()
			if err != nil {
				return out, err
			}
			if keep {
				out = append(append(append(out, '"'), key...), '"', ':')
			}
		}
		var err error
		if out, err = s.walk(out, depth+1, keep); err != nil {
			return out, err
		}
		s.space()
		if s.byte(closing) {
			put(closing)
			return out, nil
		}
		if !s.byte(',') {
			return out, errExpected("a comma")
		}
		put(',')
	}
}
