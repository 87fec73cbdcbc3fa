package compile

import (
	"slices"
	"strings"

	"freshet/model"
)

// patch gives the path its Patch where it has one.
//
// It is right wherever all that leads from the document to the changed row
// begins with one and the same field: whatever the change alters is in that
// field, or in an index column whose path begins with it. Only an embedded
// object is worth it: a list or an aggregate costs about what its document does.
func (b *planBuilder) patch(p *pathBuilder) {
	if p.path.Direct || len(p.tops) != 1 {
		return
	}
	f := p.tops[0]
	if f.Kind != model.Relates || f.Relation.ToMany() {
		return
	}
	if b.patches[f] == "" {
		b.patches[f] = b.patchOf(p.path.Model, f)
	}
	p.path.Field, p.path.Patch = f.Name, b.patches[f]
}

// patchOf is the statement that evaluates one field anew. Columns that another
// field is behind stay as they are stored, in step with that field.
func (k *compiler) patchOf(rm *ReadModel, f *model.Field) string {
	items := rm.Type.Document().Items
	item := items[slices.IndexFunc(items, func(i model.SelectionItem) bool { return i.Field == f })]
	g := &generator{compiler: k}
	root := g.root(k.objects[rm.Type])
	d := &definition{key: rm.Key, table: qualified(rm.Table)}
	d.data = wrapObject([]string{literal(f.Name) + ", " + g.field(root, item)})
	d.columns = g.typedColumns(root, f)
	d.from, d.exact = g.from(root), g.hasJSON
	return finish(d.patch(f.Name))
}

// patch puts the one field of the documents into what is stored. It merges two
// objects rather than call jsonb_set, which makes the whole document NULL where
// the new value is NULL. The field is needed twice and evaluated once: that is
// what MATERIALIZED is for.
func (d *definition) patch(field string) string {
	sets := []string{`"data" = s."data" || d."data"`}
	for _, c := range d.columns {
		sets = append(sets, ident(c.Column)+" = d."+ident(c.Column))
	}
	sets = append(sets, `"freshet_lsn" = $2::pg_lsn`, `"freshet_time" = $3::timestamptz`)
	part := " -> " + literal(field) + ")"
	differs := append([]string{d.jsonDiffers(`(s."data"`+part, `(d."data"`+part)}, d.columnsDiffer()...)
	ways := "(" + strings.Join(differs, "\n    OR ") + ")"
	return "WITH docs AS MATERIALIZED " + paren(d.chosen()) +
		"\nUPDATE " + d.table + " s\nSET\n" + indent(list(sets)) + "\nFROM docs d" +
		where(d.sameKey("d"), ways) +
		"\nRETURNING 'u'::\"char\" AS op, s." + ident(d.key.Column) + "::text AS key"
}
