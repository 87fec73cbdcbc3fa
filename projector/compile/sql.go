package compile

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"freshet/projector/catalog"
)

// ident quotes an identifier.
func ident(name string) string { return pgx.Identifier{name}.Sanitize() }

// idents quotes identifiers and joins them by commas.
func idents(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = ident(n)
	}
	return strings.Join(quoted, ", ")
}

// qualified quotes a relation's name with its schema.
func qualified(n catalog.Name) string { return pgx.Identifier{n.Schema, n.Name}.Sanitize() }

// literal quotes a string constant. Field names are all it is used for: no
// backslash is in them.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// indent moves every line of a statement two columns to the right.
func indent(s string) string {
	return "  " + strings.ReplaceAll(s, "\n", "\n  ")
}

// paren puts a statement or a list into parentheses on lines of its own.
func paren(s string) string { return "(\n" + indent(s) + "\n)" }

// breakMark stands for a line break within the user's own SQL while a
// statement is put together: indenting it would change what is inside of a
// string constant. No SQL can hold it.
const breakMark = "\x00"

// userSQL is an expression of the model file, in parentheses.
func userSQL(sql string) string {
	return "(" + strings.ReplaceAll(sql, "\n", breakMark) + ")"
}

// finish makes a statement ready to run.
func finish(sql string) string { return strings.ReplaceAll(sql, breakMark, "\n") }

// where writes the conditions of a WHERE clause, or nothing.
func where(conds ...string) string {
	conds = slices.DeleteFunc(conds, func(c string) bool { return c == "" })
	if len(conds) == 0 {
		return ""
	}
	return "\nWHERE " + strings.Join(conds, "\n  AND ")
}

// list writes the items one a line.
func list(items []string) string { return strings.Join(items, ",\n") }

// param is a statement's parameter.
func param(n int) string { return "$" + strconv.Itoa(n) }

// maxName is Postgres' limit for identifiers, in bytes.
const maxName = 63

// shortName joins parts to an identifier of at most 63 bytes. What is longer
// is cut and told apart by a hash of the whole.
func shortName(parts ...string) string {
	name := strings.Join(parts, "_")
	if len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	tail := "_" + hex.EncodeToString(sum[:4])
	return strings.ToValidUTF8(name[:maxName-len(tail)], "") + tail
}
