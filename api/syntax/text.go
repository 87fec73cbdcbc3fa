package syntax

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// text reads a string in single quotes.
func (l *lexer) text(start int) token {
	var value strings.Builder
	for pos := start + 1; ; {
		if pos >= len(l.body) || l.body[pos] == '\n' || l.body[pos] == '\r' {
			l.fail(pos, "Unterminated string.")
		}
		switch l.body[pos] {
		case '"':
			return l.token(str, start, pos+1, value.String())
		case '\\':
			r, size := l.escape(pos)
			value.WriteRune(r)
			pos += size
		default:
			r, size := utf8.DecodeRuneInString(l.body[pos:])
			value.WriteRune(r)
			pos += size
		}
	}
}

var escapes = map[byte]rune{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape reads what stands for one character, and returns how long that is.
func (l *lexer) escape(pos int) (r rune, size int) {
	c := l.byteAt(pos + 1)
	if c == 'u' && l.byteAt(pos+2) == '{' {
		return l.braced(pos)
	}
	if c == 'u' {
		return l.fixed(pos)
	}
	r, ok := escapes[c]
	if !ok {
		l.fail(pos, `Invalid character escape sequence: "`+l.slice(pos, 2)+`".`)
	}
	return r, 2
}

// slice returns the text of at most n UTF-16 units.
func (l *lexer) slice(pos, n int) string {
	end := pos
	for n > 0 && end < len(l.body) {
		r, size := utf8.DecodeRuneInString(l.body[end:])
		end += size
		if n--; r > 0xffff {
			n--
		}
	}
	return l.body[pos:end]
}

// braced reads an escape such as \u{1F600}.
func (l *lexer) braced(pos int) (rune, int) {
	var point int32
	size := 3
	for size < 12 {
		c := l.byteAt(pos + size)
		size++
		if c == '}' {
			if size < 5 || !isScalar(point) {
				break
			}
			return point, size
		}
		if point = point<<4 | hexDigit(c); point < 0 {
			break
		}
	}
	l.fail(pos, `Invalid Unicode escape sequence: "`+l.slice(pos, size)+`".`)
	return 0, 0
}

// fixed reads an escape such as \u00e9, or a pair of surrogates.
func (l *lexer) fixed(pos int) (rune, int) {
	code := l.hex4(pos + 2)
	if isScalar(code) {
		return code, 6
	}
	if code >= 0xd800 && code <= 0xdbff && l.byteAt(pos+6) == '\\' && l.byteAt(pos+7) == 'u' {
		if trailing := l.hex4(pos + 8); trailing >= 0xdc00 && trailing <= 0xdfff {
			return utf16.DecodeRune(code, trailing), 12
		}
	}
	l.fail(pos, `Invalid Unicode escape sequence: "`+l.slice(pos, 6)+`".`)
	return 0, 0
}

func isScalar(code rune) bool {
	return code >= 0 && code <= 0xd7ff || code >= 0xe000 && code <= 0x10ffff
}

// hex4 reads four hexadecimal digits; anything else yields a negative number.
func (l *lexer) hex4(pos int) rune {
	return hexDigit(l.byteAt(pos))<<12 | hexDigit(l.byteAt(pos+1))<<8 | hexDigit(l.byteAt(pos+2))<<4 | hexDigit(l.byteAt(pos+3))
}

func hexDigit(c byte) int32 {
	switch {
	case isDigit(c):
		return int32(c - '0')
	case 'A' <= c && c <= 'F':
		return int32(c-'A') + 10
	case 'a' <= c && c <= 'f':
		return int32(c-'a') + 10
	}
	return -1
}

// block reads a block string.
func (l *lexer) block(start int) token {
	line, lineStart := l.line, l.lineStart
	var lines []string
	var current strings.Builder
	for pos := start + 3; pos < len(l.body); {
		switch rest := l.body[pos:]; {
		case strings.HasPrefix(rest, `"""`):
			lines = append(lines, current.String())
			l.line, l.lineStart = line, lineStart
			t := l.token(blockString, start, pos+3, strings.Join(dedent(lines), "\n"))
			l.line, l.lineStart = line+len(lines)-1, max(lineStart, l.lineOf(start, pos))
			return t
		case strings.HasPrefix(rest, `\"""`):
			current.WriteString(`"""`)
			pos += 4
		case rest[0] == '\n' || rest[0] == '\r':
			lines = append(lines, current.String())
			current.Reset()
			pos = l.newLine(pos)
		default:
			r, size := utf8.DecodeRuneInString(rest)
			current.WriteRune(r)
			pos += size
		}
	}
	l.line, l.lineStart = line+len(lines), max(lineStart, l.lineOf(start, len(l.body)))
	l.fail(len(l.body), "Unterminated string.")
	return token{}
}

// lineOf returns where the last line begins that starts between two places, or
// 0 if there is none.
func (l *lexer) lineOf(from, to int) int {
	if i := strings.LastIndexAny(l.body[from:to], "\n\r"); i >= 0 {
		return from + i + 1
	}
	return 0
}

// dedent takes away the indentation that the lines of a block string share,
// and blank lines at both ends.
func dedent(lines []string) []string {
	common, first, last := -1, -1, -1
	for i, line := range lines {
		indent := len(line) - len(strings.TrimLeft(line, " \t"))
		if indent == len(line) {
			continue
		}
		if first < 0 {
			first = i
		}
		last = i
		if i > 0 && (common < 0 || indent < common) {
			common = indent
		}
	}
	for i := 1; i < len(lines) && common > 0; i++ {
		lines[i] = lines[i][min(common, len(lines[i])):]
	}
	if first < 0 {
		return nil
	}
	return lines[first : last+1]
}
