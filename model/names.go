package model

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
)

// SnakeCase returns the snake_case form of a GraphQL name, by which fields
// find their columns and types their tv_ tables: fullName is full_name,
// HTTPServer http_server, address2 address2, userID user_id, userIDs user_ids.
func SnakeCase(name string) string {
	in := []rune(name)
	var out strings.Builder
	for i, c := range in {
		if startsWord(in, i) {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(c))
	}
	return out.String()
}

// startsWord says whether a new word of a camelCase name begins at i: at a
// capital after a small letter or digit, and at the last capital of a run that
// a word follows (the S of HTTPServer). A lone plural s is no word.
func startsWord(in []rune, i int) bool {
	if i == 0 || !unicode.IsUpper(in[i]) || in[i-1] == '_' {
		return false
	}
	if !unicode.IsUpper(in[i-1]) {
		return true
	}
	small := func(j int) bool { return j < len(in) && unicode.IsLower(in[j]) }
	plural := small(i+1) && in[i+1] == 's' && !small(i+2)
	return small(i+1) && !plural
}

// maxSuggest bounds the length of names that are compared: the distance is
// quadratic in it, and longer ones are not typing errors.
const maxSuggest = 64

// nearest returns the candidate that name is most likely a slip of, or "".
// Case counts for nothing.
func nearest(name string, candidates []string) string {
	if utf8.RuneCountInString(name) > maxSuggest {
		return ""
	}
	// A slip changes at most two characters, or a third of a long name, and
	// never more than half of it.
	most := max(1, min(len(name)/2, max(2, len(name)/3)))
	best, bestDistance := "", most+1
	for _, c := range candidates {
		if len(c) > maxSuggest {
			continue
		}
		d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(c))
		if d < bestDistance && d < len(c) {
			best, bestDistance = c, d
		}
	}
	return best
}

// didYouMean is the remedy for an unknown name: the nearest one known, or all
// of them where none is near and they are few.
func didYouMean(name string, candidates []string) string {
	if c := nearest(name, candidates); c != "" {
		return fmt.Sprintf("Did you mean %s?", c)
	}
	const few = 15
	if len(candidates) == 0 || len(candidates) > few {
		return ""
	}
	return "Known here: " + strings.Join(candidates, ", ") + "."
}

// quoteIdent quotes an SQL identifier.
func quoteIdent(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// quoteLiteral quotes an SQL string under standard_conforming_strings.
func quoteLiteral(s string) string {
	return `'` + strings.ReplaceAll(s, `'`, `''`) + `'`
}

// fieldNames returns the names of those fields that keep accepts; nil accepts all.
func fieldNames(t *Type, keep func(*Field) bool) []string {
	var names []string
	for _, f := range t.Fields {
		if keep == nil || keep(f) {
			names = append(names, f.Name)
		}
	}
	return names
}

// reservedTypes are names that the served schema uses itself.
var reservedTypes = []string{"Query", "Mutation", "Subscription", "PageInfo", "Node", "OrderDirection", "SortDirection"}

// derivedSuffixes make, behind a type's, enum's or scalar's name, the names
// that the served schema derives from it.
var derivedSuffixes = []string{"Connection", "Edge", "Filter", "Where", "OrderBy"}

// derivedFrom returns the declared name that the served schema derives name
// from, or "".
func derivedFrom(name string, declared func(string) bool) string {
	for _, suffix := range derivedSuffixes {
		base, ok := strings.CutSuffix(name, suffix)
		if ok && base != "" && (declared(base) || IsScalar(base)) {
			return base
		}
	}
	return ""
}
