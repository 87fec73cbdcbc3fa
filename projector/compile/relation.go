package compile

import (
	"fmt"
	"slices"
	"strings"

	"freshet/model"
	"freshet/projector/catalog"
)

// relation is a relation field bound to its tables.
type relation struct {
	field  *model.Field
	target *object
	first  *link          // from the field's own row to the target's, or to the join table's
	join   *catalog.Table // of a many-to-many, else nil
	second *link          // from the join table's row to the target's
}

// bindRelations finds the foreign keys behind the relations and checks what
// hangs on them. It goes on to the aggregates over them.
func (k *compiler) bindRelations() {
	for _, t := range k.model.Types {
		for _, f := range t.Fields {
			if f.Kind != model.Relates || f.Relation == nil {
				continue
			}
			rel := f.Relation
			k.checkPredicate(t, rel.When, rel.WhenPos, fmt.Sprintf("the when of %s.%s", t.Name, f.Name))
			k.checkPredicate(rel.Target, rel.Where, rel.WherePos, fmt.Sprintf("the where of %s.%s", t.Name, f.Name))
			k.checkOrder(rel)
			if own, target := k.objects[t], k.objects[rel.Target]; own != nil && target != nil {
				k.bindRelation(own, target, f)
			}
		}
		for _, f := range t.Fields {
			if f.Kind == model.Aggregate && f.Agg != nil {
				k.checkAggregate(t, f)
			}
		}
	}
}

func (k *compiler) bindRelation(own, target *object, f *model.Field) {
	r := &relation{field: f, target: target}
	rel := f.Relation
	switch rel.Kind {
	case model.BelongsTo:
		ref := k.refer(asked{holder: own.table, columns: rel.ForeignKey, target: target, shared: rel.When != "", pos: rel.Pos, directive: "belongsTo", argument: "foreignKey"})
		if ref == nil {
			return
		}
		r.first = down(own.table, target.table, ref)
		k.checkBelongsTo(own, f, r.first)
	case model.HasOne, model.HasMany:
		ref := k.refer(asked{holder: target.table, columns: rel.ForeignKey, target: own, shared: pointsElsewhere(rel.Target, rel.ForeignKey), pos: rel.Pos, directive: rel.Kind.String(), argument: "foreignKey"})
		if ref == nil {
			return
		}
		r.first = up(own.table, target.table, ref)
	case model.ManyToMany:
		if !k.bindJoin(r, own, target) {
			return
		}
	}
	if k.checkCarried(f, r.first) && (r.second == nil || k.checkCarried(f, r.second)) {
		k.relations[f] = r
	}
}

// pointsElsewhere says whether the columns of a type point to one table or
// another, as a when of its own relations tells.
func pointsElsewhere(t *model.Type, columns []string) bool {
	return slices.ContainsFunc(t.Fields, func(f *model.Field) bool {
		return f.Kind == model.Relates && f.Relation != nil && f.Relation.When != "" && sameSet(f.Relation.ForeignKey, columns)
	})
}

// down is a link along a foreign key that the parent holds.
func down(parent, child *catalog.Table, ref *reference) *link {
	return &link{parent: parent, child: child, parentCols: ref.columns, childCols: ref.target, parentHolds: true, fk: ref.fk}
}

// up is a link along a foreign key that the child holds.
func up(parent, child *catalog.Table, ref *reference) *link {
	return &link{parent: parent, child: child, parentCols: ref.target, childCols: ref.columns, fk: ref.fk}
}

// bindJoin binds a many-to-many relation over its join table.
func (k *compiler) bindJoin(r *relation, own, target *object) bool {
	rel := r.field.Relation
	if r.join = k.table(rel.Through, rel.Pos); r.join == nil {
		return false
	}
	towards := asked{holder: r.join, columns: rel.ForeignKey, target: own, except: rel.TargetKey, pos: rel.Pos, directive: "manyToMany", argument: "foreignKey"}
	onwards := asked{holder: r.join, columns: rel.TargetKey, target: target, except: rel.ForeignKey, pos: rel.Pos, directive: "manyToMany", argument: "targetKey"}
	first, second := k.refer(towards), k.refer(onwards)
	if first == nil || second == nil {
		return false
	}
	r.first, r.second = up(own.table, r.join, first), down(r.join, target.table, second)
	return true
}

// checkCarried refuses links over columns that the write-ahead log leaves out.
func (k *compiler) checkCarried(f *model.Field, l *link) bool {
	for _, name := range l.childCols {
		if l.child.Column(name).Generated {
			k.ds.Errorf(f.Relation.Pos, "Link the tables by a column that is stored as it is.",
				"the column %s of %s is generated, and the write-ahead log does not carry it", name, l.child.Name)
			return false
		}
	}
	return true
}

// checkBelongsTo reports a ! that the foreign key does not bear out. What the
// model file alone tells of it, the model package has reported.
func (k *compiler) checkBelongsTo(own *object, f *model.Field, l *link) {
	if !f.Type.NonNull {
		return
	}
	var nullable []string
	for _, name := range l.parentCols {
		if !notNull(own.table.Column(name)) {
			nullable = append(nullable, name)
		}
	}
	table := qualified(own.table.Name)
	switch {
	case len(nullable) > 0:
		k.ds.Errorf(f.Pos, fmt.Sprintf("Write %s: %s, or run: ALTER TABLE %s ALTER COLUMN %s SET NOT NULL;", f.Name, f.Type.Name, table, ident(nullable[0])),
			"%s.%s is non-null, but its foreign key %s of %s is nullable", own.typ.Name, f.Name, strings.Join(nullable, ", "), own.table.Name)
	case f.Relation.Target.Where != "":
		k.ds.Errorf(f.Pos, fmt.Sprintf("Write %s: %s.", f.Name, f.Type.Name),
			"%s.%s is non-null, but the where of %s may leave out the row", own.typ.Name, f.Name, f.Relation.Target.Name)
	case l.fk != nil && !l.fk.Validated:
		k.ds.Warnf(f.Pos, fmt.Sprintf("ALTER TABLE %s VALIDATE CONSTRAINT %s;", table, ident(l.fk.Name)),
			"%s.%s is non-null, but the constraint %s is not validated: older rows may point nowhere", own.typ.Name, f.Name, l.fk.Name)
	}
}

// checkOrder refuses orders by types that have none.
func (k *compiler) checkOrder(rel *model.Relation) {
	for _, o := range rel.OrderBy {
		if t, ok := k.valueType(rel.Target, o.Field); ok && !sortable(t) {
			k.ds.Errorf(o.Pos, "Order by another field.", "%s cannot be ordered by: values of type %s have no order", o.Field.Name, t.SQL)
		}
	}
}

// checkAggregate refuses MIN and MAX of types that Postgres has none for.
func (k *compiler) checkAggregate(t *model.Type, f *model.Field) {
	agg := f.Agg
	if agg.Field == nil || agg.Of == nil || agg.Of.Relation == nil {
		return
	}
	typ, ok := k.valueType(agg.Of.Relation.Target, agg.Field)
	if !ok || agg.Fn != model.Min && agg.Fn != model.Max || hasExtremes(typ) {
		return
	}
	k.ds.Errorf(agg.Pos, "Aggregate another field.", "%s.%s: Postgres has no %s for values of type %s", t.Name, f.Name, strings.ToLower(string(agg.Fn)), typ.SQL)
}

// checkIndexes refuses lookups that are not unique and indexes over types
// without a B-tree.
func (k *compiler) checkIndexes() {
	for _, t := range k.model.Types {
		for _, index := range t.Indexes {
			if index.Lookup != nil {
				k.checkLookup(t, index)
			}
			for _, path := range index.Fields {
				k.checkIndexPath(t, index, path)
			}
		}
	}
}

func (k *compiler) checkLookup(t *model.Type, index *model.Index) {
	o, f := k.objects[t], index.Lookup
	if o == nil {
		return
	}
	table := qualified(o.table.Name)
	if f.Kind == model.Computed {
		k.checkComputedLookup(o, index)
		return
	}
	if o.table.Column(f.Column) != nil && !uniqueOn(o.table, []string{f.Column}) {
		k.ds.Errorf(index.Pos, fmt.Sprintf("CREATE UNIQUE INDEX CONCURRENTLY ON %s (%s); or use @index.", table, ident(f.Column)),
			"%s.%s is @unique, but the column %s of %s has no unique constraint", t.Name, f.Name, f.Column, o.table.Name)
	}
}

// checkComputedLookup asks for a unique index over some single expression: the
// catalog does not tell which.
func (k *compiler) checkComputedLookup(o *object, index *model.Index) {
	found := slices.ContainsFunc(o.table.Indexes, func(i *catalog.Index) bool {
		return i.Unique && !i.Partial && slices.Equal(i.Columns, []string{""})
	})
	if !found {
		f := index.Lookup
		k.ds.Errorf(index.Pos, fmt.Sprintf("CREATE UNIQUE INDEX CONCURRENTLY ON %s ((%s)); or use @index.", qualified(o.table.Name), f.SQL),
			"%s.%s is @unique, but %s has no unique index over an expression", o.typ.Name, f.Name, o.table.Name)
	}
}

func (k *compiler) checkIndexPath(t *model.Type, index *model.Index, path model.IndexPath) {
	for _, f := range path.Path[:len(path.Path)-1] {
		t = f.Relation.Target
	}
	last := path.Path[len(path.Path)-1]
	switch last.Kind {
	case model.Relates:
		if o := k.objects[last.Relation.Target]; o != nil && o.key == nil && !last.Relation.Target.Stored {
			k.ds.Errorf(index.Pos, "Index a field of it.", "%s cannot be indexed: %s has no single key column", path, last.Relation.Target.Name)
		}
	case model.Column, model.Computed:
		if typ, ok := k.valueType(t, last); ok && !sortable(typ) {
			k.ds.Errorf(index.Pos, "Remove it from the index.", "%s cannot be indexed: type %s has no B-tree", path, typ.SQL)
		}
	}
}
