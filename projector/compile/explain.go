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
		p.explainPatches(&b, rm)
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

// explainPatches writes each patch of a read model once: paths share them.
func (p *Plan) explainPatches(b *strings.Builder, rm *ReadModel) {
	seen := map[string]bool{}
	for _, s := range p.Sources {
		for _, path := range s.Paths {
			switch {
			case path.Model != rm:
			case len(path.Kept) > 0:
				section(b, rm.Name+": patch of its own row", path.Patch+";")
			case path.Field != "" && !seen[path.Field]:
				seen[path.Field] = true
				section(b, rm.Name+": patch of "+path.Field, path.Patch+";")
			}
		}
	}
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
		section(b, p.Name, p.explain())
	}
}

func (p *Path) explain() string {
	lines := []string{"--   matters: " + strings.Join(p.Reads, ", ")}
	if !strings.HasSuffix(p.Name, " "+p.Via) {
		lines = append([]string{"--   leads to: " + p.Via}, lines...)
	}
	if p.Field != "" {
		lines = append(lines, "--   alters "+p.Field+" alone")
	}
	if len(p.Kept) > 0 {
		lines = append(lines, "--   a patch while unmoved: "+strings.Join(p.Kept, ", "))
	}
	if p.Direct {
		return strings.Join(append(lines, "--   the value is the key"), "\n")
	}
	return strings.Join(append(lines, p.SQL+";"), "\n")
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
