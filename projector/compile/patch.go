package compile

import (
	"strconv"
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
		b.patches[f] = b.patchOf(p.path.Model, func(top *model.Field) bool { return top == f })
	}
	p.path.Field, p.path.Patch = f.Name, b.patches[f]
}

// patchOf is the statement that evaluates the wanted fields anew. Columns that
// other fields are behind stay as they are stored, in step with those fields.
func (k *compiler) patchOf(rm *ReadModel, wanted func(*model.Field) bool) string {
	g := &generator{compiler: k}
	root := g.root(k.objects[rm.Type])
	d := &definition{key: rm.Key, table: qualified(rm.Table)}
	sel := &model.Selection{}
	for _, item := range rm.Type.Document().Items {
		if wanted(item.Field) {
			sel.Items = append(sel.Items, item)
		}
	}
	d.data = g.document(root, sel)
	d.columns = g.typedColumns(root, wanted)
	d.from, d.exact = g.from(root), g.hasJSON
	return finish(d.patch(sel.Items))
}

// patch puts the fields of the documents into what is stored. It merges two
// objects rather than call jsonb_set, which makes the whole document NULL where
// the new value is NULL. What is needed several times is evaluated once: that is
// what MATERIALIZED is for, and the empty object makes of a document that is
// stored compressed one that is not. The row is found again by where it is.
func (d *definition) patch(fields []model.SelectionItem) string {
	row, stored := d.free("freshet_row"), d.free("freshet_data")
	items := []string{"s.ctid AS " + ident(row), `s."data" || '{}' AS ` + ident(stored)}
	sets := []string{`"data" = d.` + ident(stored) + ` || d."data"`}
	var ways []string
	for _, f := range fields {
		part := " -> " + literal(f.Field.Name) + ")"
		ways = append(ways, d.fieldDiffers(f.Field, "(d."+ident(stored)+part, `(d."data"`+part))
	}
	for _, c := range d.columns {
		items = append(items, "s."+ident(c.Column)+" AS "+ident(d.stored(c)))
		sets = append(sets, ident(c.Column)+" = d."+ident(c.Column))
		ways = append(ways, d.moves(c, "d."+ident(d.stored(c))))
	}
	sets = append(sets, `"freshet_lsn" = $2::pg_lsn`, `"freshet_time" = $3::timestamptz`)
	items = append(items, d.data+` AS "data"`)
	for _, c := range d.columns {
		items = append(items, c.sql+" AS "+ident(c.Column))
	}
	docs := "SELECT\n" + indent(list(items)) + "\nFROM " + d.from + "\nJOIN " + d.table + " s ON " + d.sameKey("r0") +
		where(d.rootKey()+" = ANY("+d.keys(1)+")")
	moved := d.moved(func(c typedColumn) string { return "d." + ident(d.stored(c)) })
	return "WITH docs AS MATERIALIZED " + paren(docs) +
		"\nUPDATE " + d.table + " s\nSET\n" + indent(list(sets)) + "\nFROM docs d" +
		where("s.ctid = d."+ident(row), "("+strings.Join(ways, "\n    OR ")+")") +
		"\nRETURNING 'u'::\"char\" AS op, s." + ident(d.key.Column) + "::text AS key, " + moved + " AS moved"
}

// stored is the name under which a patch has a column as it is stored.
func (d *definition) stored(c typedColumn) string { return d.free("freshet_" + strconv.Itoa(c.place)) }

// fieldDiffers compares a field as it is stored with itself as it is defined.
func (d *definition) fieldDiffers(f *model.Field, stored, defined string) string {
	if scalar := f.Kind == model.Column || f.Kind == model.Computed; scalar && f.Type.Name != "JSON" {
		return stored + " IS DISTINCT FROM " + defined
	}
	return d.jsonDiffers(stored, defined)
}
