package api

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// documentTokens cuts a document into what can be taken apart, spaces included.
var documentTokens = regexp.MustCompile(`"(?:[^"\\\n]|\\.)*"|\.\.\.|[A-Za-z_][A-Za-z0-9_]*|-?[0-9]+(?:\.[0-9]+)?|\s+|.`)

// strangers are tokens that may turn up anywhere.
var strangers = []string{
	"{", "}", "(", ")", "[", "]", ":", "$", "@", "!", "=", "|", "&", "...", "..", ".", "-", "-1", "0", "01", "1.", "1.5", "1e9", "1.5e+3", "99999999999", "5x",
	`"text"`, `""`, `"""block"""`, "\"\"\"\n  two\n   lines\n\"\"\"", `"\u00e9"`, `"\u{1F600}"`, `"\ud83d\ude00"`, `"\q"`, `"\u12"`, `"open`, `"""open`, "'single'",
	"null", "true", "false", "on", "query", "mutation", "subscription", "fragment", "{ a: 1, a: 2 }", "[1, 2]", "[]", "{}", "$nope", "$yes", "@skip", "@skip(if: true)", "@include(iff: true)",
	"@unknown", "@skip(if: false) {", "@deprecated", "...F0", "...Nope", "... on Post", "... on String", "... on Nope", "... on PageInfo { __typename }", "id", "__typename", "nodes { id }", "x: id", "é", "😀", "\u00a0", "\ufeff", "\r\n", "# comment\n", "%", "\x00", "\x7f",
	`query Extra { __typename }`, `fragment F0 on Query { __typename }`, `fragment Loop on Query { ...Loop }`, `(id: "k")`, `(first: "x")`, `(where: {id: {eqq: "x"}})`, `(orderBy: {id: ASCC})`, `("described" $z: Int)`, `"described"`,
}

// damage changes a document in one or two places.
func (g *caseMaker) damage(text string) string {
	for range 1 + g.r.IntN(2) {
		tokens := documentTokens.FindAllString(text, -1)
		if len(tokens) == 0 {
			return text
		}
		g.damageAt(tokens, g.r.IntN(len(tokens)))
		text = strings.Join(tokens, "")
	}
	return text
}

func (g *caseMaker) damageAt(tokens []string, i int) {
	for strings.TrimSpace(tokens[i]) == "" && i+1 < len(tokens) {
		i++
	}
	isName := regexp.MustCompile(`^[A-Za-z_]`).MatchString(tokens[i])
	switch n := g.r.IntN(12); {
	case n < 5 && isName:
		tokens[i] = g.misspelt(tokens[i])
	case n < 7 && isName:
		tokens[i] = g.anyName()
	case n == 7:
		tokens[i] = ""
	case n == 8:
		tokens[i] += " " + tokens[i]
	case n == 9:
		j := g.r.IntN(len(tokens))
		tokens[i], tokens[j] = tokens[j], tokens[i]
	case n == 10:
		tokens[i] = pick(g.r, strangers...)
	default:
		tokens[i] += " " + pick(g.r, strangers...)
	}
}

func (g *caseMaker) misspelt(name string) string {
	at := g.r.IntN(len(name))
	switch g.r.IntN(4) {
	case 0:
		return name + "s"
	case 1:
		return name[:at] + string(rune('a'+g.r.IntN(26))) + name[at+1:]
	case 2:
		return name[:at] + "q" + name[at:]
	}
	if strings.ToUpper(name) != name {
		return strings.ToUpper(name)
	}
	return "Q" + name
}

// anyName returns a name of the schema: of a type, a field or an argument.
func (g *caseMaker) anyName() string {
	def := g.schema.Types[pick(g.r, slices.Sorted(maps.Keys(g.schema.Types))...)]
	if len(def.Fields) == 0 || g.chance(30) {
		return def.Name
	}
	f := pick(g.r, def.Fields...)
	if len(f.Arguments) > 0 && g.chance(50) {
		return pick(g.r, f.Arguments...).Name
	}
	return f.Name
}

// spoil gives variables values that may not fit, or none.
func (g *caseMaker) spoil(values map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if name == "yes" || name == "no" {
			if g.chance(20) {
				values[name] = pick[any](g.r, "true", 1, []any{true})
			}
			continue
		}
		switch g.r.IntN(4) {
		case 0:
			delete(values, name)
		case 1:
			values[name] = g.anything(3)
		case 2:
			values[name] = g.spoiled(values[name])
		}
	}
}

// spoiled returns a value that has something else somewhere inside.
func (g *caseMaker) spoiled(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := maps.Clone(v)
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out[k] = g.spoiled(v[k])
		}
		if g.chance(50) {
			out[pick(g.r, "idd", "nope", "or", "eq", "12", "3")] = g.anything(1)
		}
		return out
	case []any:
		out := slices.Clone(v)
		for i := range out {
			out[i] = g.spoiled(out[i])
		}
		return append(out, g.anything(1))
	}
	return g.anything(1)
}

func (g *caseMaker) anything(depth int) any {
	if depth > 0 && g.chance(40) {
		if g.chance(50) {
			list := []any{}
			for range g.r.IntN(13) {
				list = append(list, g.anything(depth-1))
			}
			return list
		}
		return map[string]any{"id": g.anything(depth - 1), pick(g.r, "b", "eq", "7"): g.anything(depth - 1)}
	}
	return pick[any](g.r, nil, true, 0, 3, -1, 2.5, 1e3, 1e21, 1e-7, 3e9, "text", "", "ASC", "ASCC", "quote \"", "é")
}
