package served

import (
	"fmt"
	"slices"
	"strings"

	"freshet/model"
)

// abstract writes the interfaces and unions of the model.
func (w *writer) abstract() {
	for _, i := range w.model.Interfaces {
		w.iface(i)
	}
	for _, u := range w.model.Unions {
		names := make([]string, len(u.Types))
		for i, t := range u.Types {
			names[i] = t.Name
		}
		w.WriteString("\n")
		w.description("", u.Description)
		fmt.Fprintf(w, "union %s = %s\n", u.Name, strings.Join(names, " | "))
	}
}

// iface writes an interface. Where all of its types are stored it is a Node
// itself, so that clients can ask for the global id without knowing the type.
func (w *writer) iface(i *model.Interface) {
	w.WriteString("\n")
	w.description("", i.Description)
	loose := slices.ContainsFunc(i.Types, func(t *model.Type) bool { return !t.Stored })
	w.heading("interface", i.Name, i.Interfaces, len(i.Types) > 0 && !loose)
	for _, f := range i.Fields {
		w.use(f.Type.Name)
		w.description("  ", f.Description)
		fmt.Fprintf(w, "  %s: %s%s\n", f.Name, f.Type, deprecated(f.Deprecated))
	}
	w.WriteString("}\n")
}

// heading writes the first line of a type or interface, with the global id
// where it has one.
func (w *writer) heading(kind, name string, interfaces []*model.Interface, node bool) {
	var names []string
	node = node && w.schema.Node != ""
	if node {
		names = append(names, w.schema.Node)
	}
	for _, i := range interfaces {
		names = append(names, i.Name)
	}
	fmt.Fprintf(w, "%s %s", kind, name)
	if len(names) > 0 {
		fmt.Fprintf(w, " implements %s", strings.Join(names, " & "))
	}
	w.WriteString(" {\n")
	if node {
		fmt.Fprintf(w, "  %s: ID!\n", NodeID)
	}
}

// possible notes which object types each interface and union may be.
func (s *Schema) possible() {
	s.Possible = map[string]map[string]bool{}
	for name, def := range s.AST.Types {
		if !def.IsAbstractType() {
			continue
		}
		s.Possible[name] = map[string]bool{}
		for _, t := range s.AST.PossibleTypes[name] {
			s.Possible[name][t.Name] = true
		}
	}
}
