package draft

import (
	"slices"
	"strings"
	"unicode"

	"freshet/model"
)

// words cuts an SQL name into lower-case words of letters and digits, as
// GraphQL has them.
func words(name string) []string {
	plain := strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return r
		}
		return '_'
	}, model.SnakeCase(name))
	return strings.FieldsFunc(plain, func(r rune) bool { return r == '_' })
}

// tablePrefixes are what people put before every table's name.
var tablePrefixes = []string{"tb", "tbl", "t"}

// tableWords are the words of a table's name, without its prefix, in the
// singular.
func tableWords(name string) []string {
	w := words(name)
	if len(w) > 1 && slices.Contains(tablePrefixes, w[0]) {
		w = w[1:]
	}
	if len(w) > 0 {
		w[len(w)-1] = singular(w[len(w)-1])
	}
	return w
}

// pascal joins words as a type's name.
func pascal(words []string) string {
	var b strings.Builder
	for _, w := range words {
		b.WriteString(strings.ToUpper(w[:1]) + w[1:])
	}
	return named(b.String(), "T")
}

// camel joins words as a field's name.
func camel(words []string) string {
	if len(words) == 0 {
		return "x"
	}
	rest := ""
	if len(words) > 1 {
		rest = pascal(words[1:])
		if unicode.IsDigit(rune(words[1][0])) {
			rest = strings.TrimPrefix(rest, "T")
		}
	}
	return named(words[0]+rest, "x")
}

// named makes a text a GraphQL name: one cannot begin with a digit.
func named(s, before string) string {
	if s == "" || unicode.IsDigit(rune(s[0])) {
		return before + s
	}
	return s
}

// irregular are plurals that no rule gives.
var irregular = map[string]string{
	"people": "person", "children": "child", "men": "man", "women": "woman", "media": "medium",
	"indices": "index", "matrices": "matrix", "criteria": "criterion", "analyses": "analysis",
}

// invariable are words that end in s in the singular, or have one form.
var invariable = []string{"news", "series", "species", "status", "address", "data", "metadata", "sms", "gps", "bus", "analysis", "access", "process", "business", "canvas", "alias"}

// singular of an English word, by the rules that cover table names.
func singular(w string) string {
	switch one, ok := irregular[w]; {
	case ok:
		return one
	case slices.Contains(invariable, w), len(w) < 4, !strings.HasSuffix(w, "s"), strings.HasSuffix(w, "ss"), strings.HasSuffix(w, "us"), strings.HasSuffix(w, "is"):
		return w
	case strings.HasSuffix(w, "ies"):
		return strings.TrimSuffix(w, "ies") + "y"
	case strings.HasSuffix(w, "ouses"), strings.HasSuffix(w, "auses"), w == "uses":
		return strings.TrimSuffix(w, "s")
	}
	for _, end := range []string{"sses", "shes", "ches", "xes", "zes", "uses", "iases"} {
		if strings.HasSuffix(w, end) {
			return strings.TrimSuffix(w, "es")
		}
	}
	return strings.TrimSuffix(w, "s")
}

// plural of an English word.
func plural(w string) string {
	for many, one := range irregular {
		if w == one {
			return many
		}
	}
	switch {
	case strings.HasSuffix(w, "y") && len(w) > 1 && !strings.ContainsRune("aeiou", rune(w[len(w)-2])):
		return strings.TrimSuffix(w, "y") + "ies"
	case strings.HasSuffix(w, "s"), strings.HasSuffix(w, "x"), strings.HasSuffix(w, "z"), strings.HasSuffix(w, "ch"), strings.HasSuffix(w, "sh"):
		return w + "es"
	}
	return w + "s"
}

// pluralWords puts the last word into the plural.
func pluralWords(w []string) []string {
	w = slices.Clone(w)
	if len(w) > 0 {
		w[len(w)-1] = plural(w[len(w)-1])
	}
	return w
}

// keyWords are how the name of a foreign key's column ends.
var keyWords = []string{"id", "uuid", "key", "code", "fk"}

// referenceWords are the words of a foreign key's column without the mark of a
// key: author of author_id.
func referenceWords(column string) []string {
	w := words(column)
	if len(w) > 1 && slices.Contains(keyWords, w[len(w)-1]) {
		return w[:len(w)-1]
	}
	return w
}

// taken hands out names, each once.
type taken map[string]bool

// free returns the first of the names that is free, or the last with a number.
func (t taken) free(names ...string) string {
	for _, n := range names {
		if !t[n] {
			t[n] = true
			return n
		}
	}
	base := names[len(names)-1]
	for i := '2'; ; i++ {
		if n := base + string(i); !t[n] {
			t[n] = true
			return n
		}
	}
}

// servedNames are what the served schema, or GraphQL, keeps for itself.
var servedNames = []string{
	"Query", "Mutation", "Subscription", "PageInfo", "Node", "OrderDirection", "SortDirection",
	"ID", "String", "Int", "Float", "Boolean",
}

// derived are endings of names that the served schema makes of others.
var derived = []string{"Connection", "Edge", "Filter", "Where", "OrderBy"}

// typeNames begins with the names that no type may have.
func typeNames() taken {
	t := taken{}
	for _, n := range append(model.CustomScalars(), servedNames...) {
		t[n] = true
	}
	return t
}

// typeName finds a name for a table's type.
func (t taken) typeName(words []string, schema string) string {
	name := pascal(words)
	for _, end := range derived {
		if strings.HasSuffix(name, end) {
			return t.free(name+"Record", pascal(append(wordsOf(schema), words...))+"Record")
		}
	}
	return t.free(name, pascal(append(wordsOf(schema), words...)), name+"Record")
}

func wordsOf(schema string) []string { return words(schema) }

// secretWords are of columns that nobody should serve without a thought.
var secretWords = []string{"password", "passwd", "pwd", "secret", "token", "salt", "credential", "credentials", "otp", "ssn", "pin"}

// secret says whether a column looks like one.
func secret(column string) bool {
	w := words(column)
	joined := strings.Join(w, "_")
	return slices.ContainsFunc(secretWords, func(s string) bool { return slices.Contains(w, s) }) ||
		strings.Contains(joined, "api_key") || strings.Contains(joined, "private_key") || strings.Contains(joined, "password")
}
