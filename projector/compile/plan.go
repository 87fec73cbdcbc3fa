// Package compile turns a Model and a Catalog into a Plan: for each read model
// the SQL that builds its documents for an array of keys, and for each source
// table every path by which a change of one of its rows reaches a key.
//
// Guarantees: the package is pure (no database, no clock, no logger), the same
// input gives the same bytes of SQL, every identifier in it is quoted and no
// value is built into it but the constants of the model file; and all faults
// of a model against its catalog are reported together.
//
// What a list holds: a to-many relation yields its rows in the order of the
// file, those that are equal in it by their key (or primary key, or all
// columns), and an unordered relation all by that; NULL is where Postgres puts
// it, last ascending and first descending. Over a join table a target is there
// once for each join row, and is counted so.
//
// The rule of affected keys: if a document differs between two snapshots, then
// some row whose change is in between leads, by one of the Plan's paths
// evaluated on the later snapshot, to its key. See docs/how-it-works.md.
package compile

import (
	"freshet/model"
	"freshet/projector/catalog"
)

// Plan is a compiled model.
type Plan struct {
	Model      *model.Model
	ReadModels []*ReadModel // in model-file order, stored types only
	Sources    []*Source    // by name; every table that a document reads
	// MissingIndexes are those that a document or a path looks rows up by and
	// that the source tables lack, by name. Each is a warning as well.
	MissingIndexes []MissingIndex
}

// MissingIndex is an index that a source table lacks. SQL creates it
// CONCURRENTLY IF NOT EXISTS; on a partitioned table, where Postgres has no
// such thing, without CONCURRENTLY.
type MissingIndex struct {
	Table   catalog.Name
	Columns []string
	Name    string
	SQL     string
}

// ReadModel is one tv_* table and how to fill it.
//
// In all its statements keys go in and come out as text, in the type's own
// output format: `$1::text[]::uuid[]`.
type ReadModel struct {
	ID    int // its place in Plan.ReadModels
	Type  *model.Type
	Name  string       // the type's name
	Table catalog.Name // the tv_* table
	Root  *Source
	Key   KeyColumn
	// Columns are the typed columns that serve the indexes, by their path.
	Columns []IndexColumn

	// Documents yields (key text, data jsonb, and each of Columns in its own
	// type) for the keys in $1 text[] that the definition yields. It is what
	// `verify` and a read at the source evaluate.
	Documents string
	// Apply rebuilds the keys in $1 text[] and writes what changed, stamped
	// with $2 pg_lsn and $3 timestamptz: it yields (op "char", key text, moved
	// bigint) for every key written: 'i' inserted, 'u' updated, 'd' deleted. Keys
	// whose document did not change yield nothing and are not written. Of what is
	// updated, moved tells which of Columns changed: see Moved.
	Apply string
	// Fill inserts the documents of all source keys with $1 < key <= $2 (text;
	// NULL is unbounded), stamped with $3 pg_lsn and $4 timestamptz, over
	// whatever is there. It is for backfills.
	Fill string
	// Bounds yields (key text) in ascending order: every $1-th (bigint) key of
	// the source, to cut it into ranges. The order is the key type's own, in
	// which Fill compares.
	Bounds string
	// Prune deletes the rows of the tv_* table whose key the definition does
	// not yield any more, and yields (key text).
	Prune string
	// Keys yields (key text) of the definition and the tv_* table together:
	// what a rebuild of the whole model must cover.
	Keys string
	// Differences compares the keys in $1 text[]: it yields (key text, kind
	// text, stored jsonb, defined jsonb), kind 'missing', 'extra', 'data' or
	// 'columns', for each that does not equal its definition.
	Differences string

	CreateTable string     // idempotent DDL of the tv_* table
	Indexes     []IndexDDL // secondary indexes
	// Hash changes when the documents, the table or its indexes would.
	Hash string
	// Layout is what an API needs to read the table.
	Layout Layout
}

// Moved names those of Columns whose bits are set in what Apply or a Patch has
// told. It is false where that tells nothing: there are too many of them.
func (rm *ReadModel) Moved(bits int64) (columns []string, known bool) {
	for i, c := range rm.Columns {
		if bits >= 0 && i < maxMoved && bits&(1<<i) != 0 {
			columns = append(columns, c.Column)
		}
	}
	return columns, bits >= 0
}

// KeyColumn is the document's key: its column has the same name and type in
// the source and in the tv_* table.
type KeyColumn struct {
	Column string
	SQL    string // type: "uuid", "bigint", "text", "character varying(5)"
	Base   string // "uuid", "int2", "int4", "int8", "text", "varchar"
}

// IndexColumn is a typed column of the tv_* table.
type IndexColumn struct {
	Path   string // "createdAt", "author", "author.username"
	Column string // "created_at", "author_id", "author_username"
	SQL    string // type
	Base   string // as catalog.Type.Base
}

// IndexDDL is a secondary index of a tv_* table. SQL creates it CONCURRENTLY IF NOT EXISTS.
type IndexDDL struct {
	Name string
	SQL  string
}

// Source is a table that documents are built from.
type Source struct {
	Table *catalog.Table
	// Reads are all the columns that any document reads, sorted.
	Reads []string
	// Identity are the columns whose old values the WAL must carry, sorted.
	Identity []string
	Paths    []*Path
}

// Path leads from a changed row to the keys of a read model.
type Path struct {
	ID    int // unique within the Plan
	Model *ReadModel
	// Name is unique within the Plan, and stays the same as long as the model
	// does: "public.tb_user(id) -> Post.author". What is kept of a path beyond
	// one run of the process is kept under this name.
	Name string
	Via  string // "Post", "Post.comments", "Post.comments.author": for people
	// Start are the columns of the changed row whose old and new values, both,
	// begin the path. A NULL in any of them leads nowhere.
	Start []string
	// Direct: the values are the read model's keys themselves, and SQL is empty.
	Direct bool
	// SQL yields (key text), distinct, of the read model's keys that the
	// values lead to: one text[] parameter for each column of Start, the arrays
	// in step.
	SQL string
	// Probe is SQL without DISTINCT, and bounded: its last parameter, after
	// those of SQL, is a bigint, and it yields no more rows than that, a key
	// possibly several times. Where it yields fewer, it has yielded every key.
	Probe string
	// Field is the one field of the document, an embedded object, that a change
	// can alter by this path: all that leads from the document to the changed
	// row begins with it. Empty for a direct path, and where the change can
	// alter more than one field, or one that is a list or an aggregate.
	Field string
	// Kept are columns of a document's own row, sorted, its key among them: an
	// update of the row that is known to leave them as they were alters no more
	// of the document than what Patch brings up to date. Empty for any other
	// path, and where such a patch would cost about what a rebuild does.
	Kept []string
	// PatchID is under what the values of such updates are gathered, apart from
	// those that are under ID. It is unique among the IDs; 0 without Kept.
	PatchID int
	// Patch brings Field up to date, or with Kept all that the row's other
	// columns can alter, and the index columns under it, in the stored documents
	// of the keys in $1 text[], stamped with $2 pg_lsn and $3 timestamptz: it
	// yields (op "char", key text, moved bigint) as Apply does, always 'u', for
	// every key whose row changed. The rest of the document is left as it is
	// stored; keys without a stored document, and those that the definition
	// does not yield, yield nothing. Empty without a Field and without Kept.
	Patch string
	// Reads are the columns of the changed row that matter, sorted: an update
	// that changes none of them, where the old row is at hand to tell,
	// affects nothing by this path. A generated column among them is not in
	// the write-ahead log, and any other column may be behind it.
	Reads []string
}

// Layout is the physical form of a read model, kept as JSON in freshet.models,
// so that an API process needs no access to the source tables.
type Layout struct {
	Type    string         `json:"type"`
	Schema  string         `json:"schema"`
	Table   string         `json:"table"`
	Key     LayoutColumn   `json:"key"`
	Columns []LayoutColumn `json:"columns"`
}

// LayoutColumn is a typed column of a tv_* table.
type LayoutColumn struct {
	Path   string `json:"path"` // the field, or the path into an embed
	Column string `json:"column"`
	SQL    string `json:"sql"`
	Base   string `json:"base"`
}
