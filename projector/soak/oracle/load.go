package oracle

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"freshet/model"
)

// cell is one value of a row: its text form (for arrays the JSON list of its
// elements' texts) and its JSON form. Both are nil for NULL.
type cell struct {
	text *string
	json json.RawMessage
}

func (c cell) null() bool { return c.text == nil }

// row is a source row of a type or of a join table: its columns, then the
// results of the type's expressions.
type row struct {
	src   *source
	cells []cell
}

// col returns the value of a column.
func (r *row) col(name string) cell { return r.cells[r.src.table.index[name]] }

// expr returns the value of one of the type's expressions.
func (r *row) expr(sql string) cell { return r.cells[len(r.src.table.columns)+r.src.exprs[sql]] }

// holds says whether a predicate of the model is true for the row; the empty
// one always is.
func (r *row) holds(sql string) bool {
	if sql == "" {
		return true
	}
	v := r.expr(sql)
	return !v.null() && *v.text == "t"
}

// tuple returns the texts of columns as one map key; ok is false where one of
// them is NULL.
func (r *row) tuple(cols []string) (key string, ok bool) {
	var b strings.Builder
	for _, c := range cols {
		v := r.col(c)
		if v.null() {
			return "", false
		}
		fmt.Fprintf(&b, "%d:%s", len(*v.text), *v.text)
	}
	return b.String(), true
}

// source holds the rows of one type (those its where lets through) or of one
// join table, and hash indexes over them, built as they are asked for.
type source struct {
	table     *table
	exprs     map[string]int // expression to its place behind the columns
	exprTypes []sqlType
	rows      []*row
	indexes   map[string]map[string][]*row
}

// by returns the rows whose columns have the values of key.
func (s *source) by(cols []string, key string) []*row {
	name := strings.Join(cols, "\x00")
	idx := s.indexes[name]
	if idx == nil {
		idx = map[string][]*row{}
		for _, r := range s.rows {
			if k, ok := r.tuple(cols); ok {
				idx[k] = append(idx[k], r)
			}
		}
		s.indexes[name] = idx
	}
	return idx[key]
}

func (s *source) addExpr(sql string) {
	if _, ok := s.exprs[sql]; sql != "" && !ok {
		s.exprs[sql] = len(s.exprs)
	}
}

// world is everything the oracle evaluates on.
type world struct {
	model  *model.Model
	types  map[*model.Type]*source
	joins  map[model.TableName]*source
	memo   map[memoKey]any
	schema *schemaReader
}

type memoKey struct {
	row *row
	sel *model.Selection
}

// load reads the rows of every type and join table.
func load(ctx context.Context, tx pgx.Tx, m *model.Model) (*world, error) {
	w := &world{model: m, types: map[*model.Type]*source{}, joins: map[model.TableName]*source{},
		memo: map[memoKey]any{}, schema: newSchemaReader(tx)}
	if err := w.declare(ctx); err != nil {
		return nil, err
	}
	for _, t := range m.Types {
		if err := w.read(ctx, tx, w.types[t], t.Where); err != nil {
			return nil, fmt.Errorf("load %s: %w", t.Name, err)
		}
	}
	for n, s := range w.joins {
		if err := w.read(ctx, tx, s, ""); err != nil {
			return nil, fmt.Errorf("load %s: %w", n, err)
		}
	}
	return w, nil
}

// declare makes the sources and collects the expressions each must evaluate.
func (w *world) declare(ctx context.Context) error {
	for _, t := range w.model.Types {
		s, err := w.newSource(ctx, t.Table)
		if err != nil {
			return err
		}
		w.types[t] = s
		s.addExpr(t.Where)
		for _, f := range t.Fields {
			s.addExpr(f.SQL)
			if f.Relation != nil {
				s.addExpr(f.Relation.When)
			}
		}
	}
	for _, t := range w.model.Types {
		for _, f := range t.Fields {
			if err := w.declareRelation(ctx, f.Relation); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *world) declareRelation(ctx context.Context, r *model.Relation) error {
	if r == nil {
		return nil
	}
	w.types[r.Target].addExpr(r.Where)
	if r.Kind != model.ManyToMany || w.joins[r.Through] != nil {
		return nil
	}
	s, err := w.newSource(ctx, r.Through)
	w.joins[r.Through] = s
	return err
}

func (w *world) newSource(ctx context.Context, n model.TableName) (*source, error) {
	t, err := w.schema.table(ctx, n)
	return &source{table: t, exprs: map[string]int{}, indexes: map[string]map[string][]*row{}}, err
}

// read fetches the rows of a source, those for which where is true.
func (w *world) read(ctx context.Context, tx pgx.Tx, s *source, where string) error {
	s.exprTypes = make([]sqlType, len(s.exprs))
	sqls := make([]string, len(s.exprs))
	for sql, i := range s.exprs {
		typ, err := w.schema.exprType(ctx, s.table, sql)
		if err != nil {
			return err
		}
		s.exprTypes[i], sqls[i] = typ, "("+sql+")"
	}
	query := s.selectRows(sqls)
	if where != "" {
		query += " WHERE (" + where + ")"
	}
	rows, err := tx.Query(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	n := len(s.table.columns) + len(sqls)
	for rows.Next() {
		r, err := scanRow(rows, s, n)
		if err != nil {
			return err
		}
		s.rows = append(s.rows, r)
	}
	return rows.Err()
}

func (s *source) selectRows(exprs []string) string {
	var items []string
	for _, c := range s.table.columns {
		items = append(items, forms(pgx.Identifier{c.name}.Sanitize(), c.typ)...)
	}
	for i, e := range exprs {
		items = append(items, forms(e, s.exprTypes[i])...)
	}
	return "SELECT " + strings.Join(items, ", ") + " FROM " + s.table.sql()
}

// forms returns the text form and the JSON form of an expression. Arrays are
// taken apart, so that every element has both. The text is that of the type's
// output function, which a cast to text is not for every type.
func forms(e string, t sqlType) []string {
	if !t.array {
		return []string{text(e), "to_jsonb(" + e + ")::text"}
	}
	list := func(elem string) string {
		return "CASE WHEN " + e + " IS NOT NULL THEN (SELECT coalesce(jsonb_agg(" + elem +
			" ORDER BY o), '[]')::text FROM unnest(" + e + ") WITH ORDINALITY AS u(e, o)) END"
	}
	return []string{list("to_jsonb(" + text("e") + ")"), list("to_jsonb(e)")}
}

func text(e string) string { return "CASE WHEN " + e + " IS NOT NULL THEN format('%s', " + e + ") END" }

func scanRow(rows pgx.Rows, s *source, n int) (*row, error) {
	r := &row{src: s, cells: make([]cell, n)}
	jsons := make([]*string, n)
	dest := make([]any, 0, 2*n)
	for i := range r.cells {
		dest = append(dest, &r.cells[i].text, &jsons[i])
	}
	if err := rows.Scan(dest...); err != nil {
		return nil, err
	}
	for i, j := range jsons {
		if j != nil {
			r.cells[i].json = json.RawMessage(*j)
		}
	}
	return r, nil
}
