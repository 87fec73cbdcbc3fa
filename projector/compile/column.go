package compile

import (
	"slices"
	"strings"

	"freshet/model"
	"freshet/projector/catalog"
)

// typedColumn is a typed column of a tv_ table with its definition.
type typedColumn struct {
	IndexColumn
	sql   string
	place int // among all of the read model's
}

// typedColumns are the columns that the type's indexes are over, each once, in
// the order of the indexes. The key needs none. They are those alone whose
// path begins with a field that is wanted; nil wants all.
func (g *generator) typedColumns(root *node, wanted func(*model.Field) bool) []typedColumn {
	var columns []typedColumn
	place := -1
	seen := map[string]bool{}
	taken := append(slices.Clone(systemColumns), reservedColumns...)
	taken = append(taken, root.object.key.Name)
	for _, index := range root.object.typ.Indexes {
		for _, path := range index.Fields {
			if seen[path.String()] || isKeyPath(root.object, path) {
				continue
			}
			seen[path.String()] = true
			name := freeColumn(g.columnName(path), taken)
			taken = append(taken, name)
			place++
			if wanted == nil || wanted(path.Path[0]) {
				c := g.typedColumn(root, path, name)
				c.place = place
				columns = append(columns, c)
			}
		}
	}
	return columns
}

// typedColumn is the column of that name for a path from the root's row.
func (g *generator) typedColumn(root *node, path model.IndexPath, name string) typedColumn {
	end := g.pathValue(root, path.Path)
	c := typedColumn{sql: end.sql, IndexColumn: IndexColumn{Path: path.String(), Column: name, SQL: castSQL(end.typ), Base: end.typ.Base}}
	if c.SQL == "text" {
		c.Base = "text"
	}
	return c
}

// systemColumns are names that Postgres keeps for itself in every table.
var systemColumns = []string{"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}

// isKeyPath says whether the path is the document's key itself.
func isKeyPath(o *object, path model.IndexPath) bool {
	return len(path.Path) == 1 && path.Path[0] == o.typ.KeyField()
}

// columnName is the snake_case of a path; a relation adds its target's key.
func (g *generator) columnName(path model.IndexPath) string {
	var parts []string
	for _, f := range path.Path {
		parts = append(parts, model.SnakeCase(f.Name))
	}
	if last := path.Path[len(path.Path)-1]; last.Kind == model.Relates {
		parts = append(parts, g.relations[last].target.key.Name)
	}
	return shortName(parts...)
}

// freeColumn lengthens the name until it is not taken.
func freeColumn(name string, taken []string) string {
	for slices.Contains(taken, name) {
		if name += "_"; len(name) > maxName {
			name = shortName(name)
		}
	}
	return name
}

// pathValue is the typed value at the end of a path from the node's row.
func (g *generator) pathValue(n *node, path []*model.Field) value {
	f := path[0]
	switch f.Kind {
	case model.Aggregate:
		var end value
		sql := g.aggregate(n, f, func(v value) string {
			end = typed(v, f.Type.Name)
			return end.sql
		})
		return value{sql: sql, typ: end.typ}
	case model.Relates:
		return g.relatedValue(n, f, path[1:])
	}
	return typed(g.value(n, f), f.Type.Name)
}

// relatedValue is the value at the end of a path through a relation to one
// row; rest is empty for the target's key.
func (g *generator) relatedValue(n *node, f *model.Field, rest []*model.Field) value {
	var needs []string
	target := g.relations[f].target
	switch {
	case len(rest) == 0:
		needs = []string{target.key.Name}
	case len(rest) == 1 && rest[0].Kind == model.Column:
		needs = []string{rest[0].Column}
	}
	child := g.open(n, f, f.Name, needs)
	var end value
	if len(rest) == 0 {
		end = value{sql: child.col(target.key.Name), typ: target.key.Type}
	} else {
		end = g.pathValue(child, rest)
	}
	end.sql = g.one(child, end.sql)
	return end
}

// textual says whether the column's values compare under a collation.
func textual(base string) bool {
	return kind(catalog.Type{Base: base}) == "text" || strings.HasSuffix(base, "citext")
}
