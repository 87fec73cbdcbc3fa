package soak

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// The universes that keys are drawn from: small, so that writers meet.
const (
	orgs       = 12
	persons    = 120
	profiles   = 150
	products   = 40
	orders     = 120
	lines      = 6
	events     = 300
	notes      = 80
	scalars    = 40
	wallets    = 10
	hubs       = 3
	spokes     = 2100
	bolts      = 300
	traps      = 20
	hugeEvents = 100_000 // ids of the huge transactions' events begin here
)

// slugs are tag keys that try every way of passing a text key wrongly.
var slugs = []string{
	"plain", "", " ", "NULL", "null", "a,b", "{x}", "{", `"quoted"`, `back\slash`, `\`, "'", "it's", "new\nline",
	"tab\t", "ünïcödé", "日本語", "🐟", "%", "$1", "a", "A", "0", "longer-" + "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
}

var categories = []string{"fruit", "FRUIT", "nuts & bolts", "tools", "", "x", "ß", "deep"}

var moods = []string{"calm", "busy", "angry"}

// pick draws from 1..n; every third draw is one of the first three: hot rows.
func pick(r *rand.Rand, n int) int {
	if r.IntN(3) == 0 {
		return 1 + r.IntN(min(n, 3))
	}
	return 1 + r.IntN(n)
}

func pickText(r *rand.Rand, of []string) string { return of[pick(r, len(of))-1] }

// maybe returns v, or NULL every third time.
func maybe(r *rand.Rand, v any) any {
	if r.IntN(3) == 0 {
		return nil
	}
	return v
}

// uuidOf names a row by a UUID; rows change theirs among three generations.
func uuidOf(kind byte, n, generation int) string {
	return fmt.Sprintf("%02x000000-0000-4000-8000-%04x%08x", kind, generation, n)
}

func pickUUID(r *rand.Rand, kind byte, n int) string { return uuidOf(kind, pick(r, n), r.IntN(3)) }

var words = strings.Fields("river Lake spring Brook creek flood ebb tide Zulu émile o'neil \"q\" 100% under_score back\\slash 雪")

func word(r *rand.Rand) string { return words[r.IntN(len(words))] }

func phrase(r *rand.Rand) string { return word(r) + " " + word(r) }

// prose is text that is long enough for TOAST every second time. It is random,
// so that compression does not keep it in the row.
func prose(r *rand.Rand) string {
	if r.IntN(2) == 0 {
		return phrase(r)
	}
	var b strings.Builder
	for range 300 + r.IntN(600) {
		fmt.Fprintf(&b, "%08x", r.Uint32())
	}
	return b.String()
}

// price is a decimal with two digits behind the point.
func price(r *rand.Rand) string { return fmt.Sprintf("%d.%02d", r.IntN(1000), r.IntN(100)) }

// quarter is a float that sums exactly, in whatever order.
func quarter(r *rand.Rand) float64 { return float64(r.IntN(4000)) / 4 }

func instant(r *rand.Rand) string {
	fraction := []string{"", ".5", ".123456", ".000001"}[r.IntN(4)]
	return fmt.Sprintf("20%02d-%02d-%02d %02d:%02d:%02d%s%s", r.IntN(40), 1+r.IntN(12), 1+r.IntN(28), r.IntN(24),
		r.IntN(60), r.IntN(60), fraction, []string{"+00", "+05:30", "-08"}[r.IntN(3)])
}

func day(r *rand.Rand) string {
	return fmt.Sprintf("19%02d-%02d-%02d", 40+r.IntN(60), 1+r.IntN(12), 1+r.IntN(28))
}

func document(r *rand.Rand) string {
	return []string{
		`{"a": [1, 2.50, 1e3, null, true], "b": {"c": "x"}}`, `[]`, `"text"`, `null`, `12345678901234567890.123`,
		`{"z": 1, "a": "é\n\t\"", "n": {}}`, `{"big": [` + strings.Repeat(`"0123456789abcdef",`, r.IntN(300)) + `0]}`,
	}[r.IntN(7)]
}

func flip(r *rand.Rand) bool { return r.IntN(2) == 0 }
