package api

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"freshet/api/page"
)

// caseMaker makes random documents and variables for a world.
type caseMaker struct {
	r      *rand.Rand
	world  jsWorld
	server *Server
	schema *ast.Schema
	frags  []madeFragment
	vars   []madeVar
	values map[string]any
}

type madeFragment struct{ name, on, body string }

type madeVar struct{ name, typ, def string }

// conformanceCase is a request, and the answer that the reference gives.
type conformanceCase struct {
	Query     string         `json:"q"`
	Variables map[string]any `json:"v,omitempty"`
	Operation string         `json:"op,omitempty"`
	Want      string         `json:"want,omitempty"`
}

func (g *caseMaker) chance(percent int) bool { return g.r.IntN(100) < percent }

// make returns a case: half of them valid, the others with something wrong.
func (g *caseMaker) make() conformanceCase {
	g.frags, g.vars, g.values = nil, nil, map[string]any{}
	var ops []string
	c := conformanceCase{}
	for i := range 1 + max(0, g.r.IntN(12)-10) {
		g.vars = nil
		body := g.set("Query", 4)
		name := fmt.Sprintf("Op%d", i)
		header := ""
		if i > 0 || len(g.vars) > 0 || g.chance(30) {
			header = "query " + name + g.declared() + " "
		}
		ops = append(ops, header+body)
		if g.chance(80) {
			c.Operation = ""
			if header != "" && g.chance(50) {
				c.Operation = name
			}
		}
	}
	for _, f := range g.frags {
		ops = append(ops, "fragment "+f.name+" on "+f.on+" "+f.body)
	}
	g.r.Shuffle(len(ops), func(i, j int) { ops[i], ops[j] = ops[j], ops[i] })
	c.Query, c.Variables = strings.Join(ops, "\n"), g.values
	switch {
	case g.chance(28):
		c.Query = g.damage(c.Query)
	case g.chance(15):
		g.spoil(c.Variables)
	}
	return c
}

// declared returns the definitions of an operation's variables.
func (g *caseMaker) declared() string {
	if len(g.vars) == 0 {
		return ""
	}
	var parts []string
	for _, v := range g.vars {
		parts = append(parts, "$"+v.name+": "+v.typ+v.def)
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func (g *caseMaker) set(typ string, depth int) string {
	var parts []string
	for range 1 + g.r.IntN(4) {
		parts = append(parts, g.selection(typ, depth))
	}
	return "{ " + strings.Join(parts, pick(g.r, " ", " ", "\n  ", ", ")) + " }"
}

func (g *caseMaker) selection(typ string, depth int) string {
	def := g.schema.Types[typ]
	switch n := g.r.IntN(14); {
	case n == 0 || len(fieldsOf(def)) == 0:
		return g.alias("__typename", 10) + "__typename" + g.directive()
	case n == 1 && depth > 0:
		return pick(g.r, "... on "+typ, "...", "... on "+g.related(def)) + g.directive() + " " + g.set(typ, depth-1)
	case n == 2 && depth > 0:
		return "..." + g.fragment(typ, depth-1) + g.directive()
	}
	f := pick(g.r, fieldsOf(def)...)
	if typ == "Query" && g.chance(4) {
		return g.meta()
	}
	target := g.schema.Types[f.Type.Name()]
	text := f.Name + g.arguments(f) + g.directive()
	if len(f.Arguments) > 0 && g.chance(90) {
		text = fmt.Sprintf("r%d: ", g.r.IntN(100)) + text
	} else {
		text = g.alias(f.Name, 15) + text
	}
	if !target.IsCompositeType() {
		return text
	}
	if depth == 0 {
		return text + " { __typename }"
	}
	return text + " " + g.set(target.Name, depth-1)
}

// related returns a type that objects of a type may be of.
func (g *caseMaker) related(def *ast.Definition) string {
	names := append([]string{def.Name}, def.Interfaces...)
	for _, d := range g.schema.GetPossibleTypes(def) {
		names = append(names, d.Name)
	}
	return pick(g.r, names...)
}

func fieldsOf(def *ast.Definition) (fields []*ast.FieldDefinition) {
	for _, f := range def.Fields {
		if !strings.HasPrefix(f.Name, "__") {
			fields = append(fields, f)
		}
	}
	return fields
}

func (g *caseMaker) alias(name string, percent int) string {
	if !g.chance(percent) {
		return ""
	}
	return pick(g.r, "x_"+name, "x_"+name, "x", name) + ": "
}

// fragment returns the name of a fragment for a type, an old or a new one.
func (g *caseMaker) fragment(typ string, depth int) string {
	for _, f := range g.frags {
		if f.on == typ && g.chance(60) {
			return f.name
		}
	}
	body := g.set(typ, depth)
	name := fmt.Sprintf("F%d", len(g.frags))
	g.frags = append(g.frags, madeFragment{name, typ, body})
	return name
}

// meta asks for a type of the schema.
func (g *caseMaker) meta() string {
	names := slices.Sorted(maps.Keys(g.world.Types))
	names = append(names, "Query", "Mood", "IntFilter", "DateTime", "Node", "PageInfo", "OrderDirection", "Nope")
	return fmt.Sprintf(`m%d: __type(name: "%s") { kind name description fields%s { name description isDeprecated deprecationReason type { kind name ofType { kind name ofType { kind name ofType { name } } } } args { name description type { kind name ofType { kind name } } defaultValue } } `+
		`inputFields { name description type { kind name ofType { kind name } } defaultValue } enumValues%s { name description isDeprecated deprecationReason } interfaces { name } specifiedByURL ofType { name } }`,
		g.r.IntN(100), pick(g.r, names...), pick(g.r, "", "(includeDeprecated: true)"), pick(g.r, "", "(includeDeprecated: true)"))
}

func (g *caseMaker) directive() string {
	switch g.r.IntN(30) {
	case 0:
		return " @skip(if: " + g.condition() + ")"
	case 1:
		return " @include(if: " + g.condition() + ")"
	case 2:
		return " @skip(if: false) @include(if: true)"
	}
	return ""
}

// condition is never a variable that is null: for that an error of the request
// is told here.
func (g *caseMaker) condition() string {
	if g.chance(30) {
		return pick(g.r, "true", "false")
	}
	name := pick(g.r, "yes", "no")
	g.declare(madeVar{name, "Boolean!", pick(g.r, "", " = true")}, g.chance(80), name == "yes")
	return "$" + name
}

// declare declares a variable, and gives it a value if it is to have one.
func (g *caseMaker) declare(v madeVar, given bool, value any) {
	for _, have := range g.vars {
		if have.name == v.name {
			return
		}
	}
	g.vars = append(g.vars, v)
	if given {
		g.values[v.name] = value
	}
}

func (g *caseMaker) arguments(f *ast.FieldDefinition) string {
	var parts []string
	for _, a := range f.Arguments {
		if a.Type.NonNull || g.chance(25) {
			parts = append(parts, a.Name+": "+g.argument(f, a))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func (g *caseMaker) argument(f *ast.FieldDefinition, a *ast.ArgumentDefinition) string {
	root := g.world.Roots[f.Name]
	v := g.value(a.Type, root.Type, a.Name, 2)
	if !g.chance(35) {
		return printed(v)
	}
	typ, def := a.Type.String(), ""
	if !a.Type.NonNull && g.chance(20) && v != nil {
		typ += "!"
	}
	if g.chance(30) && v != nil {
		typ, def = strings.TrimSuffix(typ, "!"), " = "+printed(v)
	}
	name := fmt.Sprintf("v%d", len(g.vars))
	g.declare(madeVar{name, typ, def}, g.chance(90), plainValue(v))
	return "$" + name
}

// enumValue is a value that is no string in a document.
type enumValue string

// printed writes a value as a document has it.
func printed(v any) string {
	switch v := v.(type) {
	case enumValue:
		return string(v)
	case []any:
		var items []string
		for _, item := range v {
			items = append(items, printed(item))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		var items []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			items = append(items, k+": "+printed(v[k]))
		}
		return "{" + strings.Join(items, ", ") + "}"
	}
	return string(compactJSON(v))
}

// plainValue makes a value fit for JSON.
func plainValue(v any) any {
	switch v := v.(type) {
	case enumValue:
		return string(v)
	case []any:
		out := []any{}
		for _, item := range v {
			out = append(out, plainValue(item))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, item := range v {
			out[k] = plainValue(item)
		}
		return out
	}
	return v
}

// value returns a value for an argument, that fits.
func (g *caseMaker) value(t *ast.Type, typ, arg string, depth int) any {
	if !t.NonNull && arg != "where" && arg != "orderBy" && g.chance(4) {
		return nil
	}
	if t.Elem != nil {
		list := []any{}
		for range 1 + g.r.IntN(2) {
			list = append(list, g.value(t.Elem, typ, arg, depth))
		}
		if len(list) == 1 && g.chance(30) {
			return list[0] // as good as a list of it
		}
		return list
	}
	def := g.schema.Types[t.NamedType]
	switch {
	case def.Kind == ast.InputObject:
		return g.object(def, typ, arg, depth)
	case def.Kind == ast.Enum:
		return enumValue(pick(g.r, def.EnumValues...).Name)
	}
	return g.scalar(def.Name, typ, arg)
}

func (g *caseMaker) scalar(name, typ, arg string) any {
	switch name {
	case "Int":
		return g.r.IntN(5)
	case "Float":
		return pick(g.r, 0.5, 1)
	case "Boolean":
		return g.chance(50)
	case "Decimal", "BigInt":
		return pick(g.r, "1.5", "2", "12", "-4")
	case "DateTime":
		return fmt.Sprintf("2024-01-0%dT00:00:00+00:00", 1+g.r.IntN(5))
	case "UUID":
		return fmt.Sprintf("00000000-0000-4000-8000-00000000000%d", g.r.IntN(5))
	}
	if arg == "after" || arg == "before" {
		return g.cursor(typ)
	}
	keys := slices.Sorted(maps.Keys(g.world.Docs[typ]))
	key := "none"
	if len(keys) > 0 && g.chance(90) {
		key = pick(g.r, keys...)
	}
	if typ == "" {
		some := pick(g.r, slices.Sorted(maps.Keys(g.world.Docs))...)
		if keys := slices.Sorted(maps.Keys(g.world.Docs[some])); len(keys) > 0 {
			key = pick(g.r, keys...)
		}
		return string(appendNodeID(nil, some, key))
	}
	return pick(g.r, key, key, key, key, "unique "+key, "plain")
}

// cursor returns a cursor of a list in the order of its key.
func (g *caseMaker) cursor(typ string) any {
	t := g.server.schema.Types[typ].Table
	key := pick(g.r, slices.Sorted(maps.Keys(g.world.Docs[typ]))...)
	return string(page.AppendCursor(nil, t.Fingerprint(t.Total(nil)), []*string{&key}))
}

// object returns an input object. Orders have exactly one field.
func (g *caseMaker) object(def *ast.Definition, typ, arg string, depth int) any {
	out := map[string]any{}
	if arg == "orderBy" {
		out["id"] = enumValue(pick(g.r, "ASC", "DESC"))
		return out
	}
	for _, f := range def.Fields {
		if !g.chance(25) {
			continue
		}
		if inner := g.schema.Types[f.Type.Name()]; inner.Kind == ast.InputObject {
			if depth > 0 {
				out[f.Name] = g.value(f.Type, typ, "where", depth-1)
			}
			continue
		}
		if f.Name == "like" || f.Name == "ilike" || f.Name == "ne" || f.Name == "nin" || f.Name == "in" {
			continue // the memory store compares them as texts
		}
		out[f.Name] = g.value(&ast.Type{NamedType: f.Type.Name(), Elem: f.Type.Elem, NonNull: true}, typ, "where", depth)
	}
	return out
}
