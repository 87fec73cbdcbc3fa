package compile

import (
	"fmt"
	"slices"
	"strings"

	"freshet/model"
	"freshet/projector/catalog"
)

// keyCasts are the types that a document's key may have, by internal name, as
// SQL writes them without a modifier: no cast to them cuts a key.
var keyCasts = map[string]string{
	"uuid": "uuid", "int2": "smallint", "int4": "integer", "int8": "bigint", "text": "text", "varchar": "text",
}

// bindKeys finds what identifies a row of each type.
func (k *compiler) bindKeys() {
	for _, t := range k.model.Types {
		o := k.objects[t]
		if o == nil {
			continue
		}
		if t.Stored {
			o.key = k.storedKey(o)
		} else {
			o.key = k.looseKey(o)
		}
		o.tie = tie(o)
	}
}

// tie returns the columns that end every order.
func tie(o *object) []string {
	if o.key != nil && uniqueOn(o.table, []string{o.key.Name}) {
		return []string{o.key.Name}
	}
	if key := rowKey(o.table); key != nil {
		return key
	}
	return columnNames(o.table)
}

// looseKey is the key of a type that has no documents of its own, or nil.
func (k *compiler) looseKey(o *object) *catalog.Column {
	if o.typ.Key != "" {
		return k.column(o.table, o.typ.Key, o.typ.KeyPos)
	}
	if pk := o.table.PrimaryKey(); len(pk) == 1 {
		return o.table.Column(pk[0])
	}
	return nil
}

// storedKey is the column that identifies a document, or nil after reporting
// why there is none.
func (k *compiler) storedKey(o *object) *catalog.Column {
	name, pos := k.keyColumn(o)
	if name == "" {
		return nil
	}
	c := k.column(o.table, name, pos)
	if c == nil || !k.checkKey(o, c, pos) {
		return nil
	}
	return c
}

// keyColumn names the key column: the one of @table(key:), or of the primary
// key, which the key field must be over.
func (k *compiler) keyColumn(o *object) (string, model.Pos) {
	t := o.typ
	if t.Key != "" {
		return t.Key, t.KeyPos
	}
	field := t.KeyField()
	pk := o.table.PrimaryKey()
	switch {
	case len(pk) == 0:
		k.ds.Errorf(t.TablePos, "Name a unique not-null column by @table(key: …), or make the type part of others only: @table(stored: false).",
			"%s has no primary key to identify the documents of %s", o.table.Name, t.Name)
	case len(pk) > 1:
		k.ds.Errorf(t.TablePos, "Name a unique not-null column by @table(key: …), or make the type part of others only: @table(stored: false).",
			"the primary key of %s has %d columns (%s), and a document has one key", o.table.Name, len(pk), strings.Join(pk, ", "))
	case field != nil && field.Column != pk[0]:
		k.ds.Errorf(field.Pos, fmt.Sprintf("Write @column(name: %q), or name the key by @table(key: %q).", pk[0], field.Column),
			"the key field %s.%s is over the column %s, but the primary key of %s is %s", t.Name, field.Name, field.Column, o.table.Name, pk[0])
	default:
		return pk[0], t.TablePos
	}
	return "", model.Pos{}
}

// reservedColumns are those that every tv_ table has.
var reservedColumns = []string{"data", "freshet_lsn", "freshet_time"}

func (k *compiler) checkKey(o *object, c *catalog.Column, pos model.Pos) bool {
	table := qualified(o.table.Name)
	switch {
	case c.Type.Array || keyCasts[c.Type.Base] == "":
		k.ds.Errorf(pos, "A key is a uuid, an integer (smallint, integer, bigint), text or varchar. Name another unique not-null column by @table(key: …).",
			"the key %s of %s is of type %s", c.Name, o.table.Name, c.Type.SQL)
	case !c.Deterministic:
		k.ds.Errorf(pos, fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s TYPE %s COLLATE \"default\";", table, ident(c.Name), c.Type.SQL),
			"the key %s of %s has a nondeterministic collation: one key could be written in several ways", c.Name, o.table.Name)
	case !notNull(c):
		k.ds.Errorf(pos, fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s SET NOT NULL;", table, ident(c.Name)),
			"the key %s of %s is nullable", c.Name, o.table.Name)
	case !uniqueOn(o.table, []string{c.Name}):
		k.ds.Errorf(pos, fmt.Sprintf("CREATE UNIQUE INDEX CONCURRENTLY ON %s (%s);", table, ident(c.Name)),
			"the key %s of %s is not unique", c.Name, o.table.Name)
	case c.Generated:
		k.ds.Errorf(pos, "Name another unique not-null column by @table(key: …).",
			"the key %s of %s is a generated column, which the write-ahead log does not carry", c.Name, o.table.Name)
	case slices.Contains(reservedColumns, c.Name):
		k.ds.Errorf(pos, "Rename the column, or name another by @table(key: …).",
			"the key column cannot be named %s: every tv_ table has a column of that name", c.Name)
	default:
		return true
	}
	return false
}
