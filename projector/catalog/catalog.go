// Package catalog reads what Postgres knows about the tables of a model: their
// columns, keys, foreign keys, indexes and replica identity, and what its own
// parser says of the SQL expressions in the model file.
//
// Guarantees: everything is read under one snapshot, with a fixed search path
// of the session's own for table names without a schema, and nothing is
// changed in the database. A table that does not exist is simply absent from
// the Catalog: saying so, with a position, is the compiler's work. Expressions
// are judged in a transaction of their own, on an empty temporary copy of the
// table, that is rolled back.
package catalog

import "freshet/model"

// Name is a resolved, schema-qualified relation name.
type Name struct {
	Schema string
	Name   string
}

// String returns schema.name for messages. It is not quoted: see Name.SQL.
func (n Name) String() string { return n.Schema + "." + n.Name }

// Catalog is what was read.
type Catalog struct {
	ServerVersion int // as server_version_num: 150018
	Database      string
	// Resolved maps each name of the model file to the table it denotes.
	Resolved map[model.TableName]*Table
	// Exprs holds the verdict on each expression asked for.
	Exprs map[Expr]ExprInfo
}

// Table is an ordinary or partitioned table.
type Table struct {
	OID         uint32
	Name        Name
	Kind        byte // pg_class.relkind: 'r', 'p'; others (views, foreign tables) are kept so that the compiler can refuse them
	Partition   bool // is itself a partition of another table
	Owner       string
	RowSecurity bool  // row level security is enabled on it
	HasChildren bool  // other tables inherit from it (not as partitions): their rows would be read, their changes not seen
	Persistence byte  // pg_class.relpersistence: 'p', 'u' (unlogged: no WAL), 't'
	Rows        int64 // the planner's estimate; -1 when never analyzed

	Columns     []*Column // live columns, by attnum
	Indexes     []*Index  // valid ones
	ForeignKeys []*ForeignKey
	// Identity is the replica identity: 'd' default, 'n' nothing, 'f' full,
	// 'i' index; IdentityColumns are the columns that the old row carries in
	// the WAL (all of them for 'f', but generated ones: pgoutput leaves these
	// out). For a partitioned table they are those that every partition's old
	// row carries; Identity is that of the table itself.
	Identity        byte
	IdentityIndex   string // the index's name for 'i'
	IdentityColumns []string
}

// Column returns the column of that name, or nil.
func (t *Table) Column(name string) *Column {
	for _, c := range t.Columns {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// PrimaryKey returns the primary key's columns, or nil.
func (t *Table) PrimaryKey() []string {
	for _, i := range t.Indexes {
		if i.Primary {
			return i.Columns
		}
	}
	return nil
}

// Column is a table's column.
type Column struct {
	Name      string
	Num       int16
	NotNull   bool
	Generated bool
	Type      Type
	// Deterministic is false for a text column under a nondeterministic
	// collation: equal values may then differ in bytes.
	Deterministic bool
}

// Type is a column's type. Domains are resolved: Base tells what is stored.
type Type struct {
	OID           uint32
	SQL           string   // as format_type writes it, schema-qualified unless in pg_catalog, with its modifier: "character varying(5)", "public.mood"
	Base          string   // the internal name of the base type, domains resolved: "int4", "varchar", "timestamptz", "mood"; for arrays that of the element; a type outside pg_catalog that bears the name of one inside is "schema.name"
	Array         bool     // an array (of Base)
	Category      byte     // pg_type.typcategory of the (element) base type: 'E' for enums
	Labels        []string // an enum's labels, in order
	DomainNotNull bool     // a domain over it forbids NULL
}

// Index is a valid index.
type Index struct {
	Name      string
	Columns   []string // key columns in order; an expression is ""
	Unique    bool
	Primary   bool
	Partial   bool   // has a predicate
	Immediate bool   // not deferrable
	Method    string // "btree", …
}

// ForeignKey is a foreign key constraint of the table.
type ForeignKey struct {
	Name       string
	Columns    []string
	Target     Name
	TargetCols []string // in the order of Columns
	Validated  bool
	Deferrable bool
}

// Expr is an expression of the model file over the columns of a table.
type Expr struct {
	Table     model.TableName
	SQL       string
	Predicate bool // must be boolean (where), else any type (@computed)
}

// ExprInfo is what Postgres says of an Expr. Error is empty when it is an
// immutable expression over the table's own columns.
type ExprInfo struct {
	Error   string
	Hint    string
	Type    Type
	Columns []string // the columns it reads
}

// Request names what a Catalog must cover.
type Request struct {
	Tables []model.TableName
	Exprs  []Expr
}
