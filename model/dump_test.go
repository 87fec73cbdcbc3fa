package model

import (
	"fmt"
	"strings"
)

// dump writes a resolved model for the golden files.
func dump(m *Model) string {
	var b strings.Builder
	for _, e := range m.Enums {
		fmt.Fprintf(&b, "enum %s", e.Name)
		for _, v := range e.Values {
			fmt.Fprintf(&b, " %s%s", v.Name, reason(v.Deprecated))
		}
		b.WriteString("\n")
	}
	for _, i := range m.Interfaces {
		fmt.Fprintf(&b, "interface %s implements %v: %v\n", i.Name, interfaceNames(i.Interfaces), typeNames(i.Types))
		for _, f := range i.Fields {
			fmt.Fprintf(&b, "  %s: %s%s\n", f.Name, f.Type, reason(f.Deprecated))
		}
	}
	for _, u := range m.Unions {
		fmt.Fprintf(&b, "union %s: %v\n", u.Name, typeNames(u.Types))
	}
	for _, t := range m.Types {
		dumpType(&b, t)
	}
	return b.String()
}

func interfaceNames(interfaces []*Interface) []string {
	var names []string
	for _, i := range interfaces {
		names = append(names, i.Name)
	}
	return names
}

func typeNames(types []*Type) []string {
	var names []string
	for _, t := range types {
		names = append(names, t.Name)
	}
	return names
}

func reason(deprecated *string) string {
	if deprecated == nil {
		return ""
	}
	return fmt.Sprintf(" (deprecated: %s)", *deprecated)
}

func dumpType(b *strings.Builder, t *Type) {
	fmt.Fprintf(b, "type %s: table %s stored=%v", t.Name, t.Table, t.Stored)
	if f := t.KeyField(); f != nil {
		fmt.Fprintf(b, " key=%s column=%q", f.Name, f.Column)
	}
	if t.Where != "" {
		fmt.Fprintf(b, " where %s", t.Where)
	}
	if len(t.Interfaces) > 0 {
		fmt.Fprintf(b, " implements %v", interfaceNames(t.Interfaces))
	}
	b.WriteString("\n")
	for _, f := range t.Fields {
		fmt.Fprintf(b, "  %s: %s %s%s\n", f.Name, f.Type, fieldText(f), reason(f.Deprecated))
	}
	for _, i := range t.Indexes {
		fmt.Fprintf(b, "  index %v gin=%v lookup=%v\n", i.Fields, i.GIN, i.Lookup != nil)
	}
	fmt.Fprintf(b, "  document %s\n", selectionText(t.Document()))
}

func fieldText(f *Field) string {
	switch f.Kind {
	case Column:
		return "column " + f.Column
	case Computed:
		return "computed " + f.SQL
	case Aggregate:
		s := fmt.Sprintf("aggregate %s of %s", f.Agg.Fn, f.Agg.Of.Name)
		if f.Agg.Field != nil {
			s += " field " + f.Agg.Field.Name
		}
		return s
	case FirstOf:
		return "first of " + f.memberNames()
	}
	return relationText(f.Relation)
}

func relationText(r *Relation) string {
	s := fmt.Sprintf("%s fk=%v", r.Kind, r.ForeignKey)
	if r.Kind == ManyToMany {
		s += fmt.Sprintf(" through=%s targetKey=%v", r.Through, r.TargetKey)
	}
	if r.When != "" {
		s += " when " + r.When
	}
	if r.Where != "" {
		s += " where " + r.Where
	}
	for _, o := range r.OrderBy {
		s += " by " + o.Field.Name
		if o.Descending {
			s += " desc"
		}
	}
	if r.Limit > 0 {
		s += fmt.Sprintf(" limit %d", r.Limit)
	}
	return s + " embed " + selectionText(r.Embed)
}

func selectionText(s *Selection) string {
	var items []string
	for _, i := range s.Items {
		text := i.Field.Name
		if i.Sub != nil {
			text += "{" + selectionText(i.Sub) + "}"
		}
		items = append(items, text)
	}
	return strings.Join(items, " ")
}
