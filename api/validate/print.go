package validate

import (
	"fmt"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// printValue prints a literal as messages show it.
func printValue(v *ast.Value) string {
	switch v.Kind {
	case ast.Variable:
		return "$" + v.Raw
	case ast.StringValue:
		return printString(v.Raw)
	case ast.BlockValue:
		return printBlock(v.Raw)
	case ast.ListValue, ast.ObjectValue:
		return printChildren(v)
	}
	return v.Raw
}

func printChildren(v *ast.Value) string {
	items := make([]string, len(v.Children))
	for i, c := range v.Children {
		items[i] = printValue(c.Value)
		if v.Kind == ast.ObjectValue {
			items[i] = c.Name + ": " + items[i]
		}
	}
	if v.Kind == ast.ObjectValue {
		return "{" + strings.Join(items, ", ") + "}"
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// shortEscapes are the escapes of one letter.
var shortEscapes = map[rune]string{'\b': `\b`, '\t': `\t`, '\n': `\n`, '\f': `\f`, '\r': `\r`, '"': `\"`, '\\': `\\`}

func printString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch short, ok := shortEscapes[r]; {
		case ok:
			b.WriteString(short)
		case r < 0x20 || r >= 0x7f && r <= 0x9f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// maxBlockLine is how long a block string may be to be printed on one line.
const maxBlockLine = 70

func printBlock(value string) string {
	escaped := strings.ReplaceAll(value, `"""`, `\"""`)
	lines := strings.Split(strings.ReplaceAll(strings.ReplaceAll(escaped, "\r\n", "\n"), "\r", "\n"), "\n")
	leading := len(lines) > 1
	for _, line := range lines[1:] {
		leading = leading && (line == "" || isBlank(line[0]))
	}
	tripled := strings.HasSuffix(escaped, `\"""`)
	trailing := strings.HasSuffix(value, `"`) && !tripled || strings.HasSuffix(value, `\`)
	several := len(lines) > 1 || len([]rune(value)) > maxBlockLine || trailing || leading || tripled
	skip := len(lines) == 1 && value != "" && isBlank(value[0])
	out := escaped
	if several && !skip || leading {
		out = "\n" + out
	}
	if several || trailing {
		out += "\n"
	}
	return `"""` + out + `"""`
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }
