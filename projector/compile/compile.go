package compile

import (
	"slices"
	"strings"

	"freshet/model"
	"freshet/projector/catalog"
)

// Compile checks the model against the catalog, which must cover Request(m),
// and returns its Plan. Every fault is in the diagnostics, in file order; the
// Plan is nil where one of them is an error.
func Compile(m *model.Model, c *catalog.Catalog) (*Plan, model.Diagnostics) {
	k := &compiler{
		model: m, catalog: c,
		objects: map[*model.Type]*object{}, relations: map[*model.Field]*relation{},
		unlinked: map[string]bool{},
	}
	k.bindTables()
	k.bindKeys()
	k.checkFields()
	k.bindRelations()
	k.checkIndexes()
	k.checkTargets()
	var plan *Plan
	if k.ds.Err() == nil {
		plan = k.assemble()
	}
	k.ds.Sort()
	if k.ds.Err() != nil {
		return nil, k.ds
	}
	return plan, k.ds
}

// compiler is the state of one Compile.
type compiler struct {
	model   *model.Model
	catalog *catalog.Catalog
	ds      model.Diagnostics

	objects   map[*model.Type]*object // those whose table is usable
	relations map[*model.Field]*relation
	unlinked  map[string]bool // links without a constraint that were warned of
	plan      *Plan
}

// object is a type bound to its table.
type object struct {
	typ   *model.Type
	table *catalog.Table
	// key is the column that identifies a row: the document's, or, for a type
	// that is not stored, its single-column primary key. It may be nil then.
	key *catalog.Column
	// tie are columns that tell any two rows apart, to end every order with:
	// the key, or the primary key, or all columns.
	tie []string
}

// expr returns the catalog's verdict on an expression over the type's row.
func (k *compiler) expr(e catalog.Expr) catalog.ExprInfo { return k.catalog.Exprs[e] }

func predicate(t *model.Type, sql string) catalog.Expr {
	return catalog.Expr{Table: t.Table, SQL: sql, Predicate: true}
}

// assemble builds the plan of a model without errors.
func (k *compiler) assemble() *Plan {
	k.plan = &Plan{Model: k.model}
	b := &planBuilder{compiler: k, sources: map[catalog.Name]*sourceBuilder{}, missing: map[string]bool{}, patches: map[*model.Field]string{}}
	for _, t := range k.model.Types {
		if t.Stored {
			b.readModel(k.objects[t])
		}
	}
	b.finish()
	slices.SortFunc(k.plan.MissingIndexes, func(a, b MissingIndex) int { return strings.Compare(a.Name, b.Name) })
	return k.plan
}
