package catalog

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// scanExpr refuses text that could reach outside the parentheses it will be
// put into: unbalanced ones, a semicolon, a comment, an unfinished string or
// name, a parameter. It knows just enough of Postgres' lexer to tell what is
// inside a string from what is not, under standard_conforming_strings; what it
// lets through still has to please Postgres' own parser.
func scanExpr(sql string) error {
	if strings.TrimSpace(sql) == "" {
		return fmt.Errorf("the expression is empty")
	}
	if !utf8.ValidString(sql) || strings.ContainsRune(sql, 0) {
		return fmt.Errorf("the expression is not valid UTF-8 text")
	}
	s := exprScanner{sql: sql}
	for s.pos < len(s.sql) {
		if err := s.step(); err != nil {
			return err
		}
	}
	if n := len(s.open); n > 0 {
		return fmt.Errorf("a %c is never closed", s.open[n-1])
	}
	return nil
}

// exprScanner walks over an expression token by token.
type exprScanner struct {
	sql  string
	pos  int
	open []byte // brackets waiting for their partner
}

// step moves over one token, or one byte of what needs no care.
func (s *exprScanner) step() error {
	rest := s.sql[s.pos:]
	switch c := rest[0]; {
	case c == '\'':
		return s.quoted('\'', false)
	case c == '"':
		return s.quoted('"', false)
	case c == '$':
		return s.dollar()
	case c == ';':
		return fmt.Errorf("it holds a semicolon: only one expression is allowed")
	case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "/*"):
		return fmt.Errorf("it holds an SQL comment (%s)", rest[:2])
	case strings.IndexByte("()[]", c) >= 0:
		return s.bracket(c)
	case identByte(c):
		return s.word()
	}
	s.pos++
	return nil
}

// word moves over a name, a keyword or a number; an E right before a quote
// makes a string with backslash escapes. A number ends where a $ or a quote
// begins something else, which versions of Postgres read differently.
func (s *exprScanner) word() error {
	start := s.pos
	number := s.sql[start] >= '0' && s.sql[start] <= '9'
	for s.pos < len(s.sql) && (identByte(s.sql[s.pos]) || s.sql[s.pos] == '$' && !number) {
		s.pos++
	}
	word, next := s.sql[start:s.pos], byte(' ')
	if s.pos < len(s.sql) {
		next = s.sql[s.pos]
	}
	switch {
	case number && (next == '$' || next == '\'' || next == '"'):
		return fmt.Errorf("the number %s runs into a %c", word, next)
	case next == '\'' && strings.EqualFold(word, "e"):
		return s.quoted('\'', true)
	}
	return nil
}

// quoted moves over a string or a quoted name; a doubled quote needs no care:
// it ends one string and begins the next.
func (s *exprScanner) quoted(quote byte, escapes bool) error {
	for i := s.pos + 1; i < len(s.sql); i++ {
		switch {
		case escapes && s.sql[i] == '\\':
			i++
		case s.sql[i] == quote && escapes && i+1 < len(s.sql) && s.sql[i+1] == quote:
			i++ // the string goes on, still with escapes
		case s.sql[i] == quote:
			return s.closeQuoted(i, escapes)
		}
	}
	return fmt.Errorf("a %c is never closed", quote)
}

// closeQuoted ends a string at i. Strings that Postgres would join over a line
// break are refused after an escape string: the second half has escapes too,
// without saying so.
func (s *exprScanner) closeQuoted(i int, escapes bool) error {
	s.pos = i + 1
	if !escapes {
		return nil
	}
	after := strings.TrimLeft(s.sql[s.pos:], " \t\r\n\f\v")
	if strings.HasPrefix(after, "'") {
		return fmt.Errorf("an E'…' string is followed by another string")
	}
	return nil
}

// dollar moves over a dollar-quoted string, and refuses $1.
func (s *exprScanner) dollar() error {
	end := s.pos + 1
	for end < len(s.sql) && identByte(s.sql[end]) {
		end++
	}
	tag := s.sql[s.pos:end]
	if len(tag) > 1 && tag[1] >= '0' && tag[1] <= '9' {
		return fmt.Errorf("it holds a parameter (%s)", tag)
	}
	if end == len(s.sql) || s.sql[end] != '$' {
		return fmt.Errorf("it holds a stray $")
	}
	tag = s.sql[s.pos : end+1]
	stop := strings.Index(s.sql[end+1:], tag)
	if stop < 0 {
		return fmt.Errorf("%s is never closed", tag)
	}
	s.pos = end + 1 + stop + len(tag)
	return nil
}

// bracket keeps count of brackets.
func (s *exprScanner) bracket(c byte) error {
	s.pos++
	if c == '(' || c == '[' {
		s.open = append(s.open, c)
		return nil
	}
	want := byte('(')
	if c == ']' {
		want = '['
	}
	if n := len(s.open); n == 0 || s.open[n-1] != want {
		return fmt.Errorf("a %c closes nothing", c)
	}
	s.open = s.open[:len(s.open)-1]
	return nil
}

// identByte says whether c can be part of a name or a number.
func identByte(c byte) bool {
	return c == '_' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
