package compile

import (
	"fmt"
	"strings"
)

// definition is what a read model's statements are made of.
type definition struct {
	key     KeyColumn
	columns []typedColumn
	table   string // the tv_ table, quoted
	root    string // the source's rows that have documents, as r0
	from    string // the same with what data and columns need
	data    string
	exact   bool // compare data as text: some JSON in it can be equal and yet differ
}

// keys is the array of text keys in a parameter, in the key's type.
func (d *definition) keys(n int) string { return textArray(n, keyCasts[d.key.Base]) }

// rootKey is the source's key column.
func (d *definition) rootKey() string { return "r0." + ident(d.key.Column) }

// collate makes both sides of a comparison agree on a collation: the source's
// column may have one of its own, the tv_ table's has the default.
func collate(base string) string {
	if textual(base) {
		return ` COLLATE "default"`
	}
	return ""
}

// selection writes SELECT … FROM … of the documents with the key as given.
func (d *definition) selection(key string, conds ...string) string {
	items := []string{key, d.data + ` AS "data"`}
	for _, c := range d.columns {
		items = append(items, c.sql+" AS "+ident(c.Column))
	}
	return "SELECT\n" + indent(list(items)) + "\nFROM " + d.from + where(conds...)
}

// chosen is the selection for the keys in $1, with the key in its own type.
func (d *definition) chosen() string {
	return d.selection(d.rootKey()+" AS "+ident(d.key.Column), d.rootKey()+" = ANY("+d.keys(1)+")")
}

func (d *definition) documents() string {
	return d.selection(d.rootKey()+"::text AS key", d.rootKey()+" = ANY("+d.keys(1)+")")
}

// names are the tv_ table's columns but for the stamps.
func (d *definition) names() []string {
	names := []string{d.key.Column, "data"}
	for _, c := range d.columns {
		names = append(names, c.Column)
	}
	return names
}

// prefixed are the names as columns of an alias.
func (d *definition) prefixed(alias string) string {
	var refs []string
	for _, n := range d.names() {
		refs = append(refs, alias+"."+ident(n))
	}
	return strings.Join(refs, ", ")
}

// insert begins an INSERT into the tv_ table.
func (d *definition) insert() string {
	return "INSERT INTO " + d.table + " (" + idents(append(d.names(), "freshet_lsn", "freshet_time")) + ")"
}

// onConflict ends it: what is there is overwritten.
func (d *definition) onConflict() string {
	var sets []string
	for _, n := range append(d.names()[1:], "freshet_lsn", "freshet_time") {
		sets = append(sets, ident(n)+" = EXCLUDED."+ident(n))
	}
	return "ON CONFLICT (" + ident(d.key.Column) + ") DO UPDATE SET\n" + indent(list(sets))
}

// sameKey compares the stored row's key, as s, with another.
func (d *definition) sameKey(other string) string {
	return "s." + ident(d.key.Column) + " = " + other + "." + ident(d.key.Column) + collate(d.key.Base)
}

// dataDiffers compares the stored document, as s, with the defined one, as d.
//
// Equal jsonb is the same bytes but for numbers: 1.0 equals 1.00. Numbers in a
// document come from integers, counts and floats, which have one text each,
// or from JSON columns: only these need the slower comparison as text.
func (d *definition) dataDiffers() string { return d.jsonDiffers(`s."data"`, `d."data"`) }

func (d *definition) jsonDiffers(stored, defined string) string {
	if d.exact {
		return stored + "::text IS DISTINCT FROM " + defined + "::text"
	}
	return stored + " IS DISTINCT FROM " + defined
}

// differs are the ways in which a stored row, as s, differs from its
// definition, as d.
func (d *definition) differs() string {
	return strings.Join(append([]string{d.dataDiffers()}, d.columnsDiffer()...), "\n   OR ")
}

func (d *definition) columnsDiffer() []string {
	var ways []string
	for _, c := range d.columns {
		ways = append(ways, d.moves(c, "s."+ident(c.Column)))
	}
	return ways
}

// moves says whether a column, as it is stored, differs from its definition.
func (d *definition) moves(c typedColumn, stored string) string {
	return stored + " IS DISTINCT FROM d." + ident(c.Column) + collate(c.Base)
}

// maxMoved is how many columns a bigint tells of.
const maxMoved = 62

// moved is a bigint with a bit for each column that differs, by its place; -1
// where the read model has too many. The columns as they are stored are given.
func (d *definition) moved(stored func(typedColumn) string) string {
	var terms []string
	for _, c := range d.columns {
		if c.place >= maxMoved {
			return "(-1)::bigint"
		}
		terms = append(terms, fmt.Sprintf("CASE WHEN %s THEN %d ELSE 0 END", d.moves(c, stored(c)), int64(1)<<c.place))
	}
	if len(terms) == 0 {
		return "0::bigint"
	}
	return paren(strings.Join(terms, "\n+ ")) + "::bigint"
}

// free is a name that none of the tv_ table's columns has.
func (d *definition) free(name string) string { return freeColumn(name, d.names()) }

// apply looks each stored row up by its key, and writes it where it was found.
// It removes by NOT IN rather than NOT EXISTS: keys are never NULL, and a hash
// over them is sure to be the plan however few keys a cached plan expects.
func (d *definition) apply() string {
	key, row, moved := ident(d.key.Column), ident(d.free("freshet_row")), ident(d.free("freshet_moved"))
	bits := d.moved(func(c typedColumn) string { return "s." + ident(c.Column) })
	changed := "SELECT d.*, s.ctid AS " + row + ", " + bits + " AS " + moved + "\nFROM docs d\nLEFT JOIN " + d.table + " s ON " + d.sameKey("d") +
		"\nWHERE s." + key + " IS NULL\n   OR " + d.differs()
	inserted := d.insert() + "\nSELECT " + d.prefixed("c") + ", $2::pg_lsn, $3::timestamptz\nFROM changed c" + where("c."+row+" IS NULL") + "\n" + d.onConflict()
	var sets []string
	for _, n := range d.names()[1:] {
		sets = append(sets, ident(n)+" = c."+ident(n))
	}
	sets = append(sets, `"freshet_lsn" = $2::pg_lsn`, `"freshet_time" = $3::timestamptz`)
	updated := "UPDATE " + d.table + " s\nSET\n" + indent(list(sets)) + "\nFROM changed c" + where("s.ctid = c."+row)
	gone := "SELECT k.key\nFROM unnest(" + d.keys(1) + ") AS k (key)" + where("k.key NOT IN (SELECT d."+key+collate(d.key.Base)+" FROM docs d)")
	removed := "DELETE FROM " + d.table + " s\nUSING " + paren(gone) + " g" + where("s."+key+" = g.key") + "\nRETURNING s." + key
	return "WITH docs AS MATERIALIZED " + paren(d.chosen()) +
		", changed AS MATERIALIZED " + paren(changed) +
		", inserted AS " + paren(inserted) +
		", updated AS " + paren(updated) +
		", removed AS " + paren(removed) +
		"\nSELECT (CASE WHEN c." + row + " IS NULL THEN 'i' ELSE 'u' END)::\"char\" AS op, c." + key + "::text AS key, c." + moved + " AS moved\nFROM changed c" +
		"\nUNION ALL\nSELECT 'd'::\"char\", x." + key + "::text, 0::bigint\nFROM removed x"
}

func (d *definition) fill() string {
	cast := keyCasts[d.key.Base]
	items := []string{d.rootKey(), d.data}
	for _, c := range d.columns {
		items = append(items, c.sql)
	}
	items = append(items, "$3::pg_lsn", "$4::timestamptz")
	return d.insert() + "\nSELECT\n" + indent(list(items)) + "\nFROM " + d.from +
		where("($1::text IS NULL OR "+d.rootKey()+" > $1::text::"+cast+")", "($2::text IS NULL OR "+d.rootKey()+" <= $2::text::"+cast+")") +
		"\n" + d.onConflict()
}

func (d *definition) bounds() string {
	key := ident(d.key.Column)
	return "SELECT b." + key + "::text AS key\nFROM " +
		paren("SELECT r0."+key+", row_number() OVER (ORDER BY r0."+key+") AS freshet_number\nFROM "+d.root) +
		" b\nWHERE b.freshet_number % $1::bigint = 0\nORDER BY b." + key
}

func (d *definition) prune() string {
	key := ident(d.key.Column)
	return "DELETE FROM " + d.table + " s\nWHERE NOT EXISTS " +
		paren("SELECT FROM "+d.root+"\nWHERE "+d.sameKey("r0")) + "\nRETURNING s." + key + "::text AS key"
}

func (d *definition) allKeys() string {
	key := ident(d.key.Column)
	return "SELECT r0." + key + "::text" + collate(d.key.Base) + " AS key\nFROM " + d.root +
		"\nUNION\nSELECT s." + key + "::text\nFROM " + d.table + " s"
}

func (d *definition) differences() string {
	key := ident(d.key.Column)
	stored := "SELECT s.*\nFROM " + d.table + " s" + where("s."+key+" = ANY("+d.keys(1)+")")
	return "WITH docs AS MATERIALIZED " + paren(d.chosen()) + ", stored AS " + paren(stored) +
		"\nSELECT COALESCE(d." + key + "::text" + collate(d.key.Base) + ", s." + key + "::text) AS key,\n" +
		indent("CASE\n"+
			"  WHEN s."+key+" IS NULL THEN 'missing'\n"+
			"  WHEN d."+key+" IS NULL THEN 'extra'\n"+
			"  WHEN "+d.dataDiffers()+" THEN 'data'\n"+
			"  ELSE 'columns'\nEND AS kind,\n"+
			`s."data" AS stored,`+"\n"+`d."data" AS defined`) +
		"\nFROM docs d\nFULL JOIN stored s ON " + d.sameKey("d") +
		"\nWHERE s." + key + " IS NULL\n   OR d." + key + " IS NULL\n   OR " + d.differs() +
		"\nORDER BY 1"
}
