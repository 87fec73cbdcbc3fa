package validate

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// compare finds what keeps two fields from being merged.
func (r *overlapRule) compare(found []conflict, exclusive bool, name string, a, b *fieldUse) []conflict {
	exclusive = exclusive || a.parent != b.parent && isObject(a.parent) && isObject(b.parent)
	r.spend(2)
	if a.simple() && b.simple() && a.typ() == b.typ() && a.node.Name == b.node.Name {
		return found
	}
	if !exclusive {
		if reason := r.differ(a.node, b.node); reason != "" {
			return append(found, pair(name, reason, a, b))
		}
	}
	if s, t := a.typ(), b.typ(); s != nil && t != nil && r.typesConflict(s, t) {
		return append(found, pair(name, fmt.Sprintf("they return conflicting types \"%s\" and \"%s\"", s, t), a, b))
	}
	if a.node.SelectionSet == nil || b.node.SelectionSet == nil {
		return found
	}
	if inside := r.sub(exclusive, a, b); len(inside) > 0 {
		return append(found, outer(name, inside, a, b))
	}
	return found
}

func isObject(d *ast.Definition) bool { return d != nil && d.Kind == ast.Object }

func pair(name, reason string, a, b *fieldUse) conflict {
	return conflict{name, reason, []gqlerror.Location{at(a.node.Position)}, []gqlerror.Location{at(b.node.Position)}}
}

// outer is the conflict of two fields whose selections have conflicts.
func outer(name string, inside []conflict, a, b *fieldUse) conflict {
	var message strings.Builder
	for _, c := range inside {
		if message.Len() > 0 {
			message.WriteString(" and ")
		}
		fmt.Fprintf(&message, "subfields \"%s\" conflict because %s", abbreviated(c.name), c.reason)
		if message.Len() > maxDetail {
			break
		}
	}
	return conflict{
		name: name, reason: abbreviated(message.String()),
		left:  nodes(a, inside, func(c conflict) []gqlerror.Location { return c.left }),
		right: nodes(b, inside, func(c conflict) []gqlerror.Location { return c.right }),
	}
}

const maxNodes = 20

// nodes are the places that a conflict tells of: of the field and of those
// inside, as many as there is room for.
func nodes(u *fieldUse, inside []conflict, side func(conflict) []gqlerror.Location) []gqlerror.Location {
	out := []gqlerror.Location{at(u.node.Position)}
	for _, c := range inside {
		more := side(c)
		out = append(out, more[max(0, len(more)-(maxNodes-len(out))):]...)
		if len(out) == maxNodes {
			break
		}
	}
	return out
}

// differ says how two fields differ in what they ask for.
func (r *overlapRule) differ(a, b *ast.Field) string {
	switch {
	case a.Name != b.Name:
		return fmt.Sprintf("\"%s\" and \"%s\" are different fields", abbreviated(a.Name), abbreviated(b.Name))
	case !r.sameArguments(a.Arguments, b.Arguments):
		return "they have differing arguments"
	}
	return ""
}

func (r *overlapRule) sameArguments(a, b ast.ArgumentList) bool {
	if len(a) != len(b) {
		return false
	}
	for _, x := range a {
		r.spend(1)
		y := lastNamed(b, x.Name)
		if y == nil || canonical(x.Value) != canonical(y.Value) {
			return false
		}
	}
	return true
}

func lastNamed(args ast.ArgumentList, name string) *ast.Argument {
	for i := len(args) - 1; i >= 0; i-- {
		if args[i].Name == name {
			return args[i]
		}
	}
	return nil
}

// canonical prints a value so that equal ones are printed equally.
func canonical(v *ast.Value) string {
	if v.Kind != ast.ListValue && v.Kind != ast.ObjectValue {
		return fmt.Sprintf("%d%q", v.Kind, v.Raw)
	}
	children := slices.Clone(v.Children)
	if v.Kind == ast.ObjectValue {
		slices.SortStableFunc(children, func(x, y *ast.ChildValue) int {
			return slices.Compare(utf16.Encode([]rune(x.Name)), utf16.Encode([]rune(y.Name)))
		})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d(", v.Kind)
	for _, c := range children {
		b.WriteString(c.Name + ":" + canonical(c.Value) + ",")
	}
	return b.String() + ")"
}

// typesConflict says whether no value can be of both types.
func (r *overlapRule) typesConflict(a, b *ast.Type) bool {
	if a == b {
		return false
	}
	r.spend(1)
	// A ! is a type of its own, around the list.
	switch {
	case isList(a) || isList(b):
		return !isList(a) || !isList(b) || r.typesConflict(a.Elem, b.Elem)
	case a.NonNull || b.NonNull:
		return !a.NonNull || !b.NonNull || r.typesConflict(nullable(a), nullable(b))
	}
	x, y := r.v.schema.def(a), r.v.schema.def(b)
	return (x != nil && x.IsLeafType() || y != nil && y.IsLeafType()) && x != y
}

// isList says whether a type is a list that may be null.
func isList(t *ast.Type) bool { return t.Elem != nil && !t.NonNull }
