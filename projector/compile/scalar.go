package compile

import (
	"slices"
	"strings"

	"freshet/model"
	"freshet/projector/catalog"
)

// builtin is what is known of a type of Postgres' own.
type builtin struct {
	sql     string   // its name in SQL, without a modifier
	scalars []string // the GraphQL scalars that may stand for it, the usual one first
}

// builtins are the types with scalars of their own, by internal name. Any
// other type is a String of its text output, and enums are enums.
var builtins = map[string]builtin{
	"text":        {"text", []string{"String", "ID"}},
	"varchar":     {"text", []string{"String", "ID"}},
	"bpchar":      {"bpchar", []string{"String"}},
	"name":        {"name", []string{"String"}},
	"uuid":        {"uuid", []string{"UUID", "ID"}},
	"int2":        {"smallint", []string{"Int", "ID"}},
	"int4":        {"integer", []string{"Int", "ID"}},
	"int8":        {"bigint", []string{"BigInt", "ID"}},
	"float4":      {"real", []string{"Float"}},
	"float8":      {"double precision", []string{"Float"}},
	"numeric":     {"numeric", []string{"Decimal"}},
	"bool":        {"boolean", []string{"Boolean"}},
	"timestamptz": {"timestamp with time zone", []string{"DateTime"}},
	"timestamp":   {"timestamp without time zone", []string{"LocalDateTime", "DateTime"}},
	"date":        {"date", []string{"Date"}},
	"time":        {"time without time zone", []string{"Time"}},
	"timetz":      {"time with time zone", []string{"Time"}},
	"interval":    {"interval", []string{"Duration"}},
	"json":        {"json", []string{"JSON"}},
	"jsonb":       {"jsonb", []string{"JSON"}},
	"bytea":       {"bytea", []string{"Bytes"}},
}

// outputs are further types of Postgres' own of which jsonb_build_object takes
// the text output by itself. A cast to text would do otherwise for some: the
// text of an inet has a netmask.
var outputs = []string{
	"inet", "cidr", "macaddr", "macaddr8", "bit", "varbit", "money", "oid", "xml", "pg_lsn", "char",
	"tsvector", "tsquery", "point", "line", "lseg", "box", "path", "polygon", "circle", "jsonpath",
	"int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange",
}

// unordered are the types without a B-tree.
var unordered = []string{"json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle", "jsonpath", "txid_snapshot", "pg_snapshot", "aclitem"}

// extremes are the types of Postgres' own that it has min and max for. A uuid
// or a boolean has none.
var extremes = []string{
	"int2", "int4", "int8", "float4", "float8", "numeric", "text", "varchar", "bpchar", "name",
	"date", "time", "timetz", "timestamp", "timestamptz", "interval", "money", "oid", "inet", "cidr", "pg_lsn", "citext",
}

func isEnum(t catalog.Type) bool { return t.Category == 'E' }

// sortable says whether values of the type have a B-tree order.
func sortable(t catalog.Type) bool { return !t.Array && !slices.Contains(unordered, t.Base) }

// hasExtremes says whether Postgres has min and max for the type.
func hasExtremes(t catalog.Type) bool {
	return !t.Array && (isEnum(t) || slices.Contains(extremes, t.Base))
}

// scalarsFor returns the GraphQL types that may stand for a column type, the
// usual one first.
func scalarsFor(t catalog.Type) []string {
	if b, ok := builtins[t.Base]; ok {
		return b.scalars
	}
	return []string{"String"}
}

// castSQL is the type's name for casts and tv_ columns: without a modifier, so
// that no cast cuts a value, and without domains of Postgres' own types.
func castSQL(t catalog.Type) string {
	b, ok := builtins[t.Base]
	switch {
	case !ok:
		return t.SQL
	case t.Array:
		return b.sql + "[]"
	}
	return b.sql
}

// identical says whether equal values of the two columns are the same text, so
// that one may stand for the other.
func identical(a, b *catalog.Column) bool {
	if a.Type.Array || b.Type.Array || !a.Deterministic || !b.Deterministic {
		return false
	}
	return sameText[a.Type.Base] != "" && sameText[a.Type.Base] == sameText[b.Type.Base] ||
		isEnum(a.Type) && castSQL(a.Type) == castSQL(b.Type)
}

// sameText groups types of which equal values have the same text output.
// Absent are those with several texts of one value, such as numeric.
var sameText = map[string]string{
	"int2": "int", "int4": "int", "int8": "int", "text": "text", "varchar": "text",
	"uuid": "uuid", "date": "date", "bool": "bool", "timestamp": "timestamp", "timestamptz": "timestamptz",
}

// matchable says whether values of one column can equal those of the other.
func matchable(a, b *catalog.Column) bool {
	return kind(a.Type) == kind(b.Type) && a.Type.Array == b.Type.Array
}

func kind(t catalog.Type) string {
	switch t.Base {
	case "int2", "int4", "int8", "numeric", "float4", "float8":
		return "number"
	case "text", "varchar", "bpchar", "name", "citext":
		return "text"
	case "timestamp", "timestamptz", "date":
		return "time"
	}
	return t.Base
}

// textArray is a parameter, an array of texts, as an array of the type.
func textArray(n int, sqlType string) string {
	if sqlType == "text" {
		return param(n) + "::text[]"
	}
	return param(n) + "::text[]::" + sqlType + "[]"
}

// value is an SQL expression and its type.
type value struct {
	sql           string
	typ           catalog.Type
	deterministic bool // equal values are the same bytes as far as its collation goes
	finite        bool // of a float: neither NaN nor infinity
}

// severalTexts says whether equal values of it may have different text outputs.
func (v value) severalTexts() bool {
	switch v.typ.Base {
	case "numeric":
		return !strings.Contains(v.typ.SQL, ",") // a fixed scale has one text
	case "interval":
		return true
	}
	_, known := builtins[v.typ.Base]
	return !v.deterministic || !known && !isEnum(v.typ) && !slices.Contains(outputs, v.typ.Base)
}

// encode makes the value what a document holds of it as that GraphQL type.
func encode(v value, ref model.TypeRef) string {
	if !v.typ.Array {
		return encodeOne(v, ref.Name)
	}
	elem := value{sql: "e.v", typ: v.typ, deterministic: v.deterministic}
	elem.typ.Array = false
	// unnest flattens several dimensions in the order that they are stored in.
	return "CASE WHEN " + v.sql + " IS NOT NULL THEN COALESCE((\n" +
		indent("SELECT jsonb_agg("+encodeOne(elem, ref.Name)+" ORDER BY e.n)\nFROM unnest("+v.sql+") WITH ORDINALITY AS e(v, n)") +
		"\n), '[]') END"
}

func encodeOne(v value, name string) string {
	t := v.typ
	_, known := builtins[t.Base]
	switch {
	case name == "BigInt", name == "Decimal", name == "ID" && kind(t) == "number", isEnum(t):
		return v.sql + "::text"
	case name == "Bytes":
		return "translate(encode(" + v.sql + ", 'base64'), E'\\n', '')"
	case name == "Float", name == "DateTime":
		return typed(v, name).sql
	case !known && !slices.Contains(outputs, t.Base):
		return v.sql + "::text"
	}
	return v.sql
}

// typed makes the value what a tv_ column holds of it as that GraphQL type: in
// a type of its own, but with the same idea of what is null and of time.
func typed(v value, name string) value {
	switch {
	case name == "Float" && isFloat(v.typ) && !v.finite:
		// Neither NaN, which is greater than all, nor infinity is below infinity.
		v.sql = "CASE WHEN abs(" + v.sql + ") < 'Infinity' THEN " + v.sql + " END"
	case name == "DateTime" && v.typ.Base == "timestamp":
		v.sql = "(" + v.sql + " AT TIME ZONE 'UTC')"
		v.typ = plainType("timestamptz")
	}
	return v
}

// plainType is one of the builtins, by internal name.
func plainType(base string) catalog.Type {
	return catalog.Type{SQL: builtins[base].sql, Base: base}
}
