package catalog

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"freshet/model"
)

// tableSet is the tables being read.
type tableSet struct {
	oids  []uint32
	byOID map[uint32]*Table
}

// The estimate of a partitioned table is the sum of its partitions': only
// ANALYZE by hand would give it one of its own.
const tablesSQL = `
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relispartition, pg_catalog.pg_get_userbyid(c.relowner),
       c.relrowsecurity, c.relpersistence, c.relreplident,
       c.relkind <> 'p' AND EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid),
       CASE WHEN c.relkind = 'p'
            THEN (SELECT coalesce(sum(l.reltuples) FILTER (WHERE l.reltuples >= 0), -1)
                    FROM pg_catalog.pg_partition_tree(c.oid) p
                    JOIN pg_catalog.pg_class l ON l.oid = p.relid
                   WHERE p.isleaf AND l.relkind <> 'p')
            ELSE c.reltuples END::bigint
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = ANY ($1)`

// loadTables reads the tables themselves, without what belongs to them.
func loadTables(ctx context.Context, tx pgx.Tx, names map[model.TableName]uint32) (*tableSet, error) {
	set := &tableSet{byOID: map[uint32]*Table{}}
	for _, oid := range names {
		set.oids = append(set.oids, oid)
	}
	rows, err := tx.Query(ctx, tablesSQL, set.oids)
	if err != nil {
		return nil, fmt.Errorf("read the tables: %w", err)
	}
	tables, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*Table, error) {
		t := &Table{}
		return t, row.Scan(&t.OID, &t.Name.Schema, &t.Name.Name, &t.Kind, &t.Partition, &t.Owner,
			&t.RowSecurity, &t.Persistence, &t.Identity, &t.HasChildren, &t.Rows)
	})
	if err != nil {
		return nil, fmt.Errorf("read the tables: %w", err)
	}
	for _, t := range tables {
		set.byOID[t.OID] = t
	}
	return set, nil
}

// fill reads what belongs to the tables.
func (s *tableSet) fill(ctx context.Context, tx pgx.Tx) error {
	if err := s.columns(ctx, tx); err != nil {
		return fmt.Errorf("read the columns: %w", err)
	}
	if err := s.indexes(ctx, tx); err != nil {
		return fmt.Errorf("read the indexes: %w", err)
	}
	if err := s.foreignKeys(ctx, tx); err != nil {
		return fmt.Errorf("read the foreign keys: %w", err)
	}
	if err := s.identities(ctx, tx); err != nil {
		return fmt.Errorf("read the replica identities: %w", err)
	}
	return nil
}

// A NOT NULL that is NOT VALID, which came with version 18, lets old rows have
// NULL.
const columnsSQL = `
SELECT a.attrelid, a.attname, a.attnum,
       a.attnotnull AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = a.attrelid
                                       AND k.contype = 'n' AND NOT k.convalidated AND k.conkey = ARRAY[a.attnum]),
       a.attgenerated <> '', a.atttypid, a.atttypmod,
       coalesce(l.collisdeterministic, true)
  FROM pg_catalog.pg_attribute a
  LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
 WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum`

// columns reads the live columns, then their types in one go.
func (s *tableSet) columns(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, columnsSQL, s.oids)
	if err != nil {
		return err
	}
	var table uint32
	var read Column
	var ref typeRef
	refs := map[*Column]typeRef{}
	_, err = pgx.ForEachRow(rows, []any{&table, &read.Name, &read.Num, &read.NotNull, &read.Generated, &ref.oid, &ref.mod, &read.Deterministic}, func() error {
		c := read
		s.byOID[table].Columns = append(s.byOID[table].Columns, &c)
		refs[&c] = ref
		return nil
	})
	if err != nil {
		return err
	}
	return setTypes(ctx, tx, refs, func(c *Column, t Type) { c.Type = t })
}
