package compile

import (
	"freshet/model"
	"freshet/projector/catalog"
)

// Request names the tables and expressions of the model, each once and in file
// order: what a Catalog must cover for Compile.
func Request(m *model.Model) catalog.Request {
	r := requester{tables: map[model.TableName]bool{}, exprs: map[catalog.Expr]bool{}}
	for _, t := range m.Types {
		r.table(t.Table)
		r.predicate(t.Table, t.Where)
		for _, f := range t.Fields {
			r.field(t, f)
		}
	}
	return r.out
}

type requester struct {
	out    catalog.Request
	tables map[model.TableName]bool
	exprs  map[catalog.Expr]bool
}

func (r *requester) field(t *model.Type, f *model.Field) {
	switch f.Kind {
	case model.Computed:
		r.expr(computed(t, f))
	case model.Relates:
		r.predicate(t.Table, f.Relation.When)
		r.predicate(f.Relation.Target.Table, f.Relation.Where)
		if f.Relation.Kind == model.ManyToMany {
			r.table(f.Relation.Through)
		}
	}
}

func (r *requester) table(n model.TableName) {
	if !r.tables[n] {
		r.tables[n] = true
		r.out.Tables = append(r.out.Tables, n)
	}
}

func (r *requester) predicate(table model.TableName, sql string) {
	if sql != "" {
		r.expr(catalog.Expr{Table: table, SQL: sql, Predicate: true})
	}
}

func (r *requester) expr(e catalog.Expr) {
	if !r.exprs[e] {
		r.exprs[e] = true
		r.out.Exprs = append(r.out.Exprs, e)
	}
}

// computed is the expression of a @computed field.
func computed(t *model.Type, f *model.Field) catalog.Expr {
	return catalog.Expr{Table: t.Table, SQL: f.SQL}
}
