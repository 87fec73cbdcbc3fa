package catalog

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
)

// typeRef is a type as a column has it: with its modifier, -1 for none.
type typeRef struct {
	oid uint32
	mod int32
}

// typeRow is a row of pg_type.
type typeRow struct {
	oid      uint32
	name     string // qualified where it hides a type of pg_catalog
	kind     string // typtype: 'd' for domains
	category string
	base     uint32 // of a domain
	elem     uint32 // of an array, else 0
	notNull  bool
	labels   []string
}

// typesSQL reads the types and all that they are made of. An array is what its
// element's type names as its array: int2vector and oidvector are not.
const typesSQL = `
WITH RECURSIVE reached AS (
    SELECT t.oid, t.typbasetype, t.typelem FROM pg_catalog.pg_type t WHERE t.oid = ANY ($1)
    UNION
    SELECT t.oid, t.typbasetype, t.typelem
      FROM reached r
      JOIN pg_catalog.pg_type t ON t.oid IN (r.typbasetype, r.typelem) AND t.oid <> 0
)
SELECT t.oid,
       CASE WHEN n.nspname <> 'pg_catalog'
             AND EXISTS (SELECT FROM pg_catalog.pg_type p
                          WHERE p.typname = t.typname AND p.typnamespace = 'pg_catalog'::regnamespace)
            THEN n.nspname || '.' || t.typname ELSE t.typname::text END,
       t.typtype::text, t.typcategory::text, t.typbasetype,
       coalesce((SELECT e.oid FROM pg_catalog.pg_type e WHERE e.oid = t.typelem AND e.typarray = t.oid), 0),
       t.typnotnull,
       (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid)
  FROM reached r
  JOIN pg_catalog.pg_type t ON t.oid = r.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace`

// readTypes reads the types of those oids and all that they are made of.
func readTypes(ctx context.Context, tx pgx.Tx, oids []uint32) (map[uint32]*typeRow, error) {
	rows, err := tx.Query(ctx, typesSQL, oids)
	if err != nil {
		return nil, fmt.Errorf("read the types: %w", err)
	}
	types := map[uint32]*typeRow{}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*typeRow, error) {
		t := &typeRow{}
		return t, row.Scan(&t.oid, &t.name, &t.kind, &t.category, &t.base, &t.elem, &t.notNull, &t.labels)
	})
	if err != nil {
		return nil, fmt.Errorf("read the types: %w", err)
	}
	for _, t := range list {
		types[t.oid] = t
	}
	return types, nil
}

// formatTypes writes the types as SQL. The search path must be empty.
func formatTypes(ctx context.Context, tx pgx.Tx, refs []typeRef) (map[typeRef]string, error) {
	oids, mods := make([]uint32, len(refs)), make([]int32, len(refs))
	for i, r := range refs {
		oids[i], mods[i] = r.oid, r.mod
	}
	rows, err := tx.Query(ctx, `SELECT t.oid, t.mod, pg_catalog.format_type(t.oid, t.mod) FROM unnest($1::oid[], $2::int4[]) t (oid, mod)`, oids, mods)
	if err != nil {
		return nil, fmt.Errorf("format the types: %w", err)
	}
	texts := map[typeRef]string{}
	var ref typeRef
	var text string
	_, err = pgx.ForEachRow(rows, []any{&ref.oid, &ref.mod, &text}, func() error {
		texts[ref] = text
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("format the types: %w", err)
	}
	return texts, nil
}

// setTypes resolves the types of all refs and hands each to set. The search
// path must be empty.
func setTypes[K comparable](ctx context.Context, tx pgx.Tx, refs map[K]typeRef, set func(K, Type)) error {
	distinct := map[typeRef]bool{}
	for _, r := range refs {
		distinct[r] = true
	}
	list := slices.Collect(maps.Keys(distinct))
	texts, err := formatTypes(ctx, tx, list)
	if err != nil {
		return err
	}
	oids := make([]uint32, len(list))
	for i, r := range list {
		oids[i] = r.oid
	}
	types, err := readTypes(ctx, tx, oids)
	if err != nil {
		return err
	}
	for k, r := range refs {
		t := describe(types, r.oid)
		t.SQL = texts[r]
		set(k, t)
	}
	return nil
}

// describe resolves domains, then an array to its element, then the element's
// domains.
func describe(types map[uint32]*typeRow, oid uint32) Type {
	t := Type{OID: oid}
	row := types[oid]
	for row != nil {
		switch {
		case row.kind == "d":
			// A domain over the element says nothing of the array itself.
			t.DomainNotNull = t.DomainNotNull || (row.notNull && !t.Array)
			row = types[row.base]
		case row.elem != 0 && !t.Array:
			t.Array = true
			row = types[row.elem]
		default:
			t.Base, t.Category, t.Labels = row.name, row.category[0], row.labels
			return t
		}
	}
	return t
}
