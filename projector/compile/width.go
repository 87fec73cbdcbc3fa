package compile

import (
	"regexp"
	"slices"
	"strconv"

	"freshet/projector/catalog"
)

// maxIndexRow is how wide the columns of a new index may be together, in bytes.
// Postgres refuses a row whose index entry, with 8 bytes of its own, has more
// than 2,704.
const maxIndexRow = 2600

// fixed are the types of Postgres' own with a B-tree whose values have few
// bytes, whatever they are, and how many at most.
var fixed = map[string]int{
	"bool": 1, "char": 1, "int2": 2, "int4": 4, "int8": 8, "float4": 4, "float8": 8, "oid": 4, "money": 8, "pg_lsn": 8,
	"uuid": 16, "date": 4, "time": 8, "timetz": 12, "timestamp": 8, "timestamptz": 8, "interval": 16,
	"name": 64, "macaddr": 6, "macaddr8": 8, "inet": 22, "cidr": 22,
	"int4range": 32, "int8range": 32, "daterange": 32, "tsrange": 32, "tstzrange": 32,
}

// limited finds the limit of a type that has one: a length, or a precision. A
// domain has a name of its own there, and so none that could be read.
var limited = regexp.MustCompile(`^(?:character varying|character|bit|bit varying|numeric)\((\d{1,9})(?:,-?\d+)?\)$`)

// maxWidth returns how many bytes a value of the type takes in an index at
// most, and false where the type does not say, or has no B-tree order.
func maxWidth(t catalog.Type) (bytes int, bounded bool) {
	if t.Array {
		return 0, false
	}
	if n, ok := fixed[t.Base]; ok {
		return aligned(n), true
	}
	if isEnum(t) {
		return aligned(4), true
	}
	// The name of a type tells it only where it is Postgres' own.
	m := limited.FindStringSubmatch(t.SQL)
	if m == nil || !slices.Contains([]string{"varchar", "bpchar", "bit", "varbit", "numeric"}, t.Base) {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0, false
	}
	return aligned(limitedWidth(t.Base, n)), true
}

// limitedWidth is the width of a value of a limited type, with its header.
func limitedWidth(base string, limit int) int {
	switch base {
	case "numeric": // two bytes for four digits, and some before them
		return 16 + (limit+3)/4*2
	case "bit", "varbit":
		return 8 + (limit+7)/8
	}
	return 4 + 4*limit // a character has four bytes at most
}

// aligned adds what may be left free so that the next column begins where it
// must.
func aligned(bytes int) int { return (bytes + 7) / 8 * 8 }
