package validate

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"freshet/api/syntax"
)

func (v *walker) knownType(name string, place gqlerror.Location) {
	if v.schema.named(name) != nil {
		return
	}
	names := make([]string, 0, len(v.schema.known))
	for n := range v.schema.known {
		names = append(names, n)
	}
	v.report(fmt.Sprintf("Unknown type \"%s\".", name)+v.suggest(name, names), place)
}

// leaf: leaves have no selection, and all else has one.
func (v *walker) leaf(f *ast.Field, t *ast.Type) {
	def := v.schema.def(t)
	switch {
	case def == nil:
	case def.IsLeafType() && f.SelectionSet != nil:
		v.report(fmt.Sprintf("Field \"%s\" must not have a selection since type \"%s\" has no subfields.", f.Name, t), v.doc.Place(f, syntax.Selection))
	case !def.IsLeafType() && f.SelectionSet == nil:
		v.report(fmt.Sprintf("Field \"%s\" of type \"%s\" must have a selection of subfields. Did you mean \"%s { ... }\"?", f.Name, t, f.Name), at(f.Position))
	}
}

func (v *walker) knownField(f *ast.Field, def *ast.FieldDefinition) {
	parent := v.parent()
	if def != nil || parent == nil {
		return
	}
	suggestion := ""
	if !v.opts.NoSuggestions {
		if suggestion = didYouMean("to use an inline fragment on ", v.typesWith(parent, f.Name)); suggestion == "" && parent.Kind != ast.Union {
			suggestion = DidYouMean(Suggestions(f.Name, fieldNames(parent)))
		}
	}
	v.report(fmt.Sprintf("Cannot query field \"%s\" on type \"%s\".", f.Name, parent.Name)+suggestion, at(f.Position))
}

// typesWith returns the types below an abstract one that have a field, those
// that are common to most first.
func (v *walker) typesWith(parent *ast.Definition, field string) []string {
	if !parent.IsAbstractType() {
		return nil
	}
	count := map[string]int{}
	for _, d := range v.schema.possible(parent) {
		if v.schema.ownField(d, field) == nil {
			continue
		}
		count[d.Name]++
		for _, i := range d.Interfaces {
			if v.schema.ownField(v.schema.named(i), field) != nil {
				count[i]++
			}
		}
	}
	names := make([]string, 0, len(count))
	for n := range count {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), v.superFirst(a, b), naturalCompare(a, b))
	})
	return names
}

// superFirst puts an interface before what implements it.
func (v *walker) superFirst(a, b string) int {
	switch x, y := v.schema.named(a), v.schema.named(b); {
	case x.Kind == ast.Interface && slices.Contains(y.Interfaces, a):
		return -1
	case y.Kind == ast.Interface && slices.Contains(x.Interfaces, b):
		return 1
	}
	return 0
}

func argumentNames(defs ast.ArgumentDefinitionList) (names []string) {
	for _, d := range defs {
		names = append(names, d.Name)
	}
	return names
}

func (v *walker) knownArgument(a *ast.Argument, def *ast.FieldDefinition) {
	if parent := v.parent(); parent != nil {
		v.report(fmt.Sprintf("Unknown argument \"%s\" on field \"%s.%s\".", a.Name, parent.Name, def.Name)+
			v.suggest(a.Name, argumentNames(def.Arguments)), at(a.Position))
	}
}

func (v *walker) requiredArguments(f *ast.Field, def *ast.FieldDefinition) {
	for _, a := range def.Arguments {
		if required(a.Type, a.DefaultValue) && f.Arguments.ForName(a.Name) == nil {
			v.report(fmt.Sprintf("Field \"%s\" argument \"%s\" of type \"%s\" is required, but it was not provided.", def.Name, a.Name, a.Type), at(f.Position))
		}
	}
}

func (v *walker) uniqueArguments(args ast.ArgumentList) {
	var names []string
	where := map[string][]gqlerror.Location{}
	for _, a := range args {
		if where[a.Name] == nil {
			names = append(names, a.Name)
		}
		where[a.Name] = append(where[a.Name], at(a.Position))
	}
	for _, n := range names {
		if len(where[n]) > 1 {
			v.report(fmt.Sprintf("There can be only one argument named \"%s\".", n), where[n]...)
		}
	}
}

func (v *walker) knownDirective(d *ast.Directive, location ast.DirectiveLocation) {
	switch def := v.schema.AST.Directives[d.Name]; {
	case def == nil:
		v.report(fmt.Sprintf("Unknown directive \"@%s\".", d.Name), at(d.Position))
	case !slices.Contains(def.Locations, location):
		v.report(fmt.Sprintf("Directive \"@%s\" may not be used on %s.", d.Name, location), at(d.Position))
	}
}

func (v *walker) knownDirectiveArguments(d *ast.Directive) {
	def := v.schema.AST.Directives[d.Name]
	if def == nil {
		return
	}
	for _, a := range d.Arguments {
		if def.Arguments.ForName(a.Name) == nil {
			v.report(fmt.Sprintf("Unknown argument \"%s\" on directive \"@%s\".", a.Name, d.Name)+
				v.suggest(a.Name, argumentNames(def.Arguments)), at(a.Position))
		}
	}
}

func (v *walker) requiredDirectiveArguments(d *ast.Directive, def *ast.DirectiveDefinition) {
	for _, a := range def.Arguments {
		if required(a.Type, a.DefaultValue) && d.Arguments.ForName(a.Name) == nil {
			v.report(fmt.Sprintf("Directive \"@%s\" argument \"%s\" of type \"%s\" is required, but it was not provided.", d.Name, a.Name, a.Type), at(d.Position))
		}
	}
}

func (v *walker) uniqueDirectives(list ast.DirectiveList) {
	if v.usages != nil {
		return
	}
	seen := map[string]*ast.Directive{}
	for _, d := range list {
		def := v.schema.AST.Directives[d.Name]
		if def == nil || def.IsRepeatable {
			continue
		}
		if first := seen[d.Name]; first != nil {
			v.report(fmt.Sprintf("The directive \"@%s\" can only be used once at this location.", d.Name), at(first.Position), at(d.Position))
			continue
		}
		seen[d.Name] = d
	}
}

// maxIntrospectionLists is from how many lists in each other on a question for
// the schema is refused.
const maxIntrospectionLists = 3

// introspectionDepth: the schema goes in circles, questions must not.
func (v *walker) introspectionDepth(f *ast.Field) {
	if f.Name != "__schema" && f.Name != "__type" {
		return
	}
	d := &depthChecker{v: v, checked: map[string]int{}, exceeded: map[string]int{}, visited: map[string]int{}}
	if d.field(f, 0) {
		v.report("Maximum introspection depth exceeded", at(f.Position))
	}
}

type depthChecker struct {
	v                          *walker
	checked, exceeded, visited map[string]int // by fragment: the depth that it was entered at
}

func (d *depthChecker) field(f *ast.Field, depth int) bool {
	switch f.Name {
	case "fields", "interfaces", "possibleTypes", "inputFields":
		if depth++; depth >= maxIntrospectionLists {
			return true
		}
	}
	return d.set(f.SelectionSet, depth)
}

func (d *depthChecker) set(set ast.SelectionSet, depth int) bool {
	for _, sel := range set {
		var exceeds bool
		switch sel := sel.(type) {
		case *ast.Field:
			exceeds = d.field(sel, depth)
		case *ast.InlineFragment:
			exceeds = d.set(sel.SelectionSet, depth)
		case *ast.FragmentSpread:
			exceeds = d.spread(sel.Name, depth)
		}
		if exceeds {
			return true
		}
	}
	return false
}

func (d *depthChecker) spread(name string, depth int) bool {
	if at, ok := d.exceeded[name]; ok && at <= depth {
		return true
	}
	if at, ok := d.visited[name]; ok && at >= depth {
		return false
	}
	if at, ok := d.checked[name]; ok && at >= depth {
		return false
	}
	f := d.v.byName[name]
	if f == nil {
		return false
	}
	d.visited[name] = depth
	if d.set(f.SelectionSet, depth) {
		d.exceeded[name] = depth
		return true
	}
	d.checked[name] = depth
	return false
}
