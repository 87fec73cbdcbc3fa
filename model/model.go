// Package model turns a Freshet model file, GraphQL SDL with directives, into
// a Model: the description of every read model and of the relations between
// them.
//
// Guarantees: the package is pure (no database, no clock, no logger); a Model
// that Parse returned without an error-level diagnostic is resolved and
// consistent in itself (every target, field and embed in it exists, every
// embed is finite), so that later stages need only check it against the
// catalog; and every fault carries its position and a remedy.
package model

import "fmt"

// Pos is a position in a model file. Lines and columns count from 1, columns
// in characters.
type Pos struct {
	File   string
	Line   int
	Column int
}

// String returns file:line:column, as editors understand it.
func (p Pos) String() string {
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Model is a whole model file.
type Model struct {
	File  string
	Types []*Type // in file order
	Enums []*Enum // in file order
	// Interfaces and Unions have no tables: their objects are those of Types.
	Interfaces []*Interface // in file order
	Unions     []*Union     // in file order
}

// Type returns the type of that name, or nil.
func (m *Model) Type(name string) *Type {
	for _, t := range m.Types {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// Enum returns the enum of that name, or nil.
func (m *Model) Enum(name string) *Enum {
	for _, e := range m.Enums {
		if e.Name == name {
			return e
		}
	}
	return nil
}

// Type is one read model (or, when not Stored, a shape that lives only inside
// the documents of others).
type Type struct {
	Name        string
	Description string
	Pos         Pos

	Table    TableName // the source table
	TablePos Pos       // of the @table directive
	// Key is the column that identifies a document, as written in
	// @table(key:). It is empty for the default, the primary key.
	Key    string
	KeyPos Pos
	// Where filters source rows: a SQL predicate over the row's own columns.
	// Empty: all rows.
	Where    string
	WherePos Pos
	// Stored says whether the type has a tv_* table of its own.
	Stored bool

	Interfaces []*Interface // that it implements, as the file names them

	// Auth says who may read documents and objects of the type: see Rule.
	Auth []*Rule

	Fields  []*Field // in file order
	Indexes []*Index // @index on the type, and one for each @index or @unique field

	document *Selection // see Document
}

// Field returns the field of that name, or nil.
func (t *Type) Field(name string) *Field {
	for _, f := range t.Fields {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// KeyField returns the field that serves the document key: the field whose
// column is the key column, or, where @table has no key, the one of type ID!
// (the one named id, where several are). Parse guarantees one for every Stored
// type; it may be nil for others.
func (t *Type) KeyField() *Field {
	var best *Field
	for _, f := range t.Fields {
		if f.Kind == Column && t.keyRank(f) > t.keyRank(best) {
			best = f
		}
	}
	return best
}

// keyRank orders the candidates for the key field; 0 is none.
func (t *Type) keyRank(f *Field) int {
	switch {
	case f == nil, t.Key != "" && f.Column != t.Key:
		return 0
	case t.Key != "":
		return 1
	case f.Type.Name != "ID" || f.Type.List:
		return 0
	case !f.Type.NonNull:
		return 1
	case f.Name != "id":
		return 2
	}
	return 3
}

// TableName names a source table. Schema is empty where the file gives none:
// the catalog then looks it up along the search path.
type TableName struct {
	Schema string
	Name   string
}

// String returns schema.name, or name alone without a schema. It is for
// messages, not for SQL.
func (n TableName) String() string {
	if n.Schema == "" {
		return n.Name
	}
	return n.Schema + "." + n.Name
}

// Enum is a GraphQL enum of the model file. Its values must be labels of the
// Postgres enum, or values of the text column, behind it.
type Enum struct {
	Name        string
	Description string
	Pos         Pos
	Values      []EnumValue
}

// EnumValue is one value of an Enum.
type EnumValue struct {
	Name        string
	Description string
	Deprecated  *string // the reason, or nil
}

// FieldKind says where a field's value comes from.
type FieldKind int

// The kinds of field.
const (
	Column    FieldKind = iota // a column of the source row
	Relates                    // a relation: Field.Relation is set
	Aggregate                  // an aggregate over a relation: Field.Aggregate is set
	Computed                   // an SQL expression over the row: Field.SQL is set
	FirstOf                    // the first of several relations that is there: Field.Members is set
)

// Field is one field of a Type.
type Field struct {
	Name        string
	Description string
	Deprecated  *string // the reason, or nil
	Pos         Pos
	Type        TypeRef
	Kind        FieldKind

	Column   string // kind Column: the source column
	SQL      string // kind Computed: the expression
	SQLPos   Pos
	Relation *Relation    // kind Relates
	Agg      *Aggregation // kind Aggregate
	// Members are, of kind FirstOf, relations to one row of the same type: the
	// field's object is that of the first which is not null. Documents hold the
	// relations, and nothing for the field itself.
	Members []*Field

	Unique bool // @unique: a lookup by this field is served
	// Auth says who may read the field: see Rule. For others it is null.
	Auth []*Rule
}

// TypeRef is a GraphQL type: Name, [Name], with their non-null marks. Lists of
// lists are refused by Parse.
type TypeRef struct {
	Name        string
	List        bool
	NonNull     bool // the outer !
	ElemNonNull bool // the ! inside the list
}

// String returns the type as SDL writes it.
func (r TypeRef) String() string {
	s := r.Name
	if r.List {
		if r.ElemNonNull {
			s += "!"
		}
		s = "[" + s + "]"
	}
	if r.NonNull {
		s += "!"
	}
	return s
}

// RelationKind says which side holds the foreign key and how many rows there
// are on the other side.
type RelationKind int

// The kinds of relation.
const (
	BelongsTo  RelationKind = iota // this row holds the foreign key
	HasOne                         // the other row holds it; at most one
	HasMany                        // the other rows hold it
	ManyToMany                     // a join table holds both
)

// String returns the directive's name without its @.
func (k RelationKind) String() string {
	return [...]string{"belongsTo", "hasOne", "hasMany", "manyToMany"}[k]
}

// Relation is the link from one type to another.
type Relation struct {
	Kind   RelationKind
	Pos    Pos // of the directive
	Target *Type
	// ForeignKey holds the columns of the foreign key, on this row
	// (BelongsTo), on the target's (HasOne, HasMany) or on the join table,
	// towards this row (ManyToMany). Empty: the only foreign key that the
	// catalog knows between the two.
	ForeignKey []string
	Through    TableName // ManyToMany: the join table
	TargetKey  []string  // ManyToMany: the join table's columns towards the target; may be empty likewise
	// When says, of BelongsTo, which of this type's own rows have the relation:
	// a SQL predicate over this row's columns. Empty: all. It is for a column
	// that points to one table or another.
	When    string
	WhenPos Pos
	// Where filters the target's rows: a SQL predicate over the target's own
	// columns. Empty: all.
	Where    string
	WherePos Pos
	OrderBy  []Order
	Limit    int // 0: none
	// Embed is what is copied into the parent's document. It is never nil
	// after Parse: see Selection for its defaults.
	Embed *Selection
}

// ToMany says whether the relation yields a list.
func (r *Relation) ToMany() bool { return r.Kind == HasMany || r.Kind == ManyToMany }

// Order is one term of an orderBy: a column field or computed field of the target.
type Order struct {
	Field      *Field
	Descending bool
	Pos        Pos
}

// Selection is what a document holds of one object: the shape of an embed, or
// of the document itself (Type.Document). Items are in model-file order.
//
// Parse resolves it in full: where the file has no @embed it is the target's
// key alone for a Stored target, and every field of the target for one that is
// not Stored; the key field of a Stored target is always part of it, added
// where @embed does not name it, so that every embedded object of a Stored
// type can be stitched to its whole document.
type Selection struct {
	Type  *Type
	Items []SelectionItem
}

// Item returns the item of that field name, or nil.
func (s *Selection) Item(name string) *SelectionItem {
	for i := range s.Items {
		if s.Items[i].Field.Name == name {
			return &s.Items[i]
		}
	}
	return nil
}

// SelectionItem is one field of a Selection; Sub is set for relations: what is
// embedded of the target at this place.
type SelectionItem struct {
	Field *Field
	Sub   *Selection
	Pos   Pos
}

// AggregateFn is the function of an @aggregate.
type AggregateFn string

// The aggregate functions.
const (
	Count AggregateFn = "COUNT"
	Sum   AggregateFn = "SUM"
	Avg   AggregateFn = "AVG"
	Min   AggregateFn = "MIN"
	Max   AggregateFn = "MAX"
)

// Aggregation is an aggregate over a to-many relation of the same type. The
// relation's where applies, its limit does not.
type Aggregation struct {
	Pos   Pos
	Fn    AggregateFn
	Of    *Field // a HasMany or ManyToMany relation of the same type
	Field *Field // the target's column or computed field; nil for COUNT
}

// Index asks for a B-tree (or, with GIN, an index over the whole document) on
// the tv_* table.
type Index struct {
	Pos    Pos
	Fields []IndexPath // empty for GIN
	GIN    bool
	// Lookup is the @unique field that asked for it, or nil.
	Lookup *Field
}

// IndexPath is one part of an Index: a column, computed or aggregate field of
// the type ("createdAt"), a to-one relation, which stands for the target's key
// ("author"), or a path into an embedded to-one object ("author.username").
type IndexPath struct {
	Path []*Field
}

// String returns the path as the file writes it.
func (p IndexPath) String() string {
	s := ""
	for i, f := range p.Path {
		if i > 0 {
			s += "."
		}
		s += f.Name
	}
	return s
}
