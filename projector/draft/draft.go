// Package draft looks at a database and writes a first model file from its
// tables and foreign keys, for people to go on from.
//
// Guarantees: the file that it writes parses, and compiles against the
// database that it was written from, without errors: what does not is left
// out, with the reason in a comment; columns that look like secrets are
// commented out; the same database gives the same bytes; nothing is changed.
package draft

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"freshet/model"
	"freshet/projector/catalog"
	"freshet/projector/compile"
)

// Options say what to look at.
type Options struct {
	// Schemas whose tables are drafted; none: those of the search path.
	Schemas []string
	// File is the name that warnings name.
	File string
}

// Draft is a model file.
type Draft struct {
	Text     string
	Types    int
	Warnings model.Diagnostics // of the finished file: missing indexes and the like
}

// ErrNoTables says that there is nothing to make a model of.
var ErrNoTables = errors.New("there are no tables")

// rounds bounds how often the file is compiled and mended: each round mends
// all that is at fault.
const rounds = 20

// Write drafts the model file. The connection must have no transaction open.
func Write(ctx context.Context, conn *pgx.Conn, opts Options) (*Draft, error) {
	found, err := look(ctx, conn, opts.Schemas)
	if err != nil {
		return nil, err
	}
	if len(found.tables) == 0 {
		return nil, ErrNoTables
	}
	f := newFile(found)
	for range rounds {
		text := f.render()
		faults, err := compiled(ctx, conn, opts.File, text)
		if err != nil {
			return nil, err
		}
		if faults.Err() == nil {
			return &Draft{Text: text, Types: f.count(), Warnings: faults}, nil
		}
		if !f.mend(faults) {
			return nil, fmt.Errorf("the draft does not compile, which is a fault of Freshet's: %w", faults.Err())
		}
	}
	return nil, errors.New("the draft does not compile after many tries, which is a fault of Freshet's")
}

// compiled returns all faults of a model file.
func compiled(ctx context.Context, conn *pgx.Conn, name, text string) (model.Diagnostics, error) {
	m, faults := model.Parse(name, text)
	if faults.Err() != nil {
		return faults, nil
	}
	cat, err := catalog.Load(ctx, conn, compile.Request(m))
	if err != nil {
		return nil, err
	}
	_, more := compile.Compile(m, cat)
	return append(faults, more...), nil
}

// found is what a database has.
type found struct {
	database string
	tables   []*table // by schema and name
}

// table is a table with what people said of it.
type table struct {
	*catalog.Table
	onPath   bool // its name alone finds it
	comment  string
	comments map[string]string // of columns
}

// Tables of extensions are theirs, and tv_* tables Freshet's.
const tablesSQL = `
SELECT n.nspname, c.relname, pg_catalog.pg_table_is_visible(c.oid), coalesce(obj_description(c.oid, 'pg_class'), ''),
       ARRAY (SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
       ARRAY (SELECT coalesce(col_description(c.oid, a.attnum), '') FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND NOT c.relispartition
   AND CASE WHEN cardinality($1::text[]) = 0 THEN n.nspname = ANY (current_schemas(false)) ELSE n.nspname = ANY ($1) END
   AND n.nspname <> 'freshet' AND has_table_privilege(c.oid, 'SELECT')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid AND c.relkind <> 'p')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'freshet_lsn')
 ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`

// look reads the tables.
func look(ctx context.Context, conn *pgx.Conn, schemas []string) (*found, error) {
	if schemas == nil {
		schemas = []string{}
	}
	rows, err := conn.Query(ctx, tablesSQL, schemas)
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	var names []model.TableName
	described := map[model.TableName]*table{}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*table, error) {
		t := &table{comments: map[string]string{}}
		var name model.TableName
		var columns, comments []string
		if err := row.Scan(&name.Schema, &name.Name, &t.onPath, &t.comment, &columns, &comments); err != nil {
			return nil, err
		}
		for i, c := range columns {
			t.comments[c] = comments[i]
		}
		names = append(names, name)
		described[name] = t
		return t, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	cat, err := catalog.Load(ctx, conn, catalog.Request{Tables: names})
	if err != nil {
		return nil, err
	}
	for name, t := range described {
		t.Table = cat.Resolved[name]
	}
	list = slices.DeleteFunc(list, func(t *table) bool { return t.Table == nil }) // dropped in between
	return &found{database: cat.Database, tables: list}, nil
}

// notNull says whether all of the columns are.
func (t *table) notNull(columns []string) bool {
	return !slices.ContainsFunc(columns, func(name string) bool {
		c := t.Column(name)
		return c == nil || !c.NotNull && !c.Type.DomainNotNull
	})
}

// unique says whether rows differ in the columns.
func (t *table) unique(columns []string) bool {
	return slices.ContainsFunc(t.Indexes, func(i *catalog.Index) bool {
		return i.Unique && !i.Partial && !slices.Contains(i.Columns, "") &&
			!slices.ContainsFunc(i.Columns, func(c string) bool { return !slices.Contains(columns, c) })
	})
}

// keyBases are the types that a document's key may have.
var keyBases = []string{"uuid", "int2", "int4", "int8", "text", "varchar"}

// keyable says whether the column can identify a document.
func (t *table) keyable(name string) bool {
	c := t.Column(name)
	return c != nil && !c.Type.Array && slices.Contains(keyBases, c.Type.Base) && c.Deterministic && !c.Generated &&
		t.notNull([]string{name}) && t.unique([]string{name}) && !slices.Contains([]string{"data", "freshet_lsn", "freshet_time"}, name)
}

// key is the column that identifies a document, "" where there is none, and
// whether it is the primary key.
func (t *table) key() (column string, primary bool) {
	if pk := t.PrimaryKey(); len(pk) == 1 && t.keyable(pk[0]) {
		return pk[0], true
	}
	for _, i := range t.Indexes {
		if len(i.Columns) == 1 && t.keyable(i.Columns[0]) {
			return i.Columns[0], false
		}
	}
	return "", false
}

// joins says whether the table does nothing but join two others: all of its
// columns are of two foreign keys.
func (t *table) joins() bool {
	if len(t.ForeignKeys) != 2 {
		return false
	}
	a, b := t.ForeignKeys[0], t.ForeignKeys[1]
	for _, c := range t.Columns {
		if !slices.Contains(a.Columns, c.Name) && !slices.Contains(b.Columns, c.Name) {
			return false
		}
	}
	return strings.Join(a.Columns, ",") != strings.Join(b.Columns, ",")
}
