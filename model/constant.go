package model

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
)

// constant says how the constants of a scalar are written in a filter, and
// what of them is valid.
type constant struct {
	kinds []ast.ValueKind
	// parse returns the form that Postgres takes.
	parse   func(string) (string, bool)
	example string
}

func (c constant) read(v *ast.Value) (string, bool) {
	kind := v.Kind
	if kind == ast.BlockValue {
		kind = ast.StringValue
	}
	if !slices.Contains(c.kinds, kind) || strings.ContainsRune(v.Raw, 0) {
		return "", false
	}
	return c.parse(v.Raw)
}

func (c constant) remedy() string {
	if c.example == "" {
		return ""
	}
	return "Write it such as " + c.example + "."
}

// constants has an entry for every scalar that can be compared.
var constants = map[string]constant{
	"ID":            {[]ast.ValueKind{ast.StringValue, ast.IntValue}, asIs, `"17"`},
	"String":        {[]ast.ValueKind{ast.StringValue}, asIs, `"text"`},
	"Int":           {[]ast.ValueKind{ast.IntValue}, integer(32), "17"},
	"BigInt":        {[]ast.ValueKind{ast.IntValue, ast.StringValue}, integer(64), `"9007199254740993"`},
	"Float":         {[]ast.ValueKind{ast.IntValue, ast.FloatValue}, float, "1.5"},
	"Decimal":       {[]ast.ValueKind{ast.IntValue, ast.FloatValue, ast.StringValue}, matching(decimalForm), `"19.99"`},
	"Boolean":       {[]ast.ValueKind{ast.BooleanValue}, asIs, "true"},
	"DateTime":      {[]ast.ValueKind{ast.StringValue}, instant, `"2024-01-02T03:04:05Z"`},
	"LocalDateTime": {[]ast.ValueKind{ast.StringValue}, layouts("2006-01-02T15:04:05", "2006-01-02 15:04:05"), `"2024-01-02T03:04:05"`},
	"Date":          {[]ast.ValueKind{ast.StringValue}, layouts(time.DateOnly), `"2024-01-02"`},
	"Time":          {[]ast.ValueKind{ast.StringValue}, layouts("15:04:05", "15:04", "15:04:05Z07:00"), `"03:04:05"`},
	"Duration":      {[]ast.ValueKind{ast.StringValue}, matching(durationForm), `"P1DT2H"`},
	"UUID":          {[]ast.ValueKind{ast.StringValue}, matching(uuidForm), `"0190b6a2-7c5e-7d3f-8e21-3a4b5c6d7e8f"`},
}

var (
	decimalForm  = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$`)
	uuidForm     = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	durationForm = regexp.MustCompile(`^P(-?[0-9]+[YMWD])*(T(-?[0-9]+(\.[0-9]+)?[HMS])+)?$`)
)

func asIs(s string) (string, bool) { return s, true }

func matching(form *regexp.Regexp) func(string) (string, bool) {
	return func(s string) (string, bool) { return s, form.MatchString(s) && s != "P" }
}

func integer(bits int) func(string) (string, bool) {
	return func(s string) (string, bool) {
		n, err := strconv.ParseInt(s, 10, bits)
		return strconv.FormatInt(n, 10), err == nil
	}
}

func float(s string) (string, bool) {
	n, err := strconv.ParseFloat(s, 64)
	return s, err == nil && !math.IsInf(n, 0)
}

func layouts(forms ...string) func(string) (string, bool) {
	return func(s string) (string, bool) {
		for _, form := range forms {
			if _, err := time.Parse(form, s); err == nil {
				return s, true
			}
		}
		return "", false
	}
}

// instant writes the time in UTC, because a DateTime may stand for a column of
// type timestamp, of which Postgres would ignore any other offset.
func instant(s string) (string, bool) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return "", false
	}
	return t.UTC().Format("2006-01-02 15:04:05.999999999+00"), true
}
