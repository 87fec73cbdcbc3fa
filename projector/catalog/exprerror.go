package catalog

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// explain says in plain English why Postgres refused an expression. prefix is
// the length of what came before it in the statement.
func explain(err error, t *Table, prefix int) ExprInfo {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return ExprInfo{Error: err.Error()}
	}
	info := ExprInfo{Error: plain(pg, t) + place(pg, prefix), Hint: remedy(pg, t)}
	if info.Hint == "" {
		info.Hint = pg.Hint
	}
	return info
}

// place says where in the expression the parser stopped.
func place(pg *pgconn.PgError, prefix int) string {
	at := int(pg.Position) - prefix
	if at < 1 || prefix == 0 {
		return ""
	}
	return fmt.Sprintf(" (at character %d)", at)
}

// plain translates what the reader of a model file cannot know: that the
// expression was tried as a generated column.
func plain(pg *pgconn.PgError, t *Table) string {
	switch {
	case tempDenied(pg):
		return "it could not be checked: this role may not create temporary tables"
	case pg.Code == "42501":
		return "it could not be checked: " + pg.Message
	case pg.Code == "25006":
		return "it could not be checked: the server takes no writes (it is a standby, or the session is read-only)"
	case pg.Code == "42P17":
		return "it is not immutable: its value may change while the row does not"
	case pg.Code == "42803":
		return "it uses an aggregate function"
	case pg.Code == "42P20":
		return "it uses a window function"
	case pg.Code == "42P10":
		return "it reads a system column, or the row as a whole"
	case pg.Code == "42P01":
		return "it names a table: " + pg.Message
	case pg.Code == "42703":
		return fmt.Sprintf("%s in %s", pg.Message, t.Name)
	case pg.Code == "0A000" && strings.Contains(pg.Message, "subquery"):
		return "it uses a subquery"
	case pg.Code == "0A000" && strings.Contains(pg.Message, "set-returning"):
		return "it uses a set-returning function"
	}
	return strings.TrimSuffix(pg.Message, " in column generation expression")
}

// remedy is what to do about it, or "".
func remedy(pg *pgconn.PgError, t *Table) string {
	switch {
	case tempDenied(pg):
		return "Let Freshet's role make them: GRANT TEMPORARY ON DATABASE … TO …;"
	case pg.Code == "42501":
		return fmt.Sprintf("Grant what is missing to Freshet's role, for instance GRANT SELECT ON %s TO …;", t.Name)
	case pg.Code == "25006":
		return "Connect to the primary."
	case pg.Code == "42P17":
		return "A document is rebuilt when a row changes, not when time or a setting does. Leave out now() and the like; " +
			"for a date of a timestamptz write (created_at AT TIME ZONE 'UTC')::date; for concat(a, b) write a || b; " +
			"or wrap the expression in a function declared IMMUTABLE, if it truly is."
	case pg.Code == "42803" || pg.Code == "0A000" && strings.Contains(pg.Message, "subquery"):
		return "An expression sees its own row only. For values of other rows use a relation with @aggregate."
	case pg.Code == "42P20", pg.Code == "0A000":
		return "An expression sees its own row only, and yields one value."
	case pg.Code == "42P10":
		return "Name the columns it needs."
	case pg.Code == "42P01":
		return "An expression sees the columns of its own row only: write them without the table's name."
	}
	return ""
}
