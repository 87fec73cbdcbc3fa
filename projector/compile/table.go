package compile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"freshet/model"
	"freshet/projector/catalog"
)

// bindTables finds the table of every type and refuses those that cannot be
// followed by their changes.
func (k *compiler) bindTables() {
	for _, t := range k.model.Types {
		if table := k.table(t.Table, t.TablePos); table != nil {
			k.objects[t] = &object{typ: t, table: table}
		}
	}
}

// table returns a usable table, or nil after reporting why it is not.
func (k *compiler) table(name model.TableName, pos model.Pos) *catalog.Table {
	t := k.catalog.Resolved[name]
	if t == nil {
		k.ds.Errorf(pos, k.tableRemedy(name), "the table %s does not exist", name)
		return nil
	}
	message, remedy := refuse(t)
	if message == "" {
		return t
	}
	k.ds.Errorf(pos, remedy, "%s %s", t.Name, message)
	return nil
}

func (k *compiler) tableRemedy(name model.TableName) string {
	var others []string
	for n := range k.catalog.Resolved {
		others = append(others, n.String())
	}
	if near := nearest(name.String(), others); near != "" {
		return fmt.Sprintf("Did you mean %s?", near)
	}
	if name.Schema == "" {
		return "Check its name; where its schema is not on the search path, name it: @table(schema: …)."
	}
	return "Check its name and its schema, and that Freshet's role may use the schema."
}

// refuse says why the changes of a relation cannot be followed, and what to do.
func refuse(t *catalog.Table) (message, remedy string) {
	switch t.Kind {
	case 'r', 'p':
	case 'v', 'm':
		return "is a view: its changes are not in the write-ahead log", "Name the tables behind it."
	case 'f':
		return "is a foreign table: its changes are in another server's write-ahead log", "Run Freshet on that server."
	default:
		return "is not a table", "Name a table."
	}
	table := qualified(t.Name)
	switch {
	case t.Persistence == 'u':
		return "is unlogged: its changes are not in the write-ahead log", "ALTER TABLE " + table + " SET LOGGED;"
	case t.Persistence == 't':
		return "is a temporary table", "Name a permanent one."
	case t.Partition:
		return "is a partition of another table", "Name the partitioned table at the root."
	case t.HasChildren:
		return "has tables that inherit from it: their rows would be read, but their changes not seen", "Make it a partitioned table, or end the inheritance."
	}
	return "", ""
}

// column returns a column of the table, or nil after reporting that there is
// none.
func (k *compiler) column(t *catalog.Table, name string, pos model.Pos) *catalog.Column {
	if c := t.Column(name); c != nil {
		return c
	}
	names := columnNames(t)
	remedy := "Its columns are " + strings.Join(names, ", ") + "."
	if near := nearest(name, names); near != "" {
		remedy = fmt.Sprintf("Did you mean %s?", near)
	} else if len(names) > 20 {
		remedy = "Name its column by @column(name: …)."
	}
	k.ds.Errorf(pos, remedy, "%s has no column %s", t.Name, name)
	return nil
}

func columnNames(t *catalog.Table) []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return names
}

// notNull says whether the column can hold no NULL.
func notNull(c *catalog.Column) bool { return c.NotNull || c.Type.DomainNotNull }

// uniqueOn says whether a unique index makes rows differ in some of the
// columns: at most one row has given values in all of them.
func uniqueOn(t *catalog.Table, columns []string) bool {
	return slices.ContainsFunc(t.Indexes, func(i *catalog.Index) bool {
		return isUnique(i) && subset(i.Columns, columns)
	})
}

// isUnique says whether the index is unique over plain columns of all rows.
func isUnique(i *catalog.Index) bool {
	return i.Unique && !i.Partial && !slices.Contains(i.Columns, "")
}

// rowKey returns the columns that tell any two rows of the table apart: of its
// primary key, else of its narrowest unique index over not-null columns; nil
// where it has neither.
func rowKey(t *catalog.Table) []string {
	if pk := t.PrimaryKey(); pk != nil {
		return pk
	}
	var best []string
	for _, i := range t.Indexes {
		if isUnique(i) && i.Immediate && allNotNull(t, i.Columns) && (best == nil || len(i.Columns) < len(best)) {
			best = i.Columns
		}
	}
	return best
}

func allNotNull(t *catalog.Table, columns []string) bool {
	return !slices.ContainsFunc(columns, func(name string) bool {
		c := t.Column(name)
		return c == nil || !notNull(c)
	})
}

// subset says whether every item of a is in b.
func subset(a, b []string) bool {
	return !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}

// sameSet says whether a and b hold the same items.
func sameSet(a, b []string) bool { return len(a) == len(b) && subset(a, b) && subset(b, a) }

// nearest returns the candidate that name is most likely a slip of, or "".
func nearest(name string, candidates []string) string {
	slices.Sort(candidates)
	best, bestDistance := "", max(2, len(name)/3)+1
	for _, c := range candidates {
		if d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}
