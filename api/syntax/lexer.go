package syntax

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// kind is a kind of token, in the words of messages.
type kind string

const (
	sof         kind = "<SOF>"
	eof         kind = "<EOF>"
	bang        kind = "!"
	dollar      kind = "$"
	amp         kind = "&"
	parenL      kind = "("
	parenR      kind = ")"
	spread      kind = "..."
	colon       kind = ":"
	equals      kind = "="
	at          kind = "@"
	bracketL    kind = "["
	bracketR    kind = "]"
	braceL      kind = "{"
	pipe        kind = "|"
	braceR      kind = "}"
	name        kind = "Name"
	intValue    kind = "Int"
	floatValue  kind = "Float"
	str         kind = "String"
	blockString kind = "BlockString"
)

// token is a token of the text. Values of punctuators are empty.
type token struct {
	kind       kind
	start, end int // in bytes
	line, col  int
	value      string
}

// valued says whether tokens of a kind have a value.
func (k kind) valued() bool {
	return k == name || k == intValue || k == floatValue || k == str || k == blockString
}

func (k kind) describe() string {
	if k.valued() || k == sof || k == eof {
		return string(k)
	}
	return `"` + string(k) + `"`
}

func (t token) describe() string {
	if t.kind.valued() {
		return t.kind.describe() + ` "` + t.value + `"`
	}
	return t.kind.describe()
}

// lexer cuts a text into tokens. Its methods panic with *gqlerror.Error.
type lexer struct {
	body      string
	line      int
	lineStart int // of the present line, in bytes
	// The column of the last token, from which that of the next one is counted.
	colAt, colLine, col int
}

// byteAt returns a byte, or 0 behind the end. A zero byte in the text is no
// valid character anywhere, so that the two are never mixed up for long.
func (l *lexer) byteAt(i int) byte {
	if i < len(l.body) {
		return l.body[i]
	}
	return 0
}

// column counts UTF-16 units from the start of the line.
func (l *lexer) column(pos int) int {
	if l.colLine != l.lineStart || l.colAt > pos {
		l.colAt, l.colLine, l.col = l.lineStart, l.lineStart, 1
	}
	l.col += units(l.body[l.colAt:min(pos, len(l.body))])
	l.colAt = pos
	return l.col
}

// units counts the UTF-16 units of a text.
func units(s string) int {
	n := 0
	for _, r := range s {
		if n++; r > 0xffff {
			n++
		}
	}
	return n
}

func (l *lexer) token(k kind, start, end int, value string) token {
	return token{kind: k, start: start, end: end, line: l.line, col: l.column(start), value: value}
}

const byteOrderMark = "\ufeff"

// skip passes over what means nothing, and returns where it ends.
func (l *lexer) skip(pos int) int {
	for pos < len(l.body) {
		switch c := l.body[pos]; {
		case c == ' ' || c == '\t' || c == ',':
			pos++
		case c == '\n' || c == '\r':
			pos = l.newLine(pos)
			l.line, l.lineStart = l.line+1, pos
		case c == '#':
			for pos < len(l.body) && l.body[pos] != '\n' && l.body[pos] != '\r' {
				pos++
			}
		case strings.HasPrefix(l.body[pos:], byteOrderMark):
			pos += len(byteOrderMark)
		default:
			return pos
		}
	}
	return pos
}

// newLine returns where the line after a line's end begins.
func (l *lexer) newLine(pos int) int {
	if l.body[pos] == '\r' && l.byteAt(pos+1) == '\n' {
		return pos + 2
	}
	return pos + 1
}

// next reads the token behind a position.
func (l *lexer) next(pos int) token {
	pos = l.skip(pos)
	if pos >= len(l.body) {
		return l.token(eof, len(l.body), len(l.body), "")
	}
	c := l.body[pos]
	switch {
	case strings.IndexByte("!$&():=@[]{|}", c) >= 0:
		return l.token(kind(l.body[pos:pos+1]), pos, pos+1, "")
	case strings.HasPrefix(l.body[pos:], "..."):
		return l.token(spread, pos, pos+3, "")
	case strings.HasPrefix(l.body[pos:], `"""`):
		return l.block(pos)
	case c == '"':
		return l.text(pos)
	case isDigit(c) || c == '-':
		return l.number(pos)
	case isNameStart(c):
		end := pos + 1
		for isNameStart(l.byteAt(end)) || isDigit(l.byteAt(end)) {
			end++
		}
		return l.token(name, pos, end, l.body[pos:end])
	case c == '\'':
		l.fail(pos, `Unexpected single quote character ('), did you mean to use a double quote (")?`)
	}
	l.fail(pos, "Unexpected character: "+l.shown(pos)+".")
	return token{}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isNameStart(c byte) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// fail panics with a syntax error at a position of the present line.
func (l *lexer) fail(pos int, message string) {
	panic(syntaxError(l.line, l.column(pos), message))
}

// shown is how messages show the character at a position.
func (l *lexer) shown(pos int) string {
	if pos >= len(l.body) {
		return string(eof)
	}
	r, _ := utf8.DecodeRuneInString(l.body[pos:])
	switch {
	case r == '"':
		return `'"'`
	case r >= 0x20 && r <= 0x7e:
		return `"` + string(r) + `"`
	}
	return fmt.Sprintf("U+%04X", r)
}

// number reads a number.
func (l *lexer) number(start int) token {
	pos, k := start, intValue
	if l.byteAt(pos) == '-' {
		pos++
	}
	if l.byteAt(pos) == '0' {
		if pos++; isDigit(l.byteAt(pos)) {
			l.fail(pos, "Invalid number, unexpected digit after 0: "+l.shown(pos)+".")
		}
	} else {
		pos = l.digits(pos)
	}
	if l.byteAt(pos) == '.' {
		k = floatValue
		pos = l.digits(pos + 1)
	}
	if c := l.byteAt(pos); c == 'e' || c == 'E' {
		k = floatValue
		if c := l.byteAt(pos + 1); c == '+' || c == '-' {
			pos++
		}
		pos = l.digits(pos + 1)
	}
	if c := l.byteAt(pos); c == '.' || isNameStart(c) {
		l.fail(pos, "Invalid number, expected digit but got: "+l.shown(pos)+".")
	}
	return l.token(k, start, pos, l.body[start:pos])
}

// digits passes over at least one digit.
func (l *lexer) digits(pos int) int {
	if !isDigit(l.byteAt(pos)) {
		l.fail(pos, "Invalid number, expected digit but got: "+l.shown(pos)+".")
	}
	for isDigit(l.byteAt(pos)) {
		pos++
	}
	return pos
}
