package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"freshet/api/page"
	"freshet/api/served"
)

// listQuery turns the arguments of a list into a query. Its errors are for the
// client.
func (s *Server) listQuery(f *rootField, vars *variables) (*page.Query, error) {
	t := f.root.Type
	q := &page.Query{Table: t.Table}
	arg := func(name string) any {
		v, _ := argument(f.args, f.argDefs, name, vars)
		return v
	}
	if err := s.extent(q, f, arg); err != nil {
		return nil, err
	}
	var err error
	if q.Where, err = where(t.Filter, arg("where")); err != nil {
		return nil, err
	}
	if q.Order, err = orderTerms(t, arg("orderBy")); err != nil {
		return nil, err
	}
	if err := t.Table.CheckOrder(q.Order, q.Where); err != nil {
		return nil, err
	}
	q.Order = t.Table.Total(q.Order)
	if q.After, err = position(q, "after", arg("after")); err != nil {
		return nil, err
	}
	q.Before, err = position(q, "before", arg("before"))
	return q, err
}

// extent sets how much of a list is wanted.
func (s *Server) extent(q *page.Query, f *rootField, arg func(string) any) error {
	if s.cfg.CacheBytes == 0 {
		q.Spared = spared(f)
	}
	if f.kind == rootPlain {
		q.Documents, q.Exact = true, true
		return s.slice(q, arg("limit"), arg("offset"))
	}
	q.Documents, q.Count, q.Beyond, q.Aggregates = f.list.documents, f.list.count, f.list.pageInfo, f.list.aggregates
	q.Exact = !f.list.pageInfo // nobody asks whether there are more
	return s.pageSize(q, arg("first"), arg("last"))
}

// slice sets limit and offset.
func (s *Server) slice(q *page.Query, limit, offset any) (err error) {
	if q.Limit, err = bounded("limit", limit, s.cfg.DefaultPage, s.cfg.MaxPage, "use offset to go on"); err != nil {
		return err
	}
	q.Offset, err = bounded("offset", offset, 0, s.cfg.MaxOffset, "use the connection and its cursors to go further")
	return err
}

// bounded reads a number from 0 to a limit.
func bounded(name string, v any, def, limit int, remedy string) (int, error) {
	if v == nil {
		return def, nil
	}
	n, ok := intOf(v)
	if !ok || n < 0 {
		return 0, fmt.Errorf("%s must not be negative", name)
	}
	if n > int64(limit) {
		return 0, fmt.Errorf("%s is %d, and the most that can be asked for at once is %d: %s", name, n, limit, remedy)
	}
	return int(n), nil
}

// pageSize sets limit and direction.
func (s *Server) pageSize(q *page.Query, first, last any) error {
	if first != nil && last != nil {
		return errors.New("first and last cannot be used together")
	}
	name, v := "first", first
	if last != nil {
		name, v, q.Backward = "last", last, true
	}
	var err error
	q.Limit, err = bounded(name, v, s.cfg.DefaultPage, s.cfg.MaxPage, "use after and before to go on")
	return err
}

func intOf(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case json.Number:
		n, err := strconv.ParseInt(v.String(), 10, 64)
		return n, err == nil
	}
	return 0, false
}

// position decodes a cursor.
func position(q *page.Query, name string, v any) ([]*string, error) {
	cursor, ok := v.(string)
	if !ok {
		return nil, nil
	}
	values, err := page.DecodeCursor(cursor, q.Table.Fingerprint(q.Order), len(q.Order))
	if err != nil {
		return nil, fmt.Errorf("%s is not usable: %w", name, err)
	}
	return values, nil
}

// orderTerms turns orderBy into terms.
func orderTerms(t *served.Type, v any) ([]page.Term, error) {
	var terms []page.Term
	for _, item := range listOf(v) {
		term, err := orderTerm(t.Order, item)
		if err != nil {
			return nil, err
		}
		terms = append(terms, term)
	}
	if len(terms) == 0 {
		terms = append(terms, page.Term{Column: t.Table.Key})
	}
	return terms, nil
}

// listOf returns a list, also of one value alone; null is none.
func listOf(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

func orderTerm(in *served.Input, v any) (page.Term, error) {
	object, _ := v.(map[string]any)
	if len(object) != 1 {
		return page.Term{}, fmt.Errorf("each %s of orderBy must have exactly one field: their order would not be known", in.Name)
	}
	for name, value := range object {
		f := in.Field(name)
		if f == nil {
			return page.Term{}, fmt.Errorf("orderBy has no field %q", name)
		}
		if f.Sub != nil {
			return orderTerm(f.Sub, value)
		}
		direction, ok := value.(string)
		if !ok {
			return page.Term{}, fmt.Errorf("the direction of %s in orderBy must not be null", name)
		}
		term := directions[direction]
		term.Column = f.Column
		return term, nil
	}
	return page.Term{}, nil // not reached: the object has a field
}

// directions has Postgres' own placement of nulls where none is said.
var directions = map[string]page.Term{
	"ASC":              {},
	"ASC_NULLS_FIRST":  {NullsFirst: true},
	"ASC_NULLS_LAST":   {},
	"DESC":             {Descending: true, NullsFirst: true},
	"DESC_NULLS_FIRST": {Descending: true, NullsFirst: true},
	"DESC_NULLS_LAST":  {Descending: true},
}
