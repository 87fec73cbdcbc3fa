package api

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"freshet/api/page"
	"freshet/api/served"
)

// Bounds of one where.
const (
	maxComparisons = 200   // comparisons, and the operands of and, or and not
	maxValues      = 1_000 // of in and nin, all together
)

// where turns a where argument into a condition; null is none.
func where(in *served.Input, v any) (page.Cond, error) {
	if v == nil {
		return nil, nil
	}
	w := &whereReader{root: in}
	conds, err := w.object(in, v)
	if err != nil {
		return nil, err
	}
	return conds, nil
}

// whereReader reads a where argument, and counts.
type whereReader struct {
	root   *served.Input
	count  int
	values int
}

// more counts one comparison, or one operand of and, or and not.
func (w *whereReader) more() error {
	if w.count++; w.count > maxComparisons {
		return fmt.Errorf("where has more than %d comparisons, and operands of and, or and not", maxComparisons)
	}
	return nil
}

// operand reads what and, or or not is of.
func (w *whereReader) operand(in *served.Input, v any) (page.All, error) {
	if err := w.more(); err != nil {
		return nil, err
	}
	return w.object(in, v)
}

// object reads an input object: all of its fields must hold. Fields are taken
// in the schema's order, so that the same question has the same SQL.
func (w *whereReader) object(in *served.Input, v any) (page.All, error) {
	given, _ := v.(map[string]any)
	var conds page.All
	for i := range in.Fields {
		f := &in.Fields[i]
		value, ok := given[f.Name]
		if !ok || value == nil {
			continue
		}
		sub, err := w.field(f, value)
		if err != nil {
			return nil, err
		}
		conds = append(conds, sub...)
	}
	if in != w.root {
		return conds, nil
	}
	return w.combined(in, given, conds)
}

func (w *whereReader) field(f *served.InputField, value any) (page.All, error) {
	if f.Sub != nil {
		return w.object(f.Sub, value)
	}
	return w.operators(f, value)
}

// combined adds what and, or and not say.
func (w *whereReader) combined(in *served.Input, given map[string]any, conds page.All) (page.All, error) {
	for _, item := range listOf(given[in.And]) {
		sub, err := w.operand(in, item)
		if err != nil {
			return nil, err
		}
		conds = append(conds, sub)
	}
	if v, ok := given[in.Or]; ok && v != nil {
		anyOf := page.Any{}
		for _, item := range listOf(v) {
			sub, err := w.operand(in, item)
			if err != nil {
				return nil, err
			}
			anyOf = append(anyOf, sub)
		}
		conds = append(conds, anyOf)
	}
	if v, ok := given[in.Not]; ok && v != nil {
		sub, err := w.operand(in, v)
		if err != nil {
			return nil, err
		}
		conds = append(conds, page.Not{Cond: sub})
	}
	return conds, nil
}

// operators reads the comparisons of one column.
func (w *whereReader) operators(f *served.InputField, v any) (page.All, error) {
	given, _ := v.(map[string]any)
	var conds page.All
	for _, name := range served.OperatorsOf(f.Type) {
		value, ok := given[name]
		if !ok {
			continue
		}
		if err := w.more(); err != nil {
			return nil, err
		}
		if list, ok := value.([]any); ok {
			if w.values += len(list); w.values > maxValues {
				return nil, fmt.Errorf("where has more than %d values in in and nin", maxValues)
			}
		}
		c, err := comparison(f, page.Op(name), value)
		if err != nil {
			return nil, fmt.Errorf("where: %s.%s: %w", f.Column.Path, name, err)
		}
		conds = append(conds, c)
	}
	return conds, nil
}

// never and always hold for no row and for all.
var (
	never  = page.Any{}
	always = page.All{}
)

// comparison reads one operator. A value that the column cannot hold, such as
// a malformed uuid, equals no row's.
func comparison(f *served.InputField, op page.Op, v any) (page.Cond, error) {
	c := f.Column
	if op == page.IsNull {
		return isNull(c, v)
	}
	if op == page.In || op == page.NotIn {
		return membership(f, op, v)
	}
	if v == nil {
		return nullComparison(c, op)
	}
	value, ok, err := operand(f, v)
	if err != nil {
		return nil, err
	}
	switch {
	case ok:
		return page.Compare{Column: c, Op: op, Values: []string{value}}, nil
	case op == page.Ne:
		return always, nil
	default:
		return never, nil
	}
}

func isNull(c *page.Column, v any) (page.Cond, error) {
	b, ok := v.(bool)
	if !ok {
		return nil, errors.New("it must be true or false")
	}
	if b {
		return page.Compare{Column: c, Op: page.IsNull}, nil
	}
	return page.Compare{Column: c, Op: page.IsNotNull}, nil
}

// nullComparison is a comparison with null, which has a meaning for eq and ne.
func nullComparison(c *page.Column, op page.Op) (page.Cond, error) {
	switch op {
	case page.Eq:
		return page.Compare{Column: c, Op: page.IsNull}, nil
	case page.Ne:
		return page.Compare{Column: c, Op: page.IsNotNull}, nil
	}
	return nil, errors.New("it must not be null")
}

func membership(f *served.InputField, op page.Op, v any) (page.Cond, error) {
	if v == nil {
		return nil, errors.New("it must not be null")
	}
	values := []string{}
	for _, item := range listOf(v) {
		value, ok, err := operand(f, item)
		if err != nil {
			return nil, err
		}
		if ok {
			values = append(values, value)
		}
	}
	return page.Compare{Column: f.Column, Op: op, Values: values}, nil
}

// operand returns a value in Postgres' text form; ok is false if no row can
// have it.
func operand(f *served.InputField, v any) (value string, ok bool, err error) {
	if f.Type == "Bytes" {
		s, _ := v.(string)
		raw, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return "", false, errors.New("it is not base64")
		}
		return `\x` + hex.EncodeToString(raw), true, nil
	}
	if f.Type == "ID" || f.Type == "UUID" || f.Column.Base == "uuid" {
		value, ok = keyText(f.Column, v)
		return value, ok, nil
	}
	value, ok = scalarText(v)
	if !ok || !storable(value) {
		return "", false, fmt.Errorf("it is not a %s", f.Type)
	}
	return value, true, nil
}
