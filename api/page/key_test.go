package page

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// variants are questions that differ in one thing each from the first.
func variants(tb *Table) map[string]*Query {
	created, rank, title, mood := tb.Columns[0], tb.Columns[1], tb.Columns[2], tb.Columns[3]
	eq := func(c *Column, v ...string) Cond { return Compare{c, Eq, v} }
	base := func(change func(*Query)) *Query {
		q := &Query{Table: tb, Limit: 10, Order: []Term{{Column: rank}, {Column: tb.Key}}, Where: All{eq(title, "ab"), eq(mood, "c")}}
		change(q)
		return q
	}
	where := func(c Cond) *Query { return base(func(q *Query) { q.Where = c }) }
	return map[string]*Query{
		"base":          base(func(*Query) {}),
		"limit":         base(func(q *Query) { q.Limit = 11 }),
		"offset":        base(func(q *Query) { q.Offset = 10 }),
		"exact":         base(func(q *Query) { q.Exact = true }),
		"backward":      base(func(q *Query) { q.Backward = true }),
		"count":         base(func(q *Query) { q.Count = true }),
		"order":         base(func(q *Query) { q.Order = []Term{{Column: created}, {Column: tb.Key}} }),
		"descending":    base(func(q *Query) { q.Order = []Term{{Column: rank, Descending: true}, {Column: tb.Key}} }),
		"nulls first":   base(func(q *Query) { q.Order = []Term{{Column: rank, NullsFirst: true}, {Column: tb.Key}} }),
		"after":         base(func(q *Query) { q.After = []*string{text("1"), text("k")} }),
		"after beyond":  base(func(q *Query) { q.After, q.Beyond = []*string{text("1"), text("k")}, true }),
		"after null":    base(func(q *Query) { q.After = []*string{nil, text("k")} }),
		"before":        base(func(q *Query) { q.Before = []*string{text("1"), text("k")} }),
		"min":           base(func(q *Query) { q.Aggregates = []Aggregate{{Min, rank, "Int"}} }),
		"max":           base(func(q *Query) { q.Aggregates = []Aggregate{{Max, rank, "Int"}} }),
		"min of other":  base(func(q *Query) { q.Aggregates = []Aggregate{{Min, created, "Int"}} }),
		"min as other":  base(func(q *Query) { q.Aggregates = []Aggregate{{Min, rank, "Float"}} }),
		"two":           base(func(q *Query) { q.Aggregates = []Aggregate{{Min, rank, "Int"}, {Max, rank, "Int"}} }),
		"no where":      where(nil),
		"other value":   where(All{eq(title, "ac"), eq(mood, "c")}),
		"moved text":    where(All{eq(title, "a"), eq(mood, "bc")}),
		"other column":  where(All{eq(mood, "ab"), eq(mood, "c")}),
		"other op":      where(All{Compare{title, Ne, []string{"ab"}}, eq(mood, "c")}),
		"any":           where(Any{eq(title, "ab"), eq(mood, "c")}),
		"not":           where(Not{All{eq(title, "ab"), eq(mood, "c")}}),
		"nested":        where(All{eq(title, "ab"), All{eq(mood, "c")}}),
		"nested before": where(All{All{eq(title, "ab")}, eq(mood, "c")}),
		"values":        where(Compare{title, In, []string{"a", "b"}}),
		"one value":     where(Compare{title, In, []string{"a\x01b"}}),
		"no value":      where(Compare{title, In, nil}),
		"long":          where(eq(title, strings.Repeat("x", 10_000))),
		"long other":    where(eq(title, strings.Repeat("x", 9_999)+"y")),
	}
}

// TestKey: questions that differ have keys that differ, of bounded length; and
// what is said of the documents makes no difference.
func TestKey(t *testing.T) {
	seen := map[string]string{}
	for name, q := range variants(table()) {
		key := q.Key()
		if other, ok := seen[key]; ok {
			t.Errorf("%q and %q have one key", name, other)
		}
		seen[key] = name
		if len(key) > maxKey {
			t.Errorf("the key of %q has %d bytes", name, len(key))
		}
		same := *q
		same.Documents, same.Slot = true, "other"
		if same.Key() != key {
			t.Errorf("%q: the key speaks of the documents", name)
		}
	}
}

// TestDepends: of each kind of condition, of the order and of the aggregates
// come the columns that decide; the key never changes.
func TestDepends(t *testing.T) {
	tb := table()
	created, rank, title, mood, author := tb.Columns[0], tb.Columns[1], tb.Columns[2], tb.Columns[3], tb.Columns[4]
	q := &Query{Table: tb, Order: tb.Total(nil), Where: Compare{tb.Key, In, []string{"1"}}}
	if got := q.Depends(); len(got) != 0 {
		t.Errorf("by key alone: %v", got)
	}
	ops := []Op{Eq, Ne, In, NotIn, Lt, Lte, Gt, Gte, IsNull, IsNotNull, Like, ILike, StartsWith, Contains}
	for _, op := range ops {
		for name, cond := range map[string]Cond{
			"": Compare{title, op, []string{"a"}}, "not": Not{Compare{title, op, []string{"a"}}},
			"all": All{Compare{tb.Key, Eq, []string{"1"}}, Compare{title, op, []string{"a"}}}, "any": Any{All{Not{Any{Compare{title, op, nil}}}}},
		} {
			q.Where = cond
			if got := fmt.Sprint(q.Depends()); got != "[title]" {
				t.Errorf("%s %s: %s", name, op, got)
			}
		}
	}
	q = &Query{Table: tb, Where: Compare{author, Eq, []string{"u"}}, Order: tb.Total([]Term{{Column: created}, {Column: author}}),
		Aggregates: []Aggregate{{Min, rank, "Int"}, {Max, mood, "Mood"}}}
	got := q.Depends()
	slices.Sort(got)
	if fmt.Sprint(got) != "[author_id created_at mood rank]" {
		t.Error(got)
	}
}

// TestTimeless: what Postgres reads as the day of the reading is no question
// that can be answered later.
func TestTimeless(t *testing.T) {
	tb := table()
	created, rank, title, mood := tb.Columns[0], tb.Columns[1], tb.Columns[2], tb.Columns[3]
	for _, c := range []struct {
		column *Column
		value  string
		want   bool
	}{
		{created, "2024-01-02T03:04:05.123456+00:00", true}, {created, "2024-01-02 03:04:05Z", true}, {created, "infinity", true},
		{created, "now", false}, {created, "TODAY", false}, {created, "2024-01-02 03:04 Europe/Rome", false},
		{rank, "7", true}, {title, "now", true}, {mood, "SAD", true}, {mood, "now()", false},
	} {
		gt := Compare{c.column, Gt, []string{c.value}}
		for _, cond := range []Cond{gt, Not{gt}, Any{All{gt}}, Compare{c.column, In, []string{"1", c.value}}} {
			if got := (&Query{Table: tb, Where: cond}).Timeless(); got != c.want {
				t.Errorf("%s %q in %T: %v", c.column.Name, c.value, cond, got)
			}
		}
		q := &Query{Table: tb, Order: []Term{{Column: c.column}}, Before: []*string{text(c.value)}}
		if q.Timeless() != c.want {
			t.Errorf("%s %q as a position: %v", c.column.Name, c.value, !c.want)
		}
	}
	if !(&Query{Table: tb}).Timeless() {
		t.Error("without any condition")
	}
}
