package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"freshet/api/served"
	"freshet/model"
)

// jsWorld is what the reference needs to know of a schema and its data.
type jsWorld struct {
	Model string                                `json:"model"` // the model file
	IDs   bool                                  `json:"ids"`   // with global ids
	SDL   string                                `json:"sdl"`
	Types map[string]jsType                     `json:"types"`
	Roots map[string]jsRoot                     `json:"roots"`
	Docs  map[string]map[string]json.RawMessage `json:"docs"`
}

type jsType struct {
	Stored bool   `json:"stored"`
	Key    string `json:"key,omitempty"`
	Sel    jsSel  `json:"sel"`
}

// jsSel are the members of an object, with what is embedded.
type jsSel map[string]jsSel

type jsRoot struct {
	Kind string `json:"kind"`
	Type string `json:"type,omitempty"`
	Arg  string `json:"arg,omitempty"`
}

var jsKinds = map[served.RootKind]string{
	served.ByKey: "key", served.ByUnique: "unique", served.List: "list", served.ByKeys: "keys", served.Plain: "plain", served.ByNode: "node",
}

func selOf(s *model.Selection) jsSel {
	out := jsSel{}
	for _, item := range s.Items {
		out[item.Field.Name] = jsSel{}
		if item.Sub != nil {
			out[item.Field.Name] = selOf(item.Sub)
		}
	}
	return out
}

// describe makes the reference's view of a server.
func describe(m *model.Model, source string, s *Server, docs map[string]map[string][]byte) jsWorld {
	w := jsWorld{Model: source, IDs: s.cfg.GlobalIDs, SDL: s.SDL(), Types: map[string]jsType{}, Roots: map[string]jsRoot{}, Docs: map[string]map[string]json.RawMessage{}}
	for _, t := range m.Types {
		jt := jsType{Stored: t.Stored, Sel: selOf(t.Document())}
		if key := t.KeyField(); key != nil {
			jt.Key = key.Name
		}
		w.Types[t.Name] = jt
	}
	for name, r := range s.schema.Roots {
		jr := jsRoot{Kind: jsKinds[r.Kind], Arg: r.Arg}
		if r.Type != nil {
			jr.Type = r.Type.Model.Name
		}
		w.Roots[name] = jr
	}
	for typ, byKey := range docs {
		w.Docs[typ] = map[string]json.RawMessage{}
		for key, d := range byKey {
			w.Docs[typ][key] = d
		}
	}
	return w
}

// serverOf makes the server that a world describes. Limits are out of the way.
func serverOf(tb testing.TB, w jsWorld) *Server {
	store := rawStore(nil)
	for typ, byKey := range w.Docs {
		store.docs[typ] = map[string][]byte{}
		for key, d := range byKey {
			store.docs[typ][key] = d
		}
	}
	return newServer(tb, parseSource(tb, "generated.graphql", w.Model), store, func(c *Config) {
		c.GlobalIDs, c.MaxDepth, c.MaxAliases, c.MaxFields, c.MaxComplexity = w.IDs, 1000, 100_000, 1_000_000, 1<<30
	})
}

// worldMaker makes random model files and data for them.
type worldMaker struct {
	r      *rand.Rand
	enums  map[string][]string
	types  []string
	inside string // the type that lives inside others, if there is one
	fields map[string][]madeField
}

// madeField is a field of a type that was made: target is the type of a
// relation.
type madeField struct{ name, target string }

func (g *worldMaker) chance(percent int) bool { return g.r.IntN(100) < percent }

func pick[T any](r *rand.Rand, items ...T) T { return items[r.IntN(len(items))] }

// world returns a random world.
func (g *worldMaker) world(tb testing.TB) jsWorld {
	var refused error
	for range 100 {
		source := g.source()
		m, diags := model.Parse("generated.graphql", source)
		if refused = diags.Err(); refused != nil {
			continue // such as embeds that are too large
		}
		rows := g.rows(m)
		built := newMemStore(tb, m, rows)
		g.holes(m, built.docs)
		w := jsWorld{Model: source, IDs: g.chance(50), Docs: describe(m, source, &Server{schema: &served.Schema{}}, built.docs).Docs}
		return describe(m, source, serverOf(tb, w), built.docs)
	}
	tb.Fatalf("no model file that was made is valid: %v", refused)
	return jsWorld{}
}

// source returns a model file.
func (g *worldMaker) source() string {
	g.enums = map[string][]string{"Mood": {"HAPPY", "SAD", "GRUMPY"}, "Size": {"S", "M"}}
	names := []string{"Post", "Author", "Company", "Box", "Tag", "News"}
	g.r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	g.types = names[:2+g.r.IntN(3)]
	g.fields = map[string][]madeField{}
	g.inside = ""
	if len(g.types) > 2 && g.chance(50) {
		g.inside = g.types[len(g.types)-1]
	}
	var b strings.Builder
	b.WriteString("\"\"\"\nHow\nsomebody feels.\n\"\"\"\nenum Mood { HAPPY SAD \"very\" GRUMPY @deprecated(reason: \"be \\\"nice\\\"\") }\nenum Size { S M }\n")
	for _, t := range g.types {
		stored := t != g.inside
		fmt.Fprintf(&b, "type %s @table(name: \"tb_%s\"", t, strings.ToLower(t))
		if !stored {
			b.WriteString(", stored: false")
		}
		b.WriteString(") {\n")
		if stored {
			b.WriteString("  id: ID!\n")
			g.fields[t] = []madeField{{"id", ""}}
		}
		for n := range 3 + g.r.IntN(5) {
			b.WriteString("  " + g.leaf(t, n, stored) + "\n")
		}
		if stored {
			g.relations(&b, t)
		}
		b.WriteString("}\n")
	}
	return embedPlace.ReplaceAllStringFunc(b.String(), func(place string) string {
		return g.embed(embedPlace.FindStringSubmatch(place)[1], 2)
	})
}

// embedPlace stands in a model file that is being made for the fields of a type.
var embedPlace = regexp.MustCompile(`EMBED\((\w+)\)`)

// embed chooses what is embedded of a type.
func (g *worldMaker) embed(t string, depth int) string {
	parts := []string{"id"}
	for _, f := range g.fields[t] {
		switch {
		case f.name == "id" || g.chance(50):
		case f.target == "":
			parts = append(parts, f.name)
		case depth > 0 && len(g.fields[f.target]) > 0 && g.fields[f.target][0].name == "id":
			parts = append(parts, f.name+" { "+g.embed(f.target, depth-1)+" }")
		}
	}
	return strings.Join(parts, " ")
}

func (g *worldMaker) leaf(t string, n int, stored bool) string {
	name := fmt.Sprintf("%s%d", pick(g.r, "title", "rank", "name", "value"), n)
	g.fields[t] = append(g.fields[t], madeField{name, ""})
	typ := pick(g.r, "String", "String", "Int", "Float", "Boolean", "Decimal", "BigInt", "DateTime", "JSON", "Mood", "Size", "UUID")
	indexable := stored && typ != "JSON" && typ != "Float"
	if g.chance(15) && typ != "JSON" {
		return fmt.Sprintf("%s: [%s%s]%s", name, typ, g.bang(40), g.bang(40))
	}
	line := name + ": " + typ + g.bang(40)
	switch {
	case indexable && typ == "String" && g.chance(20):
		line = name + ": String! @unique"
	case indexable && g.chance(40):
		line += " @index"
	}
	if g.chance(5) {
		line += " @deprecated(reason: \"gone soon\")"
	}
	return line
}

func (g *worldMaker) bang(percent int) string {
	if g.chance(percent) {
		return "!"
	}
	return ""
}

// relations writes a type's relations to any of the types.
func (g *worldMaker) relations(b *strings.Builder, t string) {
	for n := range 1 + g.r.IntN(3) {
		target := pick(g.r, g.types...)
		name := fmt.Sprintf("%s%d", pick(g.r, "owner", "items", "links"), n)
		embed := ""
		if g.chance(70) && target != g.inside {
			embed = ` @embed(fields: "EMBED(` + target + `)")`
		}
		g.fields[t] = append(g.fields[t], madeField{name, target})
		if g.chance(50) {
			fmt.Fprintf(b, "  %s: %s%s @belongsTo(foreignKey: \"%s_id\")%s\n", name, target, g.bang(40), name, embed)
		} else {
			fmt.Fprintf(b, "  %s: [%s%s]%s @hasMany(foreignKey: \"%s_id\", orderBy: {id: ASC})%s\n", name, target, pick(g.r, "!", "!", ""), g.bang(60), strings.ToLower(t), embed)
		}
	}
}

// rows returns rows for a model.
func (g *worldMaker) rows(m *model.Model) world {
	w := world{}
	for _, t := range m.Types {
		w[t.Name] = map[string]row{}
		if !t.Stored {
			continue
		}
		for i := range 2 + g.r.IntN(5) {
			key := fmt.Sprintf("%s%d", strings.ToLower(t.Name[:1]), i)
			w[t.Name][key] = nil
		}
	}
	for _, t := range m.Types {
		for _, key := range slices.Sorted(maps.Keys(w[t.Name])) {
			w[t.Name][key] = g.row(m, w, t, key)
		}
	}
	return w
}

func (g *worldMaker) row(m *model.Model, w world, t *model.Type, key string) row {
	r := row{}
	for _, f := range t.Fields {
		switch {
		case f.Name == "id":
			r[f.Name] = key
		case f.Kind == model.Relates:
			r[f.Name] = g.related(m, w, f)
		default:
			r[f.Name] = g.value(f)
		}
		if f.Unique {
			r[f.Name] = "unique " + key
		}
	}
	return r
}

func (g *worldMaker) related(m *model.Model, w world, f *model.Field) any {
	target := f.Relation.Target
	one := func() any {
		if !target.Stored {
			return g.row(m, w, target, "")
		}
		keys := slices.Sorted(maps.Keys(w[target.Name]))
		return pick(g.r, keys...)
	}
	if !f.Relation.ToMany() {
		if !f.Type.NonNull && g.chance(25) {
			return nil
		}
		return one()
	}
	list := []any{}
	for range g.r.IntN(4) {
		list = append(list, one())
	}
	return list
}

// value returns a value for a leaf.
func (g *worldMaker) value(f *model.Field) any {
	if !f.Type.NonNull && g.chance(20) {
		return nil
	}
	if !f.Type.List {
		return g.scalar(f.Type.Name)
	}
	list := []any{}
	for range g.r.IntN(4) {
		if !f.Type.ElemNonNull && g.chance(20) {
			list = append(list, nil)
			continue
		}
		list = append(list, g.scalar(f.Type.Name))
	}
	return list
}

func (g *worldMaker) scalar(name string) any {
	switch name {
	case "Int":
		return g.r.IntN(7) - 2
	case "Float":
		return pick(g.r, 0.5, 1, -2.25, 1e15, 0)
	case "Boolean":
		return g.chance(50)
	case "Decimal":
		return pick(g.r, "1.5", "2", "-10.25", "0")
	case "BigInt":
		return pick(g.r, "9071", "12", "-4")
	case "DateTime":
		return fmt.Sprintf("2024-01-0%dT00:00:00+00:00", 1+g.r.IntN(5))
	case "UUID":
		return fmt.Sprintf("00000000-0000-4000-8000-00000000000%d", g.r.IntN(5))
	case "JSON":
		return pick[any](g.r, map[string]any{"a": []any{1, "x", nil}, "b": map[string]any{}}, "text", 3, []any{}, true)
	case "String":
		return pick(g.r, "", "plain", "quote \" and \\", "ünïcödé 😀", "line\nbreak", "<b>&amp;</b>", "null")
	}
	return pick(g.r, g.enums[name]...)
}

// holes makes documents that no database would give: nulls and values that
// their types do not allow, missing members, and documents that are gone.
func (g *worldMaker) holes(m *model.Model, docs map[string]map[string][]byte) {
	often := pick(g.r, 0, 2, 8)
	for _, typ := range slices.Sorted(maps.Keys(docs)) {
		for i, key := range slices.Sorted(maps.Keys(docs[typ])) {
			if i > 0 && g.chance(8) {
				delete(docs[typ], key)
				continue
			}
			var v any
			if err := json.Unmarshal(docs[typ][key], &v); err != nil {
				panic(err)
			}
			g.damage(m.Type(typ).Document(), v, often)
			docs[typ][key] = compactJSON(v)
		}
	}
}

// compactJSON writes JSON without what is only for browsers.
func compactJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

func (g *worldMaker) damage(sel *model.Selection, v any, often int) {
	switch v := v.(type) {
	case []any:
		for i := range v {
			if g.damage(sel, v[i], often); g.chance(often) {
				v[i] = nil
			}
		}
	case map[string]any:
		for _, item := range sel.Items {
			name := item.Field.Name
			if item.Sub != nil {
				g.damage(item.Sub, v[name], often)
			}
			if name != "id" && g.chance(often) {
				g.spoil(v, item.Field)
			}
		}
	}
}

func (g *worldMaker) spoil(object map[string]any, f *model.Field) {
	list, isList := object[f.Name].([]any)
	switch {
	case isList && len(list) > 0 && f.Kind != model.Relates && g.chance(50):
		list[g.r.IntN(len(list))] = nil
	case g.enums[f.Type.Name] != nil && !isList && !f.Type.List:
		object[f.Name] = "NEITHER"
	case g.chance(50):
		delete(object, f.Name)
	default:
		object[f.Name] = nil
	}
}
