package oracle

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"freshet/model"
)

// table is what the oracle needs to know of a source table.
type table struct {
	oid     uint32
	schema  string
	name    string
	columns []column
	index   map[string]int // of a column in columns
	primary []string
	foreign []foreignKey
}

// column is a column with its type; element is that of an array's elements.
type column struct {
	name string
	typ  sqlType
}

// sqlType is a type by its base name, domains and arrays resolved.
type sqlType struct {
	base   string
	array  bool
	labels map[string]int // position of an enum's labels
}

// foreignKey is a constraint, columns and referenced columns in step.
type foreignKey struct {
	columns    []string
	target     uint32
	targetCols []string
}

// sql returns the quoted name.
func (t *table) sql() string { return pgx.Identifier{t.schema, t.name}.Sanitize() }

// schemaReader reads tables and types, each once.
type schemaReader struct {
	tx     pgx.Tx
	tables map[model.TableName]*table
	types  map[uint32]sqlType
}

func newSchemaReader(tx pgx.Tx) *schemaReader {
	return &schemaReader{tx: tx, tables: map[model.TableName]*table{}, types: map[uint32]sqlType{}}
}

// table returns the table of that name, along the search path where it has no
// schema.
func (r *schemaReader) table(ctx context.Context, n model.TableName) (*table, error) {
	if t := r.tables[n]; t != nil {
		return t, nil
	}
	ident := pgx.Identifier{n.Name}
	if n.Schema != "" {
		ident = pgx.Identifier{n.Schema, n.Name}
	}
	t := &table{index: map[string]int{}}
	err := r.tx.QueryRow(ctx, `SELECT c.oid, n.nspname, c.relname FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::text::regclass`,
		ident.Sanitize()).Scan(&t.oid, &t.schema, &t.name)
	if err != nil {
		return nil, fmt.Errorf("find table %s: %w", n, err)
	}
	if err := r.fill(ctx, t); err != nil {
		return nil, fmt.Errorf("read table %s: %w", n, err)
	}
	r.tables[n] = t
	return t, nil
}

func (r *schemaReader) fill(ctx context.Context, t *table) error {
	if err := r.readColumns(ctx, t); err != nil {
		return err
	}
	if err := r.readPrimary(ctx, t); err != nil {
		return err
	}
	return r.readForeign(ctx, t)
}

func (r *schemaReader) readColumns(ctx context.Context, t *table) error {
	rows, err := r.tx.Query(ctx, `SELECT attname::text, atttypid::oid FROM pg_attribute
		WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum`, t.oid)
	if err != nil {
		return err
	}
	oids := []uint32{}
	var name string
	var oid uint32
	_, err = pgx.ForEachRow(rows, []any{&name, &oid}, func() error {
		t.index[name] = len(t.columns)
		t.columns = append(t.columns, column{name: name})
		oids = append(oids, oid)
		return nil
	})
	for i := range t.columns {
		if err == nil {
			t.columns[i].typ, err = r.typ(ctx, oids[i])
		}
	}
	return err
}

func (r *schemaReader) readPrimary(ctx context.Context, t *table) error {
	rows, err := r.tx.Query(ctx, columnNames("conkey", "conrelid")+
		` WHERE c.conrelid = $1 AND c.contype = 'p'`, t.oid)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, []any{&t.primary}, func() error { return nil })
	return err
}

// columnNames selects, of each constraint, the names behind an array of
// column numbers.
func columnNames(key, rel string) string {
	return `SELECT ` + nameArray(key, rel) + ` FROM pg_constraint c`
}

func nameArray(key, rel string) string {
	return `ARRAY(SELECT a.attname::text FROM unnest(c.` + key + `) WITH ORDINALITY AS k(num, ord)
		JOIN pg_attribute a ON a.attrelid = c.` + rel + ` AND a.attnum = k.num ORDER BY k.ord)`
}

func (r *schemaReader) readForeign(ctx context.Context, t *table) error {
	rows, err := r.tx.Query(ctx, `SELECT c.confrelid::oid, `+nameArray("conkey", "conrelid")+`, `+
		nameArray("confkey", "confrelid")+` FROM pg_constraint c
		WHERE c.conrelid = $1 AND c.contype = 'f'`, t.oid)
	if err != nil {
		return err
	}
	var fk foreignKey
	_, err = pgx.ForEachRow(rows, []any{&fk.target, &fk.columns, &fk.targetCols}, func() error {
		t.foreign = append(t.foreign, fk)
		fk = foreignKey{}
		return nil
	})
	return err
}

// typ resolves a type: through domains, and to the element of an array.
func (r *schemaReader) typ(ctx context.Context, oid uint32) (sqlType, error) {
	if t, ok := r.types[oid]; ok {
		return t, nil
	}
	var name string
	var kind, category string
	var base, elem uint32
	err := r.tx.QueryRow(ctx, `SELECT typname::text, typtype::text, typcategory::text, typbasetype::oid, typelem::oid
		FROM pg_type WHERE oid = $1`, oid).Scan(&name, &kind, &category, &base, &elem)
	if err != nil {
		return sqlType{}, fmt.Errorf("read type %d: %w", oid, err)
	}
	t := sqlType{base: name}
	switch {
	case kind == "d":
		t, err = r.typ(ctx, base)
	case category == "A":
		t, err = r.typ(ctx, elem)
		t.array = true
	case kind == "e":
		t.labels, err = r.labels(ctx, oid)
	}
	r.types[oid] = t
	return t, err
}

func (r *schemaReader) labels(ctx context.Context, oid uint32) (map[string]int, error) {
	rows, err := r.tx.Query(ctx, `SELECT enumlabel::text FROM pg_enum WHERE enumtypid = $1 ORDER BY enumsortorder`, oid)
	if err != nil {
		return nil, err
	}
	labels := map[string]int{}
	var l string
	_, err = pgx.ForEachRow(rows, []any{&l}, func() error {
		labels[l] = len(labels)
		return nil
	})
	return labels, err
}

// exprType returns the type of an expression over a table's columns.
func (r *schemaReader) exprType(ctx context.Context, t *table, sql string) (sqlType, error) {
	rows, err := r.tx.Query(ctx, `SELECT (`+sql+`) FROM `+t.sql()+` LIMIT 0`)
	if err != nil {
		return sqlType{}, err
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return sqlType{}, fmt.Errorf("type of %q: %w", sql, err)
	}
	return r.typ(ctx, rows.FieldDescriptions()[0].DataTypeOID)
}
