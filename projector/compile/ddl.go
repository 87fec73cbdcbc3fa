package compile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"freshet/model"
	"freshet/projector/catalog"
)

// checkTargets refuses tv_ tables that would get in each other's way, or in
// that of a source table.
func (k *compiler) checkTargets() {
	taken := map[catalog.Name]string{}
	for _, t := range k.catalog.Resolved {
		taken[t.Name] = "a source table of the model"
	}
	for _, t := range k.model.Types {
		o := k.objects[t]
		if o == nil || !t.Stored {
			continue
		}
		name := target(o)
		if len(name.Name) > maxName {
			k.ds.Errorf(t.Pos, "Shorten the type's name.", "the table of %s would be named %s, which is longer than %d bytes", t.Name, name.Name, maxName)
		}
		if other := taken[name]; other != "" {
			k.ds.Errorf(t.Pos, "Rename the type.", "the table of %s would be named %s, which is %s", t.Name, name, other)
		}
		taken[name] = "the table of " + t.Name
	}
}

// target is the name of a stored type's tv_ table.
func target(o *object) catalog.Name {
	return catalog.Name{Schema: o.table.Name.Schema, Name: "tv_" + model.SnakeCase(o.typ.Name)}
}

// createTable is the DDL of the read model's table. Its rows are updated much
// more than inserted, mostly without a change in an indexed column: room in each
// page lets such an update leave the indexes alone.
func (d *definition) createTable() string {
	lines := []string{ident(d.key.Column) + " " + d.key.SQL + " PRIMARY KEY", `"data" jsonb NOT NULL`}
	for _, c := range d.columns {
		lines = append(lines, ident(c.Column)+" "+c.SQL)
	}
	lines = append(lines, `"freshet_lsn" pg_lsn NOT NULL`, `"freshet_time" timestamptz NOT NULL`)
	return "CREATE TABLE IF NOT EXISTS " + d.table + " " + paren(list(lines)) + " WITH (fillfactor = 80)"
}

// indexes is the DDL of the secondary indexes, in the order of the model file.
// A lookup's index is over its column alone, and left out where another begins
// with it; every other ends with the key, for keyset pagination.
func (d *definition) indexes(o *object, table catalog.Name) []IndexDDL {
	var out []IndexDDL
	var lists, all [][]string
	for _, index := range o.typ.Indexes {
		if !index.GIN && index.Lookup == nil {
			all = append(all, d.indexColumns(o, index))
		}
	}
	for _, index := range o.typ.Indexes {
		if index.GIN {
			name := shortName(table.Name, "data_idx")
			out = append(out, IndexDDL{name, fmt.Sprintf("CREATE INDEX CONCURRENTLY IF NOT EXISTS %s ON %s USING gin (\"data\" jsonb_path_ops)", ident(name), d.table)})
			continue
		}
		columns := d.indexColumns(o, index)
		begins := func(other []string) bool { return len(other) > 1 && other[0] == columns[0] }
		if index.Lookup != nil && slices.ContainsFunc(all, begins) || len(columns) == 1 && columns[0] == d.key.Column ||
			slices.ContainsFunc(lists, func(other []string) bool { return slices.Equal(other, columns) }) {
			continue
		}
		lists = append(lists, columns)
		out = append(out, d.btree(table, columns))
	}
	return out
}

func (d *definition) btree(table catalog.Name, columns []string) IndexDDL {
	name := shortName(table.Name, strings.Join(columns, "_"), "idx")
	return IndexDDL{name, fmt.Sprintf("CREATE INDEX CONCURRENTLY IF NOT EXISTS %s ON %s (%s)", ident(name), d.table, idents(columns))}
}

// indexColumns are the tv_ columns of a B-tree. Nothing behind the key in it
// would matter.
func (d *definition) indexColumns(o *object, index *model.Index) []string {
	var columns []string
	for _, path := range index.Fields {
		if isKeyPath(o, path) {
			return append(columns, d.key.Column)
		}
		i := slices.IndexFunc(d.columns, func(c typedColumn) bool { return c.Path == path.String() })
		columns = append(columns, d.columns[i].Column)
	}
	if index.Lookup != nil {
		return columns
	}
	return append(columns, d.key.Column)
}

// layout is what an API needs to know of the table.
func (d *definition) layout(o *object, table catalog.Name) Layout {
	l := Layout{
		Type: o.typ.Name, Schema: table.Schema, Table: table.Name,
		Key: LayoutColumn{Path: o.typ.KeyField().Name, Column: d.key.Column, SQL: d.key.SQL, Base: d.key.Base},
	}
	for _, c := range d.columns {
		l.Columns = append(l.Columns, LayoutColumn(c.IndexColumn))
	}
	return l
}

// hash tells read models apart whose documents, table or indexes differ.
func hash(rm *ReadModel) string {
	h := sha256.New()
	for _, part := range []string{rm.Documents, rm.CreateTable} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	for _, i := range rm.Indexes {
		fmt.Fprintf(h, "%d:%s", len(i.SQL), i.SQL)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
