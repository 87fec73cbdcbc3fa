package batch

import (
	"fmt"
	"strconv"
	"strings"
)

// Join makes the Value of a path from the texts of its Start columns. One text
// is the Value itself; of several each is written as its length in bytes, a
// colon and the text, so that no two lists make the same Value.
func Join(texts ...string) Value {
	if len(texts) == 1 {
		return Value(texts[0])
	}
	var b strings.Builder
	for _, t := range texts {
		b.WriteString(strconv.Itoa(len(t)))
		b.WriteByte(':')
		b.WriteString(t)
	}
	return Value(b.String())
}

// Split undoes Join for n columns. It fails only for a Value that Join did not
// make of n texts.
func (v Value) Split(n int) ([]string, error) {
	if n == 1 {
		return []string{string(v)}, nil
	}
	texts := make([]string, 0, n)
	for rest := string(v); rest != ""; {
		text, after, err := cutText(rest)
		if err != nil {
			return nil, fmt.Errorf("split the value of %d columns: %w", n, err)
		}
		texts, rest = append(texts, text), after
	}
	if len(texts) != n {
		return nil, fmt.Errorf("split the value of %d columns: it holds %d", n, len(texts))
	}
	return texts, nil
}

func cutText(s string) (text, rest string, err error) {
	digits, rest, found := strings.Cut(s, ":")
	if !found {
		return "", "", fmt.Errorf("no length in %d bytes", len(s))
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		return "", "", fmt.Errorf("length: %w", err)
	}
	if n < 0 || n > len(rest) {
		return "", "", fmt.Errorf("length %d of %d bytes", n, len(rest))
	}
	return rest[:n], rest[n:], nil
}
