package catalog

import (
	"context"

	"github.com/jackc/pgx/v5"
)

const indexesSQL = `
SELECT i.indrelid, c.relname, i.indisunique, i.indisprimary, i.indpred IS NOT NULL, i.indimmediate, m.amname,
       ARRAY (SELECT coalesce(a.attname::text, '')
                FROM generate_series(0, i.indnkeyatts - 1) k (n)
                LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.n] AND a.attnum > 0
               ORDER BY k.n)
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = c.relam
 WHERE i.indrelid = ANY ($1) AND i.indisvalid AND i.indislive
 ORDER BY i.indrelid, NOT i.indisprimary, c.relname`

// indexes reads the valid indexes, the primary key's first.
func (s *tableSet) indexes(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, indexesSQL, s.oids)
	if err != nil {
		return err
	}
	var table uint32
	var read Index
	_, err = pgx.ForEachRow(rows, []any{&table, &read.Name, &read.Unique, &read.Primary, &read.Partial, &read.Immediate, &read.Method, &read.Columns}, func() error {
		i := read
		read.Columns = nil
		s.byOID[table].Indexes = append(s.byOID[table].Indexes, &i)
		return nil
	})
	return err
}

// A foreign key to a partitioned table has a further row for each of its
// partitions: those have a parent on the same table, and are left out.
const foreignKeysSQL = `
SELECT k.conrelid, k.conname, n.nspname, t.relname, k.convalidated, k.condeferrable,
       ARRAY (SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u (num, ord)
                JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num ORDER BY u.ord),
       ARRAY (SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u (num, ord)
                JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num ORDER BY u.ord)
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class t ON t.oid = k.confrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
 WHERE k.conrelid = ANY ($1) AND k.contype = 'f'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint p WHERE p.oid = k.conparentid AND p.conrelid = k.conrelid)
 ORDER BY k.conrelid, k.conname`

// foreignKeys reads the foreign keys that the tables hold.
func (s *tableSet) foreignKeys(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, foreignKeysSQL, s.oids)
	if err != nil {
		return err
	}
	var table uint32
	var read ForeignKey
	_, err = pgx.ForEachRow(rows, []any{&table, &read.Name, &read.Target.Schema, &read.Target.Name, &read.Validated, &read.Deferrable, &read.Columns, &read.TargetCols}, func() error {
		k := read
		read.Columns, read.TargetCols = nil, nil
		s.byOID[table].ForeignKeys = append(s.byOID[table].ForeignKeys, &k)
		return nil
	})
	return err
}

// identitiesSQL yields, for each table, the columns that the old rows of its
// leaves and it itself all carry: the stream describes partitions as their
// root. A deferrable primary key is no identity. Generated columns are not published.
const identitiesSQL = `
WITH leaf AS (
    SELECT t.oid AS root, l.oid, l.relreplident
      FROM unnest($1::oid[]) t (oid)
     CROSS JOIN LATERAL (SELECT t.oid UNION
                         SELECT p.relid::oid FROM pg_catalog.pg_partition_tree(t.oid) p WHERE p.isleaf) p (oid)
      JOIN pg_catalog.pg_class l ON l.oid = p.oid
), carried AS (
    SELECT leaf.root, leaf.oid, a.attname
      FROM leaf
      JOIN pg_catalog.pg_attribute a ON a.attrelid = leaf.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
     WHERE leaf.relreplident = 'f'
        OR EXISTS (SELECT FROM pg_catalog.pg_index i
                    WHERE i.indrelid = leaf.oid AND i.indisvalid AND i.indimmediate AND i.indislive
                      AND CASE leaf.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
                      AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1]))
)
SELECT a.attrelid, a.attname::text
  FROM pg_catalog.pg_attribute a
 WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped
   AND NOT EXISTS (SELECT FROM leaf
                    WHERE leaf.root = a.attrelid
                      AND NOT EXISTS (SELECT FROM carried c WHERE c.oid = leaf.oid AND c.root = leaf.root AND c.attname = a.attname))
 ORDER BY a.attrelid, a.attnum`

const identityIndexesSQL = `
SELECT i.indrelid, c.relname
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
 WHERE i.indrelid = ANY ($1) AND i.indisreplident AND t.relreplident = 'i'`

// identities reads which columns' old values the WAL carries.
func (s *tableSet) identities(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, identitiesSQL, s.oids)
	if err != nil {
		return err
	}
	var table uint32
	var name string
	_, err = pgx.ForEachRow(rows, []any{&table, &name}, func() error {
		t := s.byOID[table]
		t.IdentityColumns = append(t.IdentityColumns, name)
		return nil
	})
	if err != nil {
		return err
	}
	if rows, err = tx.Query(ctx, identityIndexesSQL, s.oids); err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, []any{&table, &name}, func() error {
		s.byOID[table].IdentityIndex = name
		return nil
	})
	return err
}
