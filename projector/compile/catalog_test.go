package compile

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver/pgtest"
	"freshet/model"
	"freshet/projector/catalog"
)

// A catalog file holds one JSON object a line behind what it is: a table, and
// below it its columns, indexes and foreign keys; then the expressions. What
// differs between two databases with the same schema is left out.

type tableLine struct {
	Names []model.TableName
	Table catalog.Table
}

type exprLine struct {
	Expr catalog.Expr
	Info catalog.ExprInfo
}

// scratch is what Postgres' hints name the table of an expression.
var scratch = regexp.MustCompile(`freshet_scratch_\d+\.`)

// writeCatalog is the text of a catalog.
func writeCatalog(c *catalog.Catalog) string {
	names := map[*catalog.Table][]model.TableName{}
	for n, t := range c.Resolved {
		names[t] = append(names[t], n)
	}
	var tables []*catalog.Table
	for t, ns := range names {
		tables = append(tables, t)
		slices.SortFunc(ns, func(a, b model.TableName) int { return strings.Compare(a.String(), b.String()) })
	}
	slices.SortFunc(tables, func(a, b *catalog.Table) int { return strings.Compare(a.Name.String(), b.Name.String()) })
	var b bytes.Buffer
	line := func(kind string, v any) {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(&b, "%s %s\n", kind, text)
	}
	for _, t := range tables {
		head := *t
		head.OID, head.Owner, head.Rows, head.Columns, head.Indexes, head.ForeignKeys = 0, "", -1, nil, nil, nil
		line("table", tableLine{names[t], head})
		for _, col := range t.Columns {
			shown := *col
			shown.Type.OID = 0
			line("column", shown)
		}
		for _, i := range t.Indexes {
			line("index", i)
		}
		for _, fk := range t.ForeignKeys {
			line("key", fk)
		}
	}
	var exprs []exprLine
	for e, info := range c.Exprs {
		info.Type.OID = 0
		info.Hint = scratch.ReplaceAllString(info.Hint, "")
		exprs = append(exprs, exprLine{e, info})
	}
	slices.SortFunc(exprs, func(a, b exprLine) int {
		return strings.Compare(fmt.Sprint(a.Expr), fmt.Sprint(b.Expr))
	})
	for _, e := range exprs {
		line("expr", e)
	}
	return b.String()
}

// readCatalog reads testdata/name/catalog.jsonl.
func readCatalog(t *testing.T, name string) *catalog.Catalog {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name, "catalog.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	c := &catalog.Catalog{Resolved: map[model.TableName]*catalog.Table{}, Exprs: map[catalog.Expr]catalog.ExprInfo{}}
	var table *catalog.Table
	for l := range strings.Lines(string(text)) {
		kind, object, _ := strings.Cut(l, " ")
		into := func(v any) {
			if err := json.Unmarshal([]byte(object), v); err != nil {
				t.Fatalf("%s: %v", l, err)
			}
		}
		switch kind {
		case "table":
			var line tableLine
			into(&line)
			table = &line.Table
			for _, n := range line.Names {
				c.Resolved[n] = table
			}
		case "column":
			table.Columns = append(table.Columns, &catalog.Column{})
			into(table.Columns[len(table.Columns)-1])
		case "index":
			table.Indexes = append(table.Indexes, &catalog.Index{})
			into(table.Indexes[len(table.Indexes)-1])
		case "key":
			table.ForeignKeys = append(table.ForeignKeys, &catalog.ForeignKey{})
			into(table.ForeignKeys[len(table.ForeignKeys)-1])
		case "expr":
			var line exprLine
			into(&line)
			c.Exprs[line.Expr] = line.Info
		}
	}
	return c
}

// openSchema loads testdata/name/schema.sql into a database of its own and
// returns a connection set up as those of the projector.
func openSchema(t *testing.T, name string) *pgx.Conn {
	t.Helper()
	schema, err := os.ReadFile(filepath.Join("testdata", name, "schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	url := pgtest.Database(t)
	pgtest.Exec(t, url, string(schema))
	conn := pgtest.Connect(t, url)
	exec(t, conn, `SET TimeZone = 'UTC'; SET intervalstyle = 'iso_8601'; SET datestyle = 'ISO';
		SET extra_float_digits = 1; SET bytea_output = 'hex'; SET jit = off`)
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, sql string, args ...any) int64 {
	t.Helper()
	tag, err := conn.Exec(context.Background(), sql, args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	return tag.RowsAffected()
}

// TestCatalogs holds the catalogs of the pure tests against what a real
// Postgres says of the schemas next to them.
func TestCatalogs(t *testing.T) {
	for _, name := range []string{"blog", "everything", "bad", "warnings", "store", "subject"} {
		t.Run(name, func(t *testing.T) {
			c, err := catalog.Load(context.Background(), openSchema(t, name), Request(parseModel(t, name)))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, writeCatalog(c), name, "catalog.jsonl")
		})
	}
}
