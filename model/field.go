package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// readTypes reads every type's @table and what its fields say by themselves.
func (r *reader) readTypes() {
	for _, ts := range r.typeSources {
		ts.uses = r.directives(ts.def.Directives, ast.LocationObject)
		r.readTable(ts)
		if len(ts.def.Fields) == 0 {
			r.ds.Errorf(ts.typ.Pos, "Give it fields.", "the type %s has no fields", ts.typ.Name)
			r.brokenTypes[ts.typ] = true
		}
		for _, d := range ts.def.Fields {
			r.readField(ts.typ, d)
		}
	}
	r.checkTableNames()
}

func (r *reader) readTable(ts *typeSource) {
	t, u := ts.typ, ts.uses.get("table")
	if u == nil {
		r.brokenTypes[t] = true
		if !ts.uses.unknown {
			r.ds.Errorf(t.Pos, fmt.Sprintf("Add @table(name: %q).", "tb_"+SnakeCase(t.Name)), "the type %s has no @table", t.Name)
		}
		return
	}
	t.TablePos = u.pos
	if v := u.value("stored"); v != nil {
		t.Stored = v.Raw == "true"
	}
	t.Key = u.text("key")
	if v := u.value("key"); v != nil {
		t.KeyPos = r.text.pos(v.Position)
	}
	name, ok := r.tableName(u, "name", u.text("schema"))
	t.Table = name
	if !ok {
		r.brokenTypes[t] = true
	}
}

// tableName reads an argument that names a table, as tb_x or schema.tb_x.
func (r *reader) tableName(u *use, arg, schema string) (TableName, bool) {
	v := u.value(arg)
	if v == nil {
		return TableName{}, false
	}
	before, after, dotted := strings.Cut(v.Raw, ".")
	switch {
	case !dotted:
		return TableName{Schema: schema, Name: v.Raw}, true
	case before == "" || after == "" || strings.Contains(after, "."):
		r.ds.Errorf(r.text.pos(v.Position), "Write table or schema.table.", "%s is not a table name", excerpt(v))
	case schema != "":
		r.ds.Errorf(r.text.pos(v.Position), fmt.Sprintf("Write name: %q.", after), "the schema of %s is given twice", excerpt(v))
	default:
		return TableName{Schema: before, Name: after}, true
	}
	return TableName{}, false
}

// maxTvName is the length of the longest identifier of Postgres, in bytes.
const maxTvName = 63

// checkTableNames reports types whose tv_ tables cannot have the name they need.
func (r *reader) checkTableNames() {
	first := map[string]*Type{}
	for _, ts := range r.typeSources {
		t := ts.typ
		if !t.Stored || r.types[t.Name] != t {
			continue
		}
		name := "tv_" + SnakeCase(t.Name)
		switch other := first[name]; {
		case len(name) > maxTvName:
			r.ds.Errorf(t.Pos, "Shorten the type's name.", "the table %s has a name of more than %d bytes", name, maxTvName)
		case other != nil:
			r.ds.Errorf(t.Pos, "Rename one of them.", "%s and %s would both be stored in %s", other.Name, t.Name, name)
		default:
			first[name] = t
			continue
		}
		r.brokenTypes[t] = true
	}
}

func (r *reader) readField(t *Type, d *ast.FieldDefinition) {
	f := &Field{Name: d.Name, Description: d.Description, Pos: r.text.pos(d.Position)}
	s := &fieldSource{owner: t, field: f, def: d, uses: r.directives(d.Directives, ast.LocationFieldDefinition)}
	r.sources[f] = s
	f.Deprecated = deprecation(s.uses)
	if strings.HasPrefix(d.Name, "__") {
		r.ds.Errorf(f.Pos, "Rename it; @column says which column it is.", "the field name %s begins with __, which belongs to GraphQL", d.Name)
		r.breakField(f)
	}
	if len(d.Arguments) > 0 {
		r.ds.Errorf(r.text.pos(d.Arguments[0].Position), "Remove them: Freshet derives the arguments.", "the field %s has arguments", f.Name)
	}
	r.readKind(s)
	r.readType(s)
	r.fieldSources = append(r.fieldSources, s)
	if other := t.Field(d.Name); other != nil {
		r.ds.Errorf(f.Pos, "Rename one of them.", "the field %s.%s is declared twice, first at line %d", t.Name, d.Name, other.Pos.Line)
		r.breakField(f)
	}
	t.Fields = append(t.Fields, f)
}

// relationDirectives are in the order of RelationKind.
var relationDirectives = []string{"belongsTo", "hasOne", "hasMany", "manyToMany"}

// kindDirectives say where a field's value comes from; a field has at most one.
var kindDirectives = append([]string{"column", "aggregate", "computed", "firstOf"}, relationDirectives...)

// kind returns the use that decides the field's kind, or nil.
func (s *fieldSource) kind() *use {
	for _, u := range s.uses.all {
		if slices.Contains(kindDirectives, u.name) {
			return u
		}
	}
	return nil
}

func (r *reader) readKind(s *fieldSource) {
	f, u := s.field, s.kind()
	for _, v := range s.uses.all {
		if u != nil && v.name != u.name && slices.Contains(kindDirectives, v.name) {
			r.ds.Errorf(v.pos, "Keep one of them.", "the field %s has both @%s and @%s", f.Name, u.name, v.name)
		}
	}
	if e := s.uses.get("embed"); e != nil && (u == nil || !slices.Contains(relationDirectives, u.name)) && !s.uses.unknown && r.isValueType(s.def.Type.Name()) {
		r.ds.Errorf(e.pos, "Remove it, or make the field a relation.", "@embed is only for relations, and %s is none", f.Name)
	}
	switch {
	case u == nil:
		f.Column = SnakeCase(f.Name)
	case u.name == "column":
		f.Column = u.text("name")
		if f.Column == "" {
			r.breakField(f)
		}
	case u.name == "aggregate":
		f.Kind = Aggregate
	case u.name == "computed":
		r.readComputed(f, u)
	case u.name == "firstOf":
		f.Kind = FirstOf
	default:
		f.Kind = Relates
	}
}

func (r *reader) readComputed(f *Field, u *use) {
	f.Kind = Computed
	v := u.value("sql")
	if v == nil {
		r.breakField(f)
		return
	}
	f.SQL, f.SQLPos = strings.TrimSpace(v.Raw), r.text.pos(v.Position)
}

// readType reads the field's GraphQL type and checks it against its kind.
func (r *reader) readType(s *fieldSource) {
	f, d := s.field, s.def.Type
	f.Type = TypeRef{Name: d.Name(), NonNull: d.NonNull}
	if d.Elem != nil {
		f.Type.List, f.Type.ElemNonNull = true, d.Elem.NonNull
		if d.Elem.Elem != nil {
			r.ds.Errorf(r.text.pos(d.Position), "Write one pair of brackets; Postgres arrays of any dimension are flattened.", "%s is a list of lists", f.Name)
			r.breakField(f)
			return
		}
	}
	isValue := r.isValueType(f.Type.Name)
	target := r.types[f.Type.Name]
	switch abstract := r.isAbstract(f.Type.Name); {
	case abstract && f.Kind == FirstOf:
		return
	case abstract:
		r.strayAbstract(s)
	case target == nil && !isValue:
		r.unknownType(s)
	case f.Kind == FirstOf:
		r.ds.Errorf(s.kind().pos, "Make the field's type an interface or union of the file, or remove it.", "@firstOf yields an interface or union, and %s is none", f.Type.Name)
	case target != nil && f.Kind != Relates:
		r.missingRelation(s, target)
	case isValue && f.Kind == Relates:
		u := s.kind()
		r.ds.Errorf(u.pos, r.relationRemedy(s, u), "@%s is a relation, and %s is not a type of the file", u.name, f.Type.Name)
	default:
		return
	}
	r.breakField(f)
}

// isValueType says whether a name is a scalar's or an enum's.
func (r *reader) isValueType(name string) bool { return IsScalar(name) || r.enums[name] != nil }

func (r *reader) relationRemedy(s *fieldSource, u *use) string {
	if u.name == "hasMany" || u.name == "manyToMany" {
		return "Make the field's type a list of the target type, or remove the directive."
	}
	return "Make the field's type the target type, or remove the directive."
}

func (r *reader) unknownType(s *fieldSource) {
	f := s.field
	pos := r.text.pos(s.def.Type.Position)
	if e := s.def.Type.Elem; e != nil {
		pos = r.text.pos(e.Position)
	}
	names := r.typeNames()
	if f.Kind == FirstOf {
		names = r.abstractNames()
	} else if f.Kind != Relates {
		if s := otherNames[f.Type.Name]; s != "" {
			r.ds.Errorf(pos, fmt.Sprintf("Use %s instead.", s), "unknown type %s", f.Type.Name)
			return
		}
		for _, e := range r.model.Enums {
			names = append(names, e.Name)
		}
		names = append(append(names, r.abstractNames()...), allScalars()...)
	}
	r.ds.Errorf(pos, didYouMean(f.Type.Name, names), "unknown type %s", f.Type.Name)
}

func (r *reader) typeNames() []string {
	names := make([]string, 0, len(r.model.Types))
	for _, t := range r.model.Types {
		names = append(names, t.Name)
	}
	return names
}

// missingRelation reports a field of an object type that is no relation.
func (r *reader) missingRelation(s *fieldSource, target *Type) {
	f := s.field
	if u := s.kind(); u != nil {
		r.ds.Errorf(u.pos, "Give the field a scalar type, or a relation directive instead.", "@%s cannot yield the type %s", u.name, target.Name)
		return
	}
	if s.uses.unknown {
		return // most likely a relation directive with a typing error
	}
	r.ds.Errorf(f.Pos, fmt.Sprintf("Add %s.", r.likelyRelation(s, target)), "%s is of the type %s and has no relation directive", f.Name, target.Name)
}

// likelyRelation guesses the directive from the target's fields of our type.
func (r *reader) likelyRelation(s *fieldSource, target *Type) string {
	own := SnakeCase(s.owner.Name) + "_id"
	back := r.backwards(s.owner, target)
	list := s.def.Type.Elem != nil
	switch {
	case list && back != nil && back.Type.Elem != nil:
		return fmt.Sprintf("@manyToMany(through: %q)", "tb_"+SnakeCase(s.owner.Name)+"_"+SnakeCase(target.Name))
	case list:
		return fmt.Sprintf("@hasMany(foreignKey: %q)", own)
	case back != nil && back.Type.Elem == nil && back.Directives.ForName("belongsTo") != nil:
		return fmt.Sprintf("@hasOne(foreignKey: %q)", own)
	}
	return fmt.Sprintf("@belongsTo(foreignKey: %q)", SnakeCase(s.field.Name)+"_id")
}

// backwards returns the target's first field of the owner's type, or nil.
func (r *reader) backwards(owner, target *Type) *ast.FieldDefinition {
	def := r.declared[target.Name]
	if def == nil || owner == target {
		return nil
	}
	for _, d := range def.Fields {
		if d.Type.Name() == owner.Name {
			return d
		}
	}
	return nil
}

// readWheres reads the filters of the types, which need their fields.
func (r *reader) readWheres() {
	for _, ts := range r.typeSources {
		if v := ts.uses.get("table").value("where"); v != nil {
			ts.typ.Where, ts.typ.WherePos = r.where(ts.typ, v), r.text.pos(v.Position)
		}
	}
}

// checkKeys reports stored types that no field identifies.
func (r *reader) checkKeys() {
	for _, ts := range r.typeSources {
		t := ts.typ
		if !t.Stored || t.TablePos == (Pos{}) || len(t.Fields) == 0 {
			continue
		}
		if !r.checkKey(t) {
			r.brokenTypes[t] = true
		}
	}
}

func (r *reader) checkKey(t *Type) bool {
	f := t.KeyField()
	switch {
	case f == nil && t.Key != "":
		r.ds.Errorf(t.KeyPos, fmt.Sprintf("Add a field such as id: ID! @column(name: %q).", t.Key), "no field of %s serves its key, the column %q", t.Name, t.Key)
	case f == nil:
		r.ds.Errorf(t.Pos, "Add id: ID! for the primary key, or name another column by @table(key:), or make it @table(stored: false).", "the type %s has no key field of type ID!", t.Name)
	case f.Type.List || !slices.Contains(keyTypes, f.Type.Name):
		r.ds.Errorf(f.Pos, "Make it one of "+strings.Join(keyTypes, ", ")+".", "the key field %s.%s cannot be of type %s", t.Name, f.Name, f.Type)
	case !f.Type.NonNull:
		r.ds.Errorf(f.Pos, fmt.Sprintf("Write %s: %s!.", f.Name, f.Type), "the key field %s.%s is nullable", t.Name, f.Name)
	case r.ambiguousKey(t):
		r.ds.Errorf(t.TablePos, "Name the column by @table(key:), or make the others UUID, Int or String.", "%s has several fields of type ID!, and none is named id", t.Name)
	default:
		return true
	}
	return false
}

// ambiguousKey says whether KeyField had to choose between equal candidates.
func (r *reader) ambiguousKey(t *Type) bool {
	if t.Key != "" {
		return false
	}
	ids := fieldNames(t, func(f *Field) bool {
		return f.Kind == Column && f.Type == TypeRef{Name: "ID", NonNull: true}
	})
	return len(ids) > 1 && !slices.Contains(ids, "id")
}
