package compile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"freshet/model"
	"freshet/projector/catalog"
)

// planBuilder puts the read models' parts together.
type planBuilder struct {
	*compiler
	sources map[catalog.Name]*sourceBuilder
	missing map[string]bool // indexes reported, by name
	patches map[*model.Field]string
}

// sourceBuilder collects what is known of a source.
type sourceBuilder struct {
	source   *Source
	reads    map[string]bool
	identity map[string]bool
	paths    []*pathBuilder
}

// pathBuilder collects the occurrences that one path serves.
type pathBuilder struct {
	path  *Path
	vias  []string
	tops  []*model.Field // the documents' own fields that lead there; nil stands for the root
	reads map[string]bool
}

func (b *planBuilder) source(t *catalog.Table) *sourceBuilder {
	s := b.sources[t.Name]
	if s == nil {
		s = &sourceBuilder{source: &Source{Table: t}, reads: map[string]bool{}, identity: map[string]bool{}}
		b.sources[t.Name] = s
	}
	return s
}

// readModel adds the read model of a stored type.
func (b *planBuilder) readModel(o *object) {
	table := target(o)
	rm := &ReadModel{
		ID: len(b.plan.ReadModels), Type: o.typ, Name: o.typ.Name, Table: table, Root: b.source(o.table).source,
		Key: KeyColumn{Column: o.key.Name, SQL: o.key.Type.SQL, Base: o.key.Type.Base},
	}
	b.plan.ReadModels = append(b.plan.ReadModels, rm)

	g := &generator{compiler: b.compiler}
	root := g.root(o)
	d := &definition{key: rm.Key, table: qualified(table)}
	d.data = g.document(root, o.typ.Document())
	d.columns = g.typedColumns(root, nil)
	root.reads[o.key.Name] = true
	d.from, d.exact = g.from(root), g.hasJSON
	d.root = (&generator{compiler: b.compiler}).keysOnly(o)

	rm.Documents, rm.Apply, rm.Fill = finish(d.documents()), finish(d.apply()), finish(d.fill())
	rm.Bounds, rm.Prune, rm.Keys = finish(d.bounds()), finish(d.prune()), finish(d.allKeys())
	rm.Differences = finish(d.differences())
	rm.CreateTable, rm.Indexes = d.createTable(), d.indexes(o, table)
	for _, c := range d.columns {
		rm.Columns = append(rm.Columns, c.IndexColumn)
	}
	rm.Layout = d.layout(o, table)
	rm.Hash = hash(rm)
	for _, n := range g.nodes {
		b.occurrence(rm, n)
	}
}

// keysOnly is the FROM item of the type's rows without what its fields need.
func (g *generator) keysOnly(o *object) string { return g.from(g.root(o)) }

// occurrence adds the path from a table's place in the documents to their key.
func (b *planBuilder) occurrence(rm *ReadModel, n *node) {
	s := b.source(n.table)
	maps.Copy(s.reads, n.reads)
	path := b.path(rm, n)
	if !sheltered(n) {
		for _, c := range path.Start {
			s.identity[c] = true
		}
	}
	for _, p := range s.paths {
		if p.path.Model == rm && slices.Equal(p.path.Start, path.Start) && p.path.SQL == path.SQL {
			maps.Copy(p.reads, n.reads)
			if !slices.Contains(p.vias, n.via) {
				p.vias = append(p.vias, n.via)
			}
			if !slices.Contains(p.tops, n.top) {
				p.tops = append(p.tops, n.top)
			}
			return
		}
	}
	s.paths = append(s.paths, &pathBuilder{path: path, vias: []string{n.via}, tops: []*model.Field{n.top}, reads: maps.Clone(n.reads)})
	if n.parent != nil {
		b.needIndex(n.table, n.link.childCols, n)
	}
}

// sheltered says that no old value is needed at the start of the node's path:
// a constraint makes sure that no row of the parent is left with it.
func sheltered(n *node) bool {
	return n.parent != nil && n.link.parentHolds && n.link.enforced()
}

// finish numbers the paths and sorts what has an order.
func (b *planBuilder) finish() {
	names := slices.SortedFunc(maps.Keys(b.sources), func(x, y catalog.Name) int {
		return strings.Compare(x.Schema+"\x00"+x.Name, y.Schema+"\x00"+y.Name)
	})
	id := 0
	for _, name := range names {
		s := b.sources[name]
		s.source.Reads = sorted(s.reads)
		s.source.Identity = identityOf(s)
		for _, p := range s.paths {
			p.path.ID, p.path.Via, p.path.Reads = id, strings.Join(p.vias, ", "), sorted(p.reads)
			b.patch(p)
			b.ownPatch(s.source, p)
			id++
			if len(p.path.Kept) > 0 {
				p.path.PatchID = id
				id++
			}
			s.source.Paths = append(s.source.Paths, p.path)
		}
		b.plan.Sources = append(b.plan.Sources, s.source)
	}
}

// identityOf are the columns whose old values are needed, and those of a key
// where they hold none: an identity has to tell rows apart.
func identityOf(s *sourceBuilder) []string {
	t := s.source.Table
	if !tellsApart(t, sorted(s.identity)) {
		for _, c := range rowKey(t) {
			s.identity[c] = true
		}
	}
	return sorted(s.identity)
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

// needIndex reports that rows of a table are looked up by columns without an
// index; n is the occurrence for which.
func (b *planBuilder) needIndex(t *catalog.Table, columns []string, n *node) {
	if indexed(t, columns) {
		return
	}
	index := missingIndex(t, columns)
	if b.missing[index.Name] {
		return
	}
	b.missing[index.Name] = true
	b.plan.MissingIndexes = append(b.plan.MissingIndexes, index)
	b.ds.Warnf(n.field.Relation.Pos, index.SQL, "%s is looked up by %s for %s, and has no index for it: every change would scan the table",
		t.Name, strings.Join(columns, ", "), n.via)
}

func missingIndex(t *catalog.Table, columns []string) MissingIndex {
	name := shortName(t.Name.Name, strings.Join(columns, "_"), "idx")
	concurrently := "CONCURRENTLY "
	if t.Kind == 'p' {
		concurrently = ""
	}
	sql := fmt.Sprintf("CREATE INDEX %sIF NOT EXISTS %s ON %s (%s);", concurrently, ident(name), qualified(t.Name), idents(columns))
	return MissingIndex{Table: t.Name, Columns: columns, Name: name, SQL: sql}
}

// indexed says whether an index finds rows by the columns: it begins with all
// of them, or is unique within them.
func indexed(t *catalog.Table, columns []string) bool {
	return slices.ContainsFunc(t.Indexes, func(i *catalog.Index) bool {
		switch {
		case i.Partial || i.Method != "btree" && i.Method != "hash":
			return false
		case isUnique(i) && subset(i.Columns, columns):
			return true
		}
		return len(i.Columns) >= len(columns) && sameSet(i.Columns[:len(columns)], columns)
	})
}
