package served

import (
	"strings"
	"unicode"
)

// lowerFirst makes a field's name of a type's: Post is post, HTTPServer httpServer.
func lowerFirst(name string) string {
	r := []rune(name)
	for i := range r {
		if !unicode.IsUpper(r[i]) || i > 0 && i+1 < len(r) && unicode.IsLower(r[i+1]) {
			break
		}
		r[i] = unicode.ToLower(r[i])
	}
	return string(r)
}

// upperFirst makes a part of a name that follows another one.
func upperFirst(name string) string {
	if name == "" {
		return ""
	}
	r := []rune(name)
	r[0] = unicode.ToUpper(r[0])
	return string(r)
}

// irregular are plurals that no rule gives.
var irregular = map[string]string{
	"person": "people", "child": "children", "man": "men", "woman": "women", "foot": "feet", "tooth": "teeth",
	"goose": "geese", "mouse": "mice", "ox": "oxen", "index": "indexes", "matrix": "matrices", "vertex": "vertices",
	"axis": "axes", "analysis": "analyses", "basis": "bases", "crisis": "crises", "thesis": "theses",
	"datum": "data", "medium": "media", "criterion": "criteria", "leaf": "leaves", "life": "lives",
	"knife": "knives", "wife": "wives", "half": "halves", "shelf": "shelves", "wolf": "wolves", "quiz": "quizzes",
	"hero": "heroes", "potato": "potatoes", "tomato": "tomatoes", "echo": "echoes",
	"series": "series", "species": "species", "sheep": "sheep", "fish": "fish", "news": "news",
	"equipment": "equipment", "information": "information", "staff": "staff", "software": "software",
	"feedback": "feedback", "metadata": "metadata", "data": "data", "media": "media", "people": "people",
}

// plural returns the plural of a camelCase name: of its last word.
func plural(name string) string {
	start := strings.LastIndexFunc(name, unicode.IsUpper)
	if start < 0 {
		start = strings.LastIndexByte(name, '_') + 1
	}
	head, word := name[:start], name[start:]
	if p, ok := irregular[strings.ToLower(word)]; ok {
		if word != strings.ToLower(word) {
			p = upperFirst(p)
		}
		return head + p
	}
	return head + pluralWord(word)
}

func pluralWord(word string) string {
	lower := strings.ToLower(word)
	for _, ending := range []string{"s", "x", "z", "ch", "sh"} {
		if strings.HasSuffix(lower, ending) {
			return word + "es"
		}
	}
	if n := len(lower); n > 1 && lower[n-1] == 'y' && !strings.ContainsRune("aeiou", rune(lower[n-2])) {
		return word[:n-1] + "ies"
	}
	return word + "s"
}

// names hands out names that are unique among themselves.
type names map[string]bool

// take returns the first of the candidates that is free, else the last one
// with as many underscores as it needs.
func (n names) take(candidates ...string) string {
	for _, c := range candidates {
		if !n[c] {
			n[c] = true
			return c
		}
	}
	name := candidates[len(candidates)-1]
	for n[name] {
		name += "_"
	}
	n[name] = true
	return name
}
