package model

import (
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// text is a model file's source with the means to tell positions in it. The
// parser's own lines and columns are not used: for block strings they name the
// end, and for strings the character behind the quote. Its offsets, counted in
// characters, are right.
type text struct {
	file  string
	runes []rune
	lines []int // offset of each line's first character
}

// normalize makes every line end a \n, which moves no line or column, and
// drops a byte order mark.
func normalize(source string) string {
	source = strings.TrimPrefix(source, "\ufeff")
	if !strings.Contains(source, "\r") {
		return source
	}
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(source)
}

func newText(file, source string) *text {
	t := &text{file: file, runes: []rune(source), lines: []int{0}}
	for i, c := range t.runes {
		if c == '\n' {
			t.lines = append(t.lines, i+1)
		}
	}
	return t
}

// at returns the position of an offset.
func (t *text) at(offset int) Pos {
	offset = max(0, min(offset, len(t.runes)))
	line := sort.Search(len(t.lines), func(i int) bool { return t.lines[i] > offset })
	return Pos{File: t.file, Line: line, Column: offset - t.lines[line-1] + 1}
}

// pos returns the position of a token.
func (t *text) pos(p *ast.Position) Pos {
	if p == nil {
		return t.at(0)
	}
	return t.at(p.Start)
}

// directive returns the position of a directive's @; the parser gives its name's.
func (t *text) directive(d *ast.Directive) Pos {
	if d.Position == nil {
		return t.at(0)
	}
	start := d.Position.Start
	if start > 0 && start <= len(t.runes) && t.runes[start-1] == '@' {
		start--
	}
	return t.at(start)
}

// offset is the opposite of at, for the line and column of a syntax error.
func (t *text) offset(line, column int) int {
	line = max(1, min(line, len(t.lines)))
	return max(0, min(t.lines[line-1]+max(column, 1)-1, len(t.runes)))
}

// errorOffset returns the offset that a syntax error names, and its message.
func (t *text) errorOffset(err error) (int, string) {
	e, ok := err.(*gqlerror.Error)
	if !ok {
		return 0, err.Error()
	}
	if len(e.Locations) == 0 {
		return 0, e.Message
	}
	return t.offset(e.Locations[0].Line, e.Locations[0].Column), e.Message
}

// word returns what stands at an offset up to the next white space, shortened.
func (t *text) word(offset int) string {
	const most = 30
	rest := string(t.runes[offset:min(offset+most, len(t.runes))])
	if words := strings.Fields(rest); len(words) > 0 {
		return words[0]
	}
	return ""
}

// literal decodes the string literal that begins at an offset, and tells for
// each of its characters the offset that it comes from. A block string's
// indentation is kept: who reads it by literal does not mind white space.
func (t *text) literal(start int) (string, []int) {
	l := &literalReader{in: t.runes, i: start}
	if l.has(`"""`) {
		l.i += 3
		l.block()
	} else {
		l.i++
		l.quoted()
	}
	return string(l.out), l.offsets
}

// literalReader decodes one string literal that the parser has accepted.
type literalReader struct {
	in      []rune
	i       int
	out     []rune
	offsets []int
}

func (l *literalReader) has(prefix string) bool {
	for k, c := range []rune(prefix) {
		if l.i+k >= len(l.in) || l.in[l.i+k] != c {
			return false
		}
	}
	return true
}

// emit adds a character that takes width characters of the source.
func (l *literalReader) emit(c rune, width int) {
	l.out = append(l.out, c)
	l.offsets = append(l.offsets, l.i)
	l.i += width
}

func (l *literalReader) block() {
	for l.i < len(l.in) {
		switch {
		case l.has(`\"""`):
			l.i++
			for range 3 {
				l.emit('"', 1)
			}
		case l.has(`"""`) && !l.has(`""""`):
			return
		default:
			l.emit(l.in[l.i], 1)
		}
	}
}

func (l *literalReader) quoted() {
	for l.i < len(l.in) && l.in[l.i] != '"' && l.in[l.i] != '\n' {
		if l.in[l.i] == '\\' && l.i+1 < len(l.in) {
			l.escape()
		} else {
			l.emit(l.in[l.i], 1)
		}
	}
}

var simpleEscapes = map[rune]rune{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (l *literalReader) escape() {
	c := l.in[l.i+1]
	if c != 'u' {
		if e, ok := simpleEscapes[c]; ok {
			c = e
		}
		l.emit(c, 2)
		return
	}
	digits, width := l.unicodeDigits(l.i)
	v, err := strconv.ParseUint(digits, 16, 32)
	if err != nil {
		v = utf8.RuneError
	}
	if low, w := l.unicodeDigits(l.i + width); v >= 0xD800 && v < 0xDC00 && len(low) == 4 {
		if second, err := strconv.ParseUint(low, 16, 32); err == nil && second >= 0xDC00 && second < 0xE000 {
			v, width = (v-0xD800)<<10+(second-0xDC00)+0x10000, width+w
		}
	}
	l.emit(rune(v), width)
}

// unicodeDigits returns the hex digits of the \u escape at i and the escape's
// whole length; both are zero where there is none.
func (l *literalReader) unicodeDigits(i int) (string, int) {
	if i+2 >= len(l.in) || l.in[i] != '\\' || l.in[i+1] != 'u' {
		return "", 2
	}
	if l.in[i+2] != '{' {
		end := min(i+6, len(l.in))
		return string(l.in[i+2 : end]), end - i
	}
	end := i + 3
	for end < len(l.in) && l.in[end] != '}' && l.in[end] != '"' {
		end++
	}
	return string(l.in[i+3 : end]), end + 1 - i
}
