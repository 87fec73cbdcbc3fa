package compile

import (
	"fmt"
	"strings"
)

// Explain writes the plan for people: for each read model its statements and
// its table, for each source table what is read of it and every path with its
// SQL.
func (p *Plan) Explain() string {
	var b strings.Builder
	for _, rm := range p.ReadModels {
		rm.explain(&b)
	}
	for _, s := range p.Sources {
		s.explain(&b)
	}
	for _, n := range IdentityNeeds(p) {
		if !n.Satisfied {
			section(&b, "replica identity of "+n.Source.Table.Name.String(), strings.Join(n.SQL, "\n"))
		}
	}
	for _, i := range p.MissingIndexes {
		section(&b, "missing index on "+i.Table.String(), i.SQL)
	}
	return b.String()
}

// section writes a heading and a text under it.
func section(b *strings.Builder, heading, text string) {
	fmt.Fprintf(b, "-- %s\n", heading)
	if text != "" {
		b.WriteString(text + "\n")
	}
	b.WriteString("\n")
}

func (rm *ReadModel) explain(b *strings.Builder) {
	section(b, fmt.Sprintf("%s: %s from %s by %s (%s)", rm.Name, rm.Table, rm.Root.Table.Name, rm.Key.Column, rm.Key.SQL), "")
	section(b, rm.Name+": documents", rm.Documents+";")
	statements := []string{rm.CreateTable + ";"}
	for _, i := range rm.Indexes {
		statements = append(statements, i.SQL+";")
	}
	section(b, rm.Name+": table", strings.Join(statements, "\n"))
}

// ExplainStatements writes the statements of a read model that Explain leaves
// out: those that differ between models by names alone.
func (rm *ReadModel) ExplainStatements() string {
	var b strings.Builder
	for _, s := range []struct{ name, sql string }{
		{"apply", rm.Apply}, {"fill", rm.Fill}, {"bounds", rm.Bounds}, {"prune", rm.Prune},
		{"keys", rm.Keys}, {"differences", rm.Differences},
	} {
		section(&b, rm.Name+": "+s.name, s.sql+";")
	}
	return b.String()
}

func (s *Source) explain(b *strings.Builder) {
	section(b, "source "+s.Table.Name.String(), fmt.Sprintf("--   reads     %s\n--   old value %s", strings.Join(s.Reads, ", "), orNone(s.Identity)))
	for _, p := range s.Paths {
		heading := fmt.Sprintf("%s -> %s by (%s): %s", s.Table.Name, p.Model.Name, strings.Join(p.Start, ", "), p.Via)
		text := "--   matters: " + strings.Join(p.Reads, ", ")
		if p.Direct {
			text += "\n--   the value is the key"
		} else {
			text += "\n" + p.SQL + ";"
		}
		section(b, heading, text)
	}
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
