package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"freshet/projector/catalog"
	"freshet/projector/compile"
)

// covered says whether the WAL carries all old values of the table that the
// plan needs, now. Without any identity Postgres would refuse the updates of
// whoever writes to a published table: that must never happen.
func (s *state) covered(src *compile.Source) bool {
	t := s.sources[src.Table.Name]
	if t == nil || len(t.IdentityColumns) == 0 {
		return false
	}
	return len(lacking(t, src)) == 0
}

// lacking are the columns that the table's replica identity leaves out.
func lacking(t *catalog.Table, src *compile.Source) []string {
	var columns []string
	for _, c := range src.Identity {
		if !slices.Contains(t.IdentityColumns, c) {
			columns = append(columns, c)
		}
	}
	return columns
}

// identities plans the replica identities that are missing.
func (p *planner) identities() {
	for _, src := range p.plan.Sources {
		if p.state.covered(src) {
			continue
		}
		need := p.state.identityNeed(src)
		switch {
		case src.Table.Kind == 'p':
			p.partitions(src, identityOf(need))
		case len(need.IndexColumns) > 0:
			p.usingIndex(src, need)
		default:
			p.identity(src, identityOf(need))
		}
	}
}

// identityNeed is what the compiler says of a source as its table is now, not
// as it was when the plan was compiled.
func (s *state) identityNeed(src *compile.Source) compile.IdentityNeed {
	now := *src
	if t := s.sources[src.Table.Name]; t != nil {
		now.Table = t
	}
	return compile.IdentityNeeds(&compile.Plan{Sources: []*compile.Source{&now}})[0]
}

// identityOf is the identity of a need that asks for no index.
func identityOf(need compile.IdentityNeed) string {
	if need.Full {
		return "FULL"
	}
	return "DEFAULT"
}

const identityLock = "the table itself, exclusively, for an instant; it gives up after the lock timeout and tries again"

// carried says what an identity has the WAL carry.
func carried(identity string) string {
	if identity == "FULL" {
		return "whole old rows"
	}
	return "the primary key of old rows"
}

// identity plans REPLICA IDENTITY FULL or DEFAULT.
func (p *planner) identity(src *compile.Source, identity string) {
	sql := fmt.Sprintf("ALTER TABLE %s REPLICA IDENTITY %s", quote(src.Table.Name), identity)
	p.add(Step{
		Kind: KindIdentity,
		What: fmt.Sprintf("have the WAL carry %s of %s: %s", carried(identity), src.Table.Name, whyIdentity(src)),
		SQL:  sql, Locks: identityLock,
		do: func(ctx context.Context, w *worker) error { return w.statements(ctx, sql) },
	})
}

// whyIdentity says what an old row is needed for.
func whyIdentity(src *compile.Source) string {
	if len(src.Identity) == 0 {
		return "it has no replica identity at all, and updates of a published table would fail"
	}
	return "of changed rows the old values of " + strings.Join(src.Identity, ", ") + " are needed"
}

// usingIndex plans an index over the columns and makes it the identity.
func (p *planner) usingIndex(src *compile.Source, need compile.IdentityNeed) {
	table := src.Table.Name
	columns := make([]string, len(need.IndexColumns))
	for i, c := range need.IndexColumns {
		columns[i] = quoteName(c)
	}
	index := catalog.Name{Schema: table.Schema, Name: need.IndexName}
	if !p.identityIndexThere(index, src, need) {
		create := fmt.Sprintf("CREATE UNIQUE INDEX CONCURRENTLY %s ON %s (%s)", quoteName(index.Name), quote(table), strings.Join(columns, ", "))
		p.add(Step{
			Kind: KindIdentity,
			What: fmt.Sprintf("create the unique index %s over the columns of %s whose old values are needed", index.Name, table),
			SQL:  create, Locks: "no reader or writer; it waits for transactions that are running",
			do: func(ctx context.Context, w *worker) error { return w.createIndex(ctx, index, table, create) },
		})
	}
	alter := fmt.Sprintf("ALTER TABLE %s REPLICA IDENTITY USING INDEX %s", quote(table), quoteName(index.Name))
	p.add(Step{
		Kind: KindIdentity,
		What: fmt.Sprintf("have the WAL carry that index's columns of old rows of %s: %s", table, whyIdentity(src)),
		SQL:  alter, Locks: identityLock,
		do: func(ctx context.Context, w *worker) error { return w.statements(ctx, alter) },
	})
}

// identityIndexThere says whether the index exists as it should be. One of
// that name over other columns is in the way.
func (p *planner) identityIndexThere(index catalog.Name, src *compile.Source, need compile.IdentityNeed) bool {
	t := p.state.sources[src.Table.Name]
	if t == nil {
		return false
	}
	for _, i := range t.Indexes {
		if i.Name != index.Name {
			continue
		}
		if i.Unique && i.Immediate && !i.Partial && slices.Equal(i.Columns, need.IndexColumns) {
			return true
		}
		p.faults = append(p.faults, Finding{
			Where:  index.String(),
			What:   fmt.Sprintf("an index of this name exists, but not as a unique one over (%s)", strings.Join(need.IndexColumns, ", ")),
			Remedy: fmt.Sprintf("Rename it: ALTER INDEX %s RENAME TO …;", quote(index)),
		})
	}
	return false
}

// partitions plans the identity of a partitioned table and of each of its
// leaves. An index would do as well, but it can not be made concurrently on a
// partitioned table, and partitions to come would lack it.
func (p *planner) partitions(src *compile.Source, identity string) {
	table := src.Table.Name
	p.add(Step{
		Kind: KindIdentity,
		What: fmt.Sprintf("have the WAL carry %s of %s and its partitions: %s", carried(identity), table, whyIdentity(src)),
		SQL: fmt.Sprintf("ALTER TABLE %[1]s REPLICA IDENTITY %[3]s;\n"+
			"-- and for each table in: SELECT relid FROM pg_partition_tree(%[2]s) WHERE isleaf\n"+
			"ALTER TABLE … REPLICA IDENTITY %[3]s", quote(table), literal(quote(table)), identity),
		Locks: "each partition, exclusively, for an instant, one after the other",
		do:    func(ctx context.Context, w *worker) error { return alterPartitions(ctx, w, table, identity) },
	})
	if identity == "FULL" {
		p.note(fmt.Sprintf("partitions that are added to %s later need ALTER TABLE … REPLICA IDENTITY FULL of their own: the check at the projector's start names those that lack it", table))
	}
}

// alterPartitions sets the identity of a partitioned table and of its leaves,
// each in a transaction of its own, so that no two are locked at a time.
func alterPartitions(ctx context.Context, w *worker, table catalog.Name, identity string) error {
	rows, err := w.conn.Query(ctx, `
SELECT n.nspname, c.relname
  FROM pg_catalog.pg_partition_tree($1::text::regclass) p
  JOIN pg_catalog.pg_class c ON c.oid = p.relid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE (p.isleaf OR p.level = 0) AND c.relreplident <> CASE $2 WHEN 'FULL' THEN 'f' ELSE 'd' END::"char"
 ORDER BY p.level, c.relname`, quote(table), identity)
	if err != nil {
		return err
	}
	parts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[catalog.Name])
	if err != nil {
		return err
	}
	for _, part := range parts {
		if err := w.statements(ctx, fmt.Sprintf("ALTER TABLE %s REPLICA IDENTITY %s", quote(part), identity)); err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
	}
	return nil
}
