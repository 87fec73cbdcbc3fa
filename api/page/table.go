// Package page turns list queries into SQL: conditions, orders, keyset cursors.
//
// Guarantees: a page is one SQL statement; no value is ever part of its text,
// only of its parameters; the order is total, with the key as the last term;
// and a cursor is honoured only under the order that it was made for. The
// package is pure (no database, no clock, no logger).
package page

import (
	"regexp"

	"github.com/jackc/pgx/v5"
)

// Table is a tv_* table, as far as lists need to know it.
type Table struct {
	Type    string // the GraphQL type
	Schema  string
	Name    string
	Key     *Column
	Columns []*Column
	// Indexes are the columns of each B-tree, in order. The key has its own.
	Indexes [][]*Column
}

// SQL returns the quoted name of the table.
func (t *Table) SQL() string { return pgx.Identifier{t.Schema, t.Name}.Sanitize() }

// Column is a column that can be filtered and, in a B-tree's order, sorted.
type Column struct {
	Path string // "createdAt", "author", "author.username"
	Name string // "created_at"
	Type string // SQL type, with its modifier
	Base string // "uuid", "int4", "timestamptz"
	// NotNull says that the model leaves no room for NULL.
	NotNull bool
}

// SQL returns the quoted name of the column.
func (c *Column) SQL() string { return pgx.Identifier{c.Name}.Sanitize() }

// comparable are the types that parameters are cast to. A type modifier must
// not take part: 'abcdef'::varchar(5) and 1.005::numeric(10,2) are other values.
var comparable = map[string]string{
	"uuid": "uuid", "int2": "int2", "int4": "int4", "int8": "int8", "numeric": "numeric",
	"float4": "float4", "float8": "float8", "bool": "bool", "text": "text", "varchar": "text",
	"bpchar": "bpchar", "timestamptz": "timestamptz", "timestamp": "timestamp", "date": "date",
	"time": "time", "timetz": "timetz", "interval": "interval", "bytea": "bytea",
}

var modifier = regexp.MustCompile(`\([0-9, ]+\)`)

// Cast is the type that values are compared in.
func (c *Column) Cast() string {
	if t, ok := comparable[c.Base]; ok {
		return t
	}
	return modifier.ReplaceAllString(c.Type, "")
}

// Param is the SQL of a text parameter as a value of the column's type.
func (c *Column) Param(placeholder string) string {
	if c.Cast() == "text" {
		return placeholder + "::text"
	}
	return placeholder + "::text::" + c.Cast()
}

// Params is the SQL of a text[] parameter as an array of the column's type.
func (c *Column) Params(placeholder string) string {
	if c.Cast() == "text" {
		return placeholder + "::text[]"
	}
	return placeholder + "::text[]::" + c.Cast() + "[]"
}
