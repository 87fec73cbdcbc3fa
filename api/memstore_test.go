package api

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/jackc/pglogrepl"

	"freshet/api/page"
	"freshet/api/served"
	"freshet/cache"
)

func (s *memStore) note(what string, n int) error {
	s.calls = append(s.calls, fmt.Sprintf("%s %d", what, n))
	return s.fail
}

func (s *memStore) at() cache.Position { return cache.Position{Watermark: s.lsn, Batch: s.batch} }

func (s *memStore) Documents(_ context.Context, t *served.Type, keys []string, visit func(string, []byte) error) (cache.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.note(t.Model.Name, len(keys)); err != nil {
		return s.at(), err
	}
	for _, k := range keys {
		if d, ok := s.docs[t.Model.Name][k]; ok {
			if err := visit(k, d); err != nil {
				return s.at(), err
			}
		}
	}
	return s.at(), nil
}

func (s *memStore) Lookup(_ context.Context, t *served.Type, c *page.Column, value string, visit func(string, []byte) error) (cache.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.note(t.Model.Name+"."+c.Path, 1); err != nil {
		return s.at(), err
	}
	for k, d := range s.docs[t.Model.Name] {
		if v := s.column(t.Table, c, k, d); v != nil && *v == value {
			return s.at(), visit(k, d)
		}
	}
	return s.at(), nil
}

func (s *memStore) Watermark(context.Context) (pglogrepl.LSN, cache.Lags, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lsn, s.lags, s.fail
}

// column returns a column's value, taken from the document.
func (s *memStore) column(t *page.Table, c *page.Column, key string, data []byte) *string {
	if c == t.Key {
		return &key
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		panic(err)
	}
	for _, name := range strings.Split(c.Path, ".") {
		o, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = o[name]
	}
	if o, ok := v.(map[string]any); ok {
		v = o["id"]
	}
	if v == nil {
		return nil
	}
	text := fmt.Sprint(v)
	return &text
}

// Page evaluates a query as SQL would.
func (s *memStore) Page(_ context.Context, q *page.Query, visit func(PageRow) error) (PageSummary, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.note("page of "+q.Table.Type, q.Limit); err != nil {
		return PageSummary{}, err
	}
	rows := s.matching(q)
	sum := PageSummary{Watermark: s.lsn, Batch: s.batch, Count: int64(len(rows))}
	var inside []PageRow
	for _, r := range rows {
		after := q.After == nil || compareRows(q.Order, r.Order, q.After) > 0
		before := q.Before == nil || compareRows(q.Order, r.Order, q.Before) < 0
		if after && before {
			inside = append(inside, r)
		}
		sum.Beyond = sum.Beyond || !q.Backward && q.After != nil && !after || q.Backward && q.Before != nil && !before
	}
	if q.Backward {
		for i, j := 0, len(inside)-1; i < j; i, j = i+1, j-1 {
			inside[i], inside[j] = inside[j], inside[i]
		}
	}
	for _, a := range q.Aggregates {
		sum.Aggregates = append(sum.Aggregates, s.aggregate(q, a))
	}
	inside = inside[min(q.Offset, len(inside)):]
	for i, r := range inside {
		if i > q.Limit || q.Exact && i == q.Limit {
			break
		}
		if !q.Documents {
			r.Data = nil
		}
		if err := visit(r); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// aggregate evaluates an aggregate, for small whole numbers and text.
func (s *memStore) aggregate(q *page.Query, a page.Aggregate) []byte {
	var values []string
	total := 0.0
	for _, r := range s.matching(q) {
		if v := s.column(q.Table, a.Column, r.Key, r.Data); v != nil {
			values = append(values, *v)
			var n float64
			fmt.Sscan(*v, &n)
			total += n
		}
	}
	if len(values) == 0 {
		return nil
	}
	slices.SortFunc(values, func(x, y string) int { return compareText(a.Column.Base, x, y) })
	v := map[page.Fn]string{page.Min: values[0], page.Max: values[len(values)-1], page.Sum: fmt.Sprint(total), page.Avg: fmt.Sprint(total / float64(len(values)))}[a.Fn]
	if a.Type == "Int" || a.Type == "Float" {
		return []byte(v)
	}
	return appendText(nil, v)
}

func (s *memStore) matching(q *page.Query) []PageRow {
	var rows []PageRow
	for k, d := range s.docs[q.Table.Type] {
		get := func(c *page.Column) *string { return s.column(q.Table, c, k, d) }
		if q.Where != nil && !holds2(q.Where, get) {
			continue
		}
		r := PageRow{Key: k, Data: d}
		for _, t := range q.Order {
			r.Order = append(r.Order, get(t.Column))
		}
		rows = append(rows, r)
	}
	sort.Slice(rows, func(i, j int) bool { return compareRows(q.Order, rows[i].Order, rows[j].Order) < 0 })
	return rows
}

func compareRows(order []page.Term, a, b []*string) int {
	for i, t := range order {
		if c := compareTerm(t, a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

func compareTerm(t page.Term, a, b *string) int {
	first := -1
	if !t.NullsFirst {
		first = 1
	}
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return first
	case b == nil:
		return -first
	}
	c := compareText(t.Column.Base, *a, *b)
	if t.Descending {
		return -c
	}
	return c
}

func compareText(base, a, b string) int {
	if slices.Contains([]string{"int4", "int8", "numeric", "float8"}, base) {
		var x, y float64
		fmt.Sscan(a, &x)
		fmt.Sscan(b, &y)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	return strings.Compare(a, b)
}

// holds2 evaluates a condition with two truth values, as conditions are meant.
func holds2(c page.Cond, get func(*page.Column) *string) bool {
	switch c := c.(type) {
	case page.All:
		for _, sub := range c {
			if !holds2(sub, get) {
				return false
			}
		}
		return true
	case page.Any:
		for _, sub := range c {
			if holds2(sub, get) {
				return true
			}
		}
		return false
	case page.Not:
		return !holds2(c.Cond, get)
	case page.Compare:
		return compares(c, get(c.Column))
	}
	panic(fmt.Sprintf("unknown condition %T", c))
}

func compares(c page.Compare, v *string) bool {
	switch c.Op {
	case page.IsNull:
		return v == nil
	case page.IsNotNull:
		return v != nil
	case page.Ne:
		return v == nil || *v != c.Values[0]
	case page.NotIn:
		for _, x := range c.Values {
			if v != nil && *v == x {
				return false
			}
		}
		return true
	}
	if v == nil {
		return false
	}
	cmp := 0
	if len(c.Values) > 0 {
		cmp = compareText(c.Column.Base, *v, c.Values[0])
	}
	switch c.Op {
	case page.Eq:
		return cmp == 0
	case page.In:
		for _, x := range c.Values {
			if *v == x {
				return true
			}
		}
		return false
	case page.Lt:
		return cmp < 0
	case page.Lte:
		return cmp <= 0
	case page.Gt:
		return cmp > 0
	case page.Gte:
		return cmp >= 0
	case page.StartsWith:
		return strings.HasPrefix(*v, c.Values[0])
	case page.Contains:
		return strings.Contains(*v, c.Values[0])
	}
	panic("the memory store has no " + string(c.Op))
}
