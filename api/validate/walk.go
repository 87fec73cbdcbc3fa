package validate

import (
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"freshet/api/syntax"
)

// walker walks over a document in the order of its text and applies the rules
// at each node in the order that the reference implementation has them in. Its
// stacks tell which types there are at the place; nil is an unknown one.
type walker struct {
	schema *Schema
	doc    *syntax.Document
	opts   Options
	errs   []*gqlerror.Error
	*fragments

	types     []*ast.Type              // of fields and fragments
	parents   []*ast.Definition        // of selection sets
	fields    []*ast.FieldDefinition   // around the place
	inputs    []*ast.Type              // of values
	defaults  []bool                   // whether the place of a value has a default
	directive *ast.DirectiveDefinition // around the place
	usages    func(usage)              // where variables are collected, and rules are not applied
	overlaps  *overlapRule
}

func (v *walker) suggest(input string, options []string) string {
	if v.opts.NoSuggestions {
		return ""
	}
	return DidYouMean(Suggestions(input, options))
}

func (v *walker) document() {
	v.overlaps = newOverlapRule(v)
	ops, frags := operationNames{}, fragmentNames{}
	for _, def := range v.doc.Definitions {
		switch def := def.(type) {
		case *ast.OperationDefinition:
			v.operation(def, ops)
		case *ast.FragmentDefinition:
			v.fragment(def, frags)
		}
	}
	v.unusedFragments()
}

func (v *walker) operation(op *ast.OperationDefinition, known operationNames) {
	known.unique(v, op)
	v.loneAnonymous(op)
	v.singleField(op)
	v.uniqueVariables(op)
	v.uniqueDirectives(op.Directives)
	v.enterOperation(op)
	v.variableRules(op)
}

// enterOperation walks over what is inside of an operation.
func (v *walker) enterOperation(op *ast.OperationDefinition) {
	var t *ast.Type
	if root := v.schema.root(op.Operation); root != nil {
		t = ast.NamedType(root.Name, nil)
	}
	v.types = append(v.types, t)
	if v.usages == nil {
		for _, def := range op.VariableDefinitions {
			v.variableDefinition(def)
		}
	}
	v.directives(op.Directives, locationOf(op.Operation))
	v.selectionSet(op, op.SelectionSet)
	v.types = v.types[:len(v.types)-1]
}

func locationOf(op ast.Operation) ast.DirectiveLocation {
	switch op {
	case ast.Mutation:
		return ast.LocationMutation
	case ast.Subscription:
		return ast.LocationSubscription
	}
	return ast.LocationQuery
}

func (v *walker) variableDefinition(def *ast.VariableDefinition) {
	v.variableIsInput(def)
	v.uniqueDirectives(def.Directives)
	var t *ast.Type
	if d := v.schema.def(def.Type); d != nil && d.IsInputType() {
		t = def.Type
	}
	v.inputs = append(v.inputs, t)
	named := def.Type
	for named.Elem != nil {
		named = named.Elem
	}
	v.knownType(named.NamedType, at(named.Position))
	if def.DefaultValue != nil {
		v.value(def.DefaultValue)
	}
	v.directives(def.Directives, ast.LocationVariableDefinition)
	v.inputs = v.inputs[:len(v.inputs)-1]
}

func (v *walker) fragment(f *ast.FragmentDefinition, known fragmentNames) {
	v.onComposite(f.TypeCondition, f.Name, f)
	known.unique(v, f)
	v.cycles(f)
	v.uniqueDirectives(f.Directives)
	v.enterFragment(f)
}

// enterFragment walks over what is inside of a fragment.
func (v *walker) enterFragment(f *ast.FragmentDefinition) {
	v.types = append(v.types, v.conditionType(f.TypeCondition))
	if v.usages == nil {
		v.knownType(f.TypeCondition, v.doc.Place(f, syntax.Condition))
	}
	v.directives(f.Directives, ast.LocationFragmentDefinition)
	v.selectionSet(f, f.SelectionSet)
	v.types = v.types[:len(v.types)-1]
}

// conditionType is the type that a fragment applies to, if objects can be of it.
func (v *walker) conditionType(name string) *ast.Type {
	if d := v.schema.named(name); d == nil || d.Kind == ast.InputObject {
		return nil
	}
	return ast.NamedType(name, nil)
}

func (v *walker) selectionSet(of any, set ast.SelectionSet) {
	var parent *ast.Definition
	if d := v.schema.def(v.types[len(v.types)-1]); d != nil && d.IsCompositeType() {
		parent = d
	}
	v.parents = append(v.parents, parent)
	if _, inline := of.(*ast.InlineFragment); v.usages == nil && !inline {
		v.overlaps.check(parent, set)
	}
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			v.field(sel)
		case *ast.FragmentSpread:
			v.spread(sel)
		case *ast.InlineFragment:
			v.inline(sel)
		}
	}
	v.parents = v.parents[:len(v.parents)-1]
}

func (v *walker) parent() *ast.Definition {
	if len(v.parents) == 0 {
		return nil
	}
	return v.parents[len(v.parents)-1]
}

func (v *walker) field(f *ast.Field) {
	var def *ast.FieldDefinition
	var t *ast.Type
	if parent := v.parent(); parent != nil {
		if def = v.schema.field(parent, f.Name); def != nil {
			t = def.Type
		}
	}
	v.fields, v.types = append(v.fields, def), append(v.types, t)
	if v.usages == nil {
		v.leaf(f, t)
		v.knownField(f, def)
		v.uniqueDirectives(f.Directives)
		v.uniqueArguments(f.Arguments)
		v.introspectionDepth(f)
	}
	for _, a := range f.Arguments {
		v.argument(a)
	}
	v.directives(f.Directives, ast.LocationField)
	if f.SelectionSet != nil {
		v.selectionSet(f, f.SelectionSet)
	}
	if v.usages == nil && def != nil {
		v.requiredArguments(f, def)
	}
	v.fields, v.types = v.fields[:len(v.fields)-1], v.types[:len(v.types)-1]
}

func (v *walker) spread(s *ast.FragmentSpread) {
	if v.usages == nil {
		v.knownFragment(s)
		v.possibleSpread(s)
		v.uniqueDirectives(s.Directives)
	}
	v.directives(s.Directives, ast.LocationFragmentSpread)
}

func (v *walker) inline(f *ast.InlineFragment) {
	t := v.types[len(v.types)-1]
	if f.TypeCondition != "" {
		t = v.conditionType(f.TypeCondition)
	} else if d := v.schema.def(t); d != nil {
		t = ast.NamedType(d.Name, nil)
	}
	v.types = append(v.types, t)
	if v.usages == nil {
		if f.TypeCondition != "" {
			v.onComposite(f.TypeCondition, "", f)
		}
		v.possibleInline(f, t)
		v.uniqueDirectives(f.Directives)
		if f.TypeCondition != "" {
			v.knownType(f.TypeCondition, v.doc.Place(f, syntax.Condition))
		}
	}
	v.directives(f.Directives, ast.LocationInlineFragment)
	v.selectionSet(f, f.SelectionSet)
	v.types = v.types[:len(v.types)-1]
}

func (v *walker) directives(list ast.DirectiveList, location ast.DirectiveLocation) {
	for _, d := range list {
		v.directive = v.schema.AST.Directives[d.Name]
		if v.usages == nil {
			v.knownDirective(d, location)
			v.knownDirectiveArguments(d)
			v.uniqueArguments(d.Arguments)
		}
		inside := v.directive
		for _, a := range d.Arguments {
			v.argumentOf(a, inside != nil, true)
		}
		if v.usages == nil && inside != nil {
			v.requiredDirectiveArguments(d, inside)
		}
		v.directive = nil
	}
}

func (v *walker) argument(a *ast.Argument) { v.argumentOf(a, false, false) }

// argumentOf walks over an argument: of a known directive, or else of the
// field that is around the place.
func (v *walker) argumentOf(a *ast.Argument, directive, quiet bool) {
	var args ast.ArgumentDefinitionList
	var field *ast.FieldDefinition
	if len(v.fields) > 0 {
		field = v.fields[len(v.fields)-1]
	}
	switch {
	case directive:
		args = v.directive.Arguments
	case field != nil:
		args = field.Arguments
	}
	def := args.ForName(a.Name)
	var t *ast.Type
	if def != nil {
		t = def.Type
	}
	v.inputs, v.defaults = append(v.inputs, t), append(v.defaults, def != nil && def.DefaultValue != nil)
	if v.usages == nil && !quiet && def == nil && field != nil {
		v.knownArgument(a, field)
	}
	v.value(a.Value)
	v.inputs, v.defaults = v.inputs[:len(v.inputs)-1], v.defaults[:len(v.defaults)-1]
}
