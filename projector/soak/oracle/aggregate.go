package oracle

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"

	"freshet/model"
)

// approx is a number whose last digits may differ; asText says that the
// document holds it as a string.
type approx struct {
	value  float64
	asText bool
}

// aggregate evaluates an @aggregate field for a row.
func (w *world) aggregate(r *row, f *model.Field) (any, error) {
	rows, err := w.related(r, f.Agg.Of.Relation)
	if err != nil {
		return nil, err
	}
	if f.Agg.Fn == model.Count {
		return json.Number(strconv.Itoa(len(rows))), nil
	}
	var cells []cell
	var typ sqlType
	for _, t := range rows {
		var c cell
		if c, typ = t.field(f.Agg.Field); !c.null() {
			cells = append(cells, c)
		}
	}
	if len(cells) == 0 {
		return emptyAggregate(f), nil
	}
	switch f.Agg.Fn {
	case model.Min, model.Max:
		return encode(f.Agg.Field.Type, typ, extreme(cells, typ, f.Agg.Fn == model.Max))
	case model.Sum:
		return sum(cells, typ)
	case model.Avg:
		return average(cells, typ)
	}
	return nil, fmt.Errorf("oracle: unknown aggregate %s", f.Agg.Fn)
}

// emptyAggregate is SUM, AVG, MIN or MAX of nothing.
func emptyAggregate(*model.Field) any { return nil }

func extreme(cells []cell, t sqlType, max bool) cell {
	best := cells[0]
	for _, c := range cells[1:] {
		if d := compareCells(t, *c.text, *best.text); d > 0 && max || d < 0 && !max {
			best = c
		}
	}
	return best
}

func total(cells []cell) (*big.Rat, int, error) {
	sum, scale := new(big.Rat), 0
	for _, c := range cells {
		v, ok := new(big.Rat).SetString(*c.text)
		if !ok {
			return nil, 0, fmt.Errorf("oracle: cannot add %q", *c.text)
		}
		sum.Add(sum, v)
		scale = max(scale, scaleOf(*c.text))
	}
	return sum, scale, nil
}

// scaleOf is the number of digits behind the point.
func scaleOf(s string) int {
	for i, r := range s {
		if r == '.' {
			return len(s) - i - 1
		}
	}
	return 0
}

func sum(cells []cell, t sqlType) (any, error) {
	s, scale, err := total(cells)
	if err != nil {
		return nil, err
	}
	if t.base == "float4" || t.base == "float8" {
		f, _ := s.Float64()
		return approx{value: f}, nil
	}
	return s.FloatString(scale), nil
}

func average(cells []cell, t sqlType) (any, error) {
	s, _, err := total(cells)
	if err != nil {
		return nil, err
	}
	f, _ := s.Quo(s, new(big.Rat).SetInt64(int64(len(cells)))).Float64()
	return approx{value: f, asText: t.base == "numeric" || t.base == "int8"}, nil
}
