package compile

import (
	"fmt"
	"slices"
	"strings"

	"freshet/projector/catalog"
)

// IdentityNeed says whether a source's replica identity carries the old values
// that its paths need, and if not how to get there.
type IdentityNeed struct {
	Source    *Source
	Satisfied bool
	// Full: the remedy is REPLICA IDENTITY FULL.
	Full bool
	// IndexColumns and IndexName are the unique index of the remedy, whether
	// it is there already or SQL creates it; empty where it is another.
	IndexColumns []string
	IndexName    string
	// SQL are the statements, to be run one by one outside a transaction; none
	// where the need is satisfied.
	SQL []string
}

// IdentityNeeds returns the need of every source, in the plan's order.
func IdentityNeeds(p *Plan) []IdentityNeed {
	needs := make([]IdentityNeed, len(p.Sources))
	for i, s := range p.Sources {
		needs[i] = identityNeed(s)
	}
	return needs
}

func identityNeed(s *Source) IdentityNeed {
	n := IdentityNeed{Source: s}
	t := s.Table
	table := qualified(t.Name)
	switch {
	case len(t.IdentityColumns) > 0 && subset(s.Identity, t.IdentityColumns):
		// An identity without any column would make UPDATE and DELETE on the
		// published table fail, even where no old value is needed.
		n.Satisfied = true
	case t.Kind == 'p':
		n.partitioned()
	case len(t.PrimaryKey()) > 0 && subset(s.Identity, t.PrimaryKey()) && primaryImmediate(t):
		n.SQL = []string{"ALTER TABLE " + table + " REPLICA IDENTITY DEFAULT;"}
	default:
		n.index()
	}
	return n
}

func primaryImmediate(t *catalog.Table) bool {
	return slices.ContainsFunc(t.Indexes, func(i *catalog.Index) bool { return i.Primary && i.Immediate })
}

// maxIndexColumns is Postgres' limit.
const maxIndexColumns = 32

// index makes the remedy a unique index, one that is there or a new one, or
// FULL where there can be none.
func (n *IdentityNeed) index() {
	t := n.Source.Table
	table := qualified(t.Name)
	use := func(name string) string {
		return "ALTER TABLE " + table + " REPLICA IDENTITY USING INDEX " + ident(name) + ";"
	}
	if i := coveringIndex(t, n.Source.Identity); i != nil {
		n.IndexColumns, n.IndexName, n.SQL = i.Columns, i.Name, []string{use(i.Name)}
		return
	}
	if !indexable(n.Source) {
		n.Full = true
		n.SQL = []string{"ALTER TABLE " + table + " REPLICA IDENTITY FULL;"}
		return
	}
	n.IndexColumns = keyFirst(t, n.Source.Identity)
	n.IndexName = shortName(t.Name.Name, strings.Join(n.IndexColumns, "_"), "freshet_identity")
	n.SQL = []string{
		fmt.Sprintf("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS %s ON %s (%s);", ident(n.IndexName), table, idents(n.IndexColumns)),
		use(n.IndexName),
	}
}

// partitioned makes the remedy FULL on the root and every partition: an old
// row is written as its own partition's identity says.
func (n *IdentityNeed) partitioned() {
	table := qualified(n.Source.Table.Name)
	identity := "FULL"
	if pk := n.Source.Table.PrimaryKey(); len(pk) > 0 && subset(n.Source.Identity, pk) {
		identity = "DEFAULT"
	}
	n.Full = identity == "FULL"
	n.SQL = []string{fmt.Sprintf(`DO $freshet$
DECLARE partition regclass;
BEGIN
  FOR partition IN SELECT relid FROM pg_partition_tree(%s::regclass) LOOP
    EXECUTE format('ALTER TABLE %%s REPLICA IDENTITY %s', partition);
  END LOOP;
END
$freshet$;`, literal(table), identity)}
}

// coveringIndex returns the narrowest index that can be a replica identity
// with the columns, or nil.
func coveringIndex(t *catalog.Table, columns []string) *catalog.Index {
	var best *catalog.Index
	for _, i := range t.Indexes {
		if canIdentify(t, i) && len(columns) > 0 && subset(columns, i.Columns) &&
			(best == nil || len(i.Columns) < len(best.Columns)) {
			best = i
		}
	}
	return best
}

// canIdentify says whether the index can be a replica identity. A domain's NOT
// NULL does not count for that.
func canIdentify(t *catalog.Table, i *catalog.Index) bool {
	return isUnique(i) && i.Immediate && !slices.ContainsFunc(i.Columns, func(name string) bool {
		c := t.Column(name)
		return !c.NotNull || c.Generated
	})
}

// tellsApart says whether no two rows, even within a transaction, are equal in
// all of the columns.
func tellsApart(t *catalog.Table, columns []string) bool {
	return slices.ContainsFunc(t.Indexes, func(i *catalog.Index) bool {
		return canIdentify(t, i) && subset(i.Columns, columns)
	})
}

// indexable says whether a unique index over the source's identity columns can
// be created, without ever refusing a row, and be its replica identity. A row
// that is too wide for an index would be refused to whoever writes it: every
// column must be of a type that bounds its width, and all together must fit.
func indexable(s *Source) bool {
	t := s.Table
	if len(s.Identity) == 0 || len(s.Identity) > maxIndexColumns || !tellsApart(t, s.Identity) {
		return false
	}
	width := 0
	for _, name := range s.Identity {
		c := t.Column(name)
		w, bounded := maxWidth(c.Type)
		if !c.NotNull || c.Generated || !bounded {
			return false
		}
		width += w
	}
	return width <= maxIndexRow
}

// keyFirst orders the columns so that those that tell rows apart come first.
func keyFirst(t *catalog.Table, columns []string) []string {
	var first []string
	for _, i := range t.Indexes {
		if canIdentify(t, i) && subset(i.Columns, columns) {
			first = slices.Clone(i.Columns)
			break
		}
	}
	for _, c := range columns {
		if !slices.Contains(first, c) {
			first = append(first, c)
		}
	}
	return first
}
