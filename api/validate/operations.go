package validate

import (
	"fmt"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"freshet/api/syntax"
)

// operationNames are where the operations met so far have their names.
type operationNames map[string]gqlerror.Location

func (known operationNames) unique(v *walker, op *ast.OperationDefinition) {
	if op.Name == "" {
		return
	}
	place := v.doc.Place(op, syntax.Name)
	if first, ok := known[op.Name]; ok {
		v.report(fmt.Sprintf("There can be only one operation named \"%s\".", op.Name), first, place)
		return
	}
	known[op.Name] = place
}

func (v *walker) loneAnonymous(op *ast.OperationDefinition) {
	if op.Name == "" && len(v.doc.Operations) > 1 {
		v.report("This anonymous operation must be the only defined operation.", at(op.Position))
	}
}

// singleField: a subscription has one field, and none that asks for the schema.
func (v *walker) singleField(op *ast.OperationDefinition) {
	if op.Operation != ast.Subscription || v.schema.AST.Subscription == nil {
		return
	}
	who := "Anonymous Subscription"
	if op.Name != "" {
		who = fmt.Sprintf("Subscription \"%s\"", op.Name)
	}
	groups := v.rootFields(op)
	var extra []gqlerror.Location
	for i, g := range groups {
		if i > 0 {
			extra = append(extra, places(g)...)
		}
	}
	if len(groups) > 1 {
		v.report(who+" must select only one top level field.", extra...)
	}
	for _, g := range groups {
		if strings.HasPrefix(g[0].Name, "__") {
			v.report(who+" must not select an introspection top level field.", places(g)...)
		}
	}
}

func places(fields []*ast.Field) (at []gqlerror.Location) {
	for _, f := range fields {
		at = append(at, gqlerror.Location{Line: f.Position.Line, Column: f.Position.Column})
	}
	return at
}

// rootFields are the fields of a subscription by their response keys.
func (v *walker) rootFields(op *ast.OperationDefinition) [][]*ast.Field {
	c := &rootCollector{v: v, root: v.schema.AST.Subscription, visited: map[string]bool{}, at: map[string]int{}}
	c.collect(op.SelectionSet)
	return c.groups
}

type rootCollector struct {
	v       *walker
	root    *ast.Definition
	visited map[string]bool
	at      map[string]int
	groups  [][]*ast.Field
}

func (c *rootCollector) collect(set ast.SelectionSet) {
	c.v.spend(len(set))
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			if left(sel.Directives) {
				continue
			}
			i, ok := c.at[sel.Alias]
			if !ok {
				i = len(c.groups)
				c.at[sel.Alias], c.groups = i, append(c.groups, nil)
			}
			c.groups[i] = append(c.groups[i], sel)
		case *ast.InlineFragment:
			if !left(sel.Directives) && c.applies(sel.TypeCondition) {
				c.collect(sel.SelectionSet)
			}
		case *ast.FragmentSpread:
			if f := c.v.byName[sel.Name]; f != nil && !c.visited[sel.Name] && !left(sel.Directives) {
				c.visited[sel.Name] = true
				if c.applies(f.TypeCondition) {
					c.collect(f.SelectionSet)
				}
			}
		}
	}
}

// applies says whether a fragment is one for the fields of subscriptions.
func (c *rootCollector) applies(condition string) bool {
	d := c.v.schema.named(condition)
	return condition == "" || d != nil && c.v.schema.overlap(d, c.root)
}

// left says whether literal conditions leave a selection out.
func left(list ast.DirectiveList) bool {
	for _, d := range list {
		a := d.Arguments.ForName("if")
		if a != nil && a.Value.Kind == ast.BooleanValue && (d.Name == "skip" && a.Value.Raw == "true" || d.Name == "include" && a.Value.Raw == "false") {
			return true
		}
	}
	return false
}

func (v *walker) uniqueVariables(op *ast.OperationDefinition) {
	var names []string
	at := map[string][]gqlerror.Location{}
	for _, d := range op.VariableDefinitions {
		if at[d.Variable] == nil {
			names = append(names, d.Variable)
		}
		at[d.Variable] = append(at[d.Variable], v.doc.Place(d, syntax.Name))
	}
	for _, n := range names {
		if len(at[n]) > 1 {
			v.report(fmt.Sprintf("There can be only one variable named \"$%s\".", n), at[n]...)
		}
	}
}

func (v *walker) variableIsInput(d *ast.VariableDefinition) {
	if def := v.schema.def(d.Type); def != nil && !def.IsInputType() {
		v.report(fmt.Sprintf("Variable \"$%s\" cannot be non-input type \"%s\".", d.Variable, d.Type), at(d.Type.Position))
	}
}

// variableRules looks at all uses of variables that an operation reaches.
func (v *walker) variableRules(op *ast.OperationDefinition) {
	defs := map[string]*ast.VariableDefinition{}
	for _, d := range op.VariableDefinitions {
		defs[d.Variable] = d
	}
	uses := v.usesOf(op)
	used := map[string]bool{}
	for _, u := range uses {
		used[u.value.Raw] = true
		if defs[u.value.Raw] == nil {
			v.report(inOperation("Variable \"$%s\" is not defined", u.value.Raw, "by", op), at(u.value.Position), at(op.Position))
		}
	}
	for _, d := range op.VariableDefinitions {
		if !used[d.Variable] {
			v.report(inOperation("Variable \"$%s\" is never used", d.Variable, "in", op), at(d.Position))
		}
	}
	for _, u := range uses {
		if d := defs[u.value.Raw]; d != nil && u.expected != nil && v.schema.def(d.Type) != nil && !allowed(d, u) {
			v.report(fmt.Sprintf("Variable \"$%s\" of type \"%s\" used in position expecting type \"%s\".", d.Variable, d.Type, u.expected),
				at(d.Position), at(u.value.Position))
		}
	}
}

func inOperation(message, variable, preposition string, op *ast.OperationDefinition) string {
	message = fmt.Sprintf(message, variable)
	if op.Name != "" {
		message += fmt.Sprintf(" %s operation \"%s\"", preposition, op.Name)
	}
	return message + "."
}

// allowed says whether a variable may stand where it does.
func allowed(d *ast.VariableDefinition, u usage) bool {
	if !u.expected.NonNull || d.Type.NonNull {
		return isSubtype(d.Type, u.expected)
	}
	hasDefault := d.DefaultValue != nil && d.DefaultValue.Kind != ast.NullValue
	return (hasDefault || u.hasDefault) && isSubtype(d.Type, nullable(u.expected))
}
