package catalog

import (
	"strings"
	"testing"
)

// What the scanner lets through has balanced brackets outside of strings, by a
// second, cruder count: no text without quotes or dollars may fool it.
func FuzzScanExpr(f *testing.F) {
	for _, s := range []string{"", "a", "(a)", "a)(b", "E'\\'", "$$x$$", "$a$ $b$ $a$", "1$$", "U&'\\'", `"`, "--", "[(])", "e'", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if scanExpr(s) != nil || strings.ContainsAny(s, `'"$`) {
			return
		}
		depth := 0
		for _, c := range s {
			switch c {
			case '(', '[':
				depth++
			case ')', ']':
				depth--
			case ';':
				t.Errorf("%q: a semicolon came through", s)
			}
			if depth < 0 {
				t.Errorf("%q: it leaves its parentheses", s)
			}
		}
		if depth != 0 || strings.Contains(s, "--") || strings.Contains(s, "/*") {
			t.Errorf("%q came through", s)
		}
	})
}
