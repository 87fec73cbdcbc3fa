package validate

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf16"
)

const maxSuggestions = 5

// DidYouMean words suggestions as the end of a message.
func DidYouMean(names []string) string { return didYouMean("", names) }

func didYouMean(what string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	quoted := make([]string, min(len(names), maxSuggestions))
	for i := range quoted {
		quoted[i] = `"` + names[i] + `"`
	}
	last := len(quoted) - 1
	switch last {
	case 0:
		return " Did you mean " + what + quoted[0] + "?"
	case 1:
		return " Did you mean " + what + quoted[0] + " or " + quoted[1] + "?"
	}
	return " Did you mean " + what + strings.Join(quoted[:last], ", ") + ", or " + quoted[last] + "?"
}

// Suggestions returns those of the options that are near to the input, the
// nearest first.
func Suggestions(input string, options []string) []string {
	distances := map[string]int{}
	d := newDistance(input)
	threshold := len(utf16.Encode([]rune(input)))*2/5 + 1
	for _, o := range options {
		if n, ok := d.measure(o, threshold); ok {
			distances[o] = n
		}
	}
	found := make([]string, 0, len(distances))
	for o := range distances {
		found = append(found, o)
	}
	slices.SortFunc(found, func(a, b string) int {
		return cmp.Or(cmp.Compare(distances[a], distances[b]), naturalCompare(a, b))
	})
	return found
}

// distance measures how many edits lie between two names; a swap of two
// neighbours is one, and so are all changes of case together.
type distance struct {
	input string
	lower []uint16
	rows  [3][]int
}

func newDistance(input string) *distance {
	return &distance{input: input, lower: lowered(input)}
}

func lowered(s string) []uint16 { return utf16.Encode([]rune(strings.ToLower(s))) }

// maxMeasured bounds the names that are compared: longer ones are no typos.
const maxMeasured = 1000

func (d *distance) measure(option string, threshold int) (int, bool) {
	if d.input == option {
		return 0, true
	}
	a, b := lowered(option), d.lower
	if slices.Equal(a, b) {
		return 1, true
	}
	if len(a) < len(b) {
		a, b = b, a
	}
	if len(a)-len(b) > threshold || len(a) > maxMeasured {
		return 0, false
	}
	for i := range d.rows {
		d.rows[i] = slices.Grow(d.rows[i][:0], len(b)+1)[:len(b)+1]
	}
	for j := range d.rows[0] {
		d.rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		if d.row(a, b, i) > threshold {
			return 0, false
		}
	}
	n := d.rows[len(a)%3][len(b)]
	return n, n <= threshold
}

// row fills in a row and returns its smallest cell.
func (d *distance) row(a, b []uint16, i int) int {
	up, row := d.rows[(i-1)%3], d.rows[i%3]
	row[0] = i
	smallest := i
	for j := 1; j <= len(b); j++ {
		differ := 0
		if a[i-1] != b[j-1] {
			differ = 1
		}
		cell := min(up[j]+1, row[j-1]+1, up[j-1]+differ)
		if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
			cell = min(cell, d.rows[(i-2)%3][j-2]+1)
		}
		smallest = min(smallest, cell)
		row[j] = cell
	}
	return smallest
}

// naturalCompare compares names, numbers in them by their value.
func naturalCompare(a, b string) int {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		if isDigit(a[i]) && isDigit(b[j]) {
			var x, y float64
			x, i = number(a, i)
			y, j = number(b, j)
			if c := cmp.Compare(x, y); c != 0 {
				return c
			}
			continue
		}
		if a[i] != b[j] {
			return cmp.Compare(a[i], b[j])
		}
		i++
		j++
	}
	return cmp.Compare(len(a), len(b))
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// number reads a number; one that begins with 0 ends there.
func number(s string, i int) (n float64, end int) {
	for {
		n = n*10 + float64(s[i]-'0')
		if i++; i >= len(s) || !isDigit(s[i]) || n == 0 {
			return n, i
		}
	}
}
