package api

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"freshet/model"
)

// queryMaker makes random valid queries over a served schema.
type queryMaker struct {
	r         *rand.Rand
	schema    *ast.Schema
	world     world
	fragments map[string]string // type to its fragments' text
	lists     bool
}

// query returns a query and its variables.
func (g *queryMaker) query() (text, vars string) {
	g.fragments = map[string]string{}
	var b strings.Builder
	b.WriteString("query Q($yes: Boolean!, $no: Boolean = false) {\n")
	for i := range 1 + g.r.IntN(3) {
		g.root(&b, i)
	}
	b.WriteString("  __typename @include(if: $yes) @skip(if: $no)\n}\n")
	for _, name := range slices.Sorted(maps.Keys(g.fragments)) {
		if used := "..." + "F_" + name; strings.Contains(b.String(), used+" ") {
			fmt.Fprintf(&b, "fragment F_%s on %s { %s }\n", name, name, g.fragments[name])
		}
	}
	return b.String(), fmt.Sprintf(`{"yes": %v}`, g.r.IntN(4) > 0)
}

func (g *queryMaker) root(b *strings.Builder, i int) {
	types := slices.Sorted(maps.Keys(g.world))
	name := types[g.r.IntN(len(types))]
	keys := slices.Sorted(maps.Keys(g.world[name]))
	field := strings.ToLower(name)
	if g.lists && g.r.IntN(3) == 0 {
		plural := map[string]string{"Customer": "customers", "Order": "orders", "Product": "products", "Category": "categories"}[name]
		fmt.Fprintf(b, "  l%d: %s(first: %d) { nodes { %s } edges { node { %s } } totalCount }\n", i, plural, 1+g.r.IntN(4), g.selection(name, 3), g.selection(name, 2))
		return
	}
	key := "nope"
	if g.r.IntN(10) > 0 {
		key = keys[g.r.IntN(len(keys))]
	}
	fmt.Fprintf(b, "  r%d: %s(id: \"%s\") { %s }\n", i, field, key, g.selection(name, 4))
}

// selection returns the inside of a selection set of a type.
func (g *queryMaker) selection(typeName string, depth int) string {
	def := g.schema.Types[typeName]
	var parts []string
	for range 1 + g.r.IntN(5) {
		parts = append(parts, g.part(def, depth))
	}
	return strings.Join(parts, " ")
}

func (g *queryMaker) part(def *ast.Definition, depth int) string {
	switch n := g.r.IntN(12); {
	case n == 0:
		return "__typename" + g.directive()
	case n == 1 && depth > 0:
		return "... on " + def.Name + g.directive() + " { " + g.selection(def.Name, depth-1) + " }"
	case n == 2 && depth > 1:
		if _, ok := g.fragments[def.Name]; !ok {
			g.fragments[def.Name] = "" // no circles
			g.fragments[def.Name] = g.leaves(def)
		}
		return "...F_" + def.Name + g.directive() + " "
	}
	f := def.Fields[g.r.IntN(len(def.Fields))]
	for strings.HasPrefix(f.Name, "__") {
		f = def.Fields[g.r.IntN(len(def.Fields))]
	}
	alias := ""
	if g.r.IntN(5) == 0 {
		alias = "x_" + f.Name + ": "
	}
	target := g.schema.Types[f.Type.Name()]
	if target.Kind != ast.Object {
		return alias + f.Name + g.directive()
	}
	if depth == 0 {
		return "__typename"
	}
	return alias + f.Name + g.directive() + " { " + g.selection(target.Name, depth-1) + " }"
}

// leaves selects a few leaf fields.
func (g *queryMaker) leaves(def *ast.Definition) string {
	parts := []string{"__typename"}
	for _, f := range def.Fields {
		if g.schema.Types[f.Type.Name()].Kind != ast.Object && !strings.HasPrefix(f.Name, "__") && g.r.IntN(2) == 0 {
			parts = append(parts, f.Name)
		}
	}
	return strings.Join(parts, " ")
}

func (g *queryMaker) directive() string {
	switch g.r.IntN(20) {
	case 0:
		return " @skip(if: $yes)"
	case 1:
		return " @include(if: $yes)"
	case 2:
		return " @include(if: $no)"
	case 3:
		return " @skip(if: false)"
	}
	return ""
}

// damage returns a world with holes in it: nulls where there may be none,
// relations that lead nowhere, values that are no enum's.
func (w world) damage(r *rand.Rand, m *model.Model) world {
	out := world{}
	for _, name := range slices.Sorted(maps.Keys(w)) {
		out[name] = map[string]row{}
		for _, key := range slices.Sorted(maps.Keys(w[name])) {
			out[name][key] = damageRow(r, m.Type(name), w[name][key])
		}
	}
	return out
}

func damageRow(r *rand.Rand, t *model.Type, in row) row {
	out := maps.Clone(in)
	for _, f := range t.Fields {
		if f.Name == "id" || r.IntN(6) > 0 {
			continue
		}
		list, isList := out[f.Name].([]any)
		switch {
		case isList && len(list) > 0 && r.IntN(2) == 0:
			list = slices.Clone(list)
			list[r.IntN(len(list))] = nil
			out[f.Name] = list
		case f.Type.Name == "Mood" && !f.Type.List:
			out[f.Name] = "ANGRY"
		default:
			out[f.Name] = nil
		}
	}
	return out
}
