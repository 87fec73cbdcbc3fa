package page

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func table() *Table {
	t := &Table{Type: "Post", Schema: "app", Name: `tv_"post"`}
	t.Key = &Column{Path: "id", Name: "id", Type: "uuid", Base: "uuid", NotNull: true}
	created := &Column{Path: "createdAt", Name: "created_at", Type: "timestamp(3) with time zone", Base: "timestamptz", NotNull: true}
	rank := &Column{Path: "rank", Name: "rank", Type: "integer", Base: "int4"}
	title := &Column{Path: "title", Name: "title", Type: "character varying(5)", Base: "varchar", NotNull: true}
	mood := &Column{Path: "mood", Name: "mood", Type: "app.mood", Base: "mood"}
	author := &Column{Path: "author", Name: "author_id", Type: "uuid", Base: "uuid", NotNull: true}
	t.Columns = []*Column{created, rank, title, mood, author}
	t.Indexes = [][]*Column{{created}, {author, title}, {rank}}
	return t
}

func text(s string) *string { return &s }

// TestSQL shows the statement of each kind of page.
func TestSQL(t *testing.T) {
	tb := table()
	created, rank, title, mood, author := tb.Columns[0], tb.Columns[1], tb.Columns[2], tb.Columns[3], tb.Columns[4]
	desc := []Term{{Column: created, Descending: true, NullsFirst: true}}
	nulls := []Term{{Column: rank}, {Column: created, Descending: true, NullsFirst: true}}
	cases := []struct {
		name string
		q    Query
	}{
		{"plain", Query{}},
		{"documents, count", Query{Documents: true, Count: true}},
		{"forward", Query{Documents: true, Order: desc, After: []*string{text("2024"), text("k")}, Beyond: true}},
		{"backward", Query{Documents: true, Order: desc, Before: []*string{text("2024"), text("k")}, Backward: true, Beyond: true}},
		{"nullable, at a value", Query{Order: nulls, After: []*string{text("1"), text("2024"), text("k")}}},
		{"nullable, at null", Query{Order: nulls, After: []*string{nil, text("2024"), text("k")}}},
		{"nulls first, at null", Query{Order: []Term{{Column: rank, NullsFirst: true}}, After: []*string{nil, text("k")}}},
		{"where", Query{Where: All{
			Compare{author, Eq, []string{"u"}}, Compare{title, In, []string{"a", "b"}}, Compare{rank, NotIn, []string{"1"}}, Compare{rank, Ne, []string{"2"}},
			Compare{mood, Eq, []string{"SAD"}}, Compare{title, StartsWith, []string{`5%_\`}}, Compare{title, ILike, []string{"a%"}}, Compare{rank, IsNull, nil},
			Not{Any{Compare{rank, Lt, []string{"3"}}, Any{}, All{}}},
		}, Count: true}},
		{"plain list", Query{Documents: true, Order: desc, Exact: true, Offset: 40}},
		{"in part", Query{Documents: true, Spared: []string{"comments", "it's"}, Order: desc, Exact: true}},
		{"aggregates", Query{Where: Compare{author, Eq, []string{"u"}}, Count: true, Aggregates: []Aggregate{
			{Min, created, "DateTime"}, {Max, rank, "Int"}, {Sum, rank, "BigInt"}, {Avg, rank, "Float"},
			{Min, &Column{Name: "at", Base: "timestamp"}, "DateTime"}, {Sum, &Column{Name: "w", Base: "float4"}, "Float"},
		}}},
	}
	var out strings.Builder
	for _, c := range cases {
		c.q.Table, c.q.Limit, c.q.Slot = tb, 10, "freshet"
		c.q.Order = tb.Total(c.q.Order)
		sql, args := c.q.SQL()
		fmt.Fprintf(&out, "-- %s\n%s\n-- %v\n\n", c.name, strings.ReplaceAll(sql, " UNION ALL ", "\nUNION ALL "), args)
	}
	if *update {
		if err := os.WriteFile("testdata/page.sql", []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/page.sql")
	if err != nil || string(want) != out.String() {
		t.Errorf("testdata/page.sql differs (%v); got:\n%s", err, out.String())
	}
}

func TestCheckOrder(t *testing.T) {
	tb := table()
	created, rank, title, author := tb.Columns[0], tb.Columns[1], tb.Columns[2], tb.Columns[4]
	by := func(c *Column) []Term { return []Term{{Column: c}} }
	fixed := All{Compare{rank, Gt, []string{"1"}}, All{Compare{author, Eq, []string{"u"}}}}
	for _, c := range []struct {
		order []Term
		where Cond
		ok    bool
	}{
		{by(tb.Key), nil, true}, {by(created), nil, true}, {by(author), nil, true}, {by(title), nil, false},
		{by(title), fixed, true}, {by(title), Any{fixed}, false}, {by(title), Compare{author, In, []string{"u", "v"}}, false},
	} {
		if err := tb.CheckOrder(c.order, c.where); (err == nil) != c.ok {
			t.Errorf("%v under %v: %v", c.order, c.where, err)
		}
	}
}

func TestTotal(t *testing.T) {
	tb := table()
	created, rank := tb.Columns[0], tb.Columns[1]
	got := fmt.Sprint(tb.Total([]Term{{Column: rank}, {Column: created, Descending: true, NullsFirst: true}, {Column: rank, Descending: true}}))
	if got != "[rank createdAt desc id desc]" {
		t.Error(got)
	}
	if got := fmt.Sprint(tb.Total([]Term{{Column: tb.Key, Descending: true}, {Column: rank}})); got != "[id desc nulls]" {
		t.Error(got)
	}
}

func TestCursor(t *testing.T) {
	tb := table()
	order := tb.Total([]Term{{Column: tb.Columns[1]}})
	print := tb.Fingerprint(order)
	for _, values := range [][]*string{{nil, text("k")}, {text(""), text(`"<&>` + "é\u2028")}} {
		cursor := string(AppendCursor(nil, print, values))
		got, err := DecodeCursor(cursor, print, 2)
		if err != nil || len(got) != 2 || (got[0] == nil) != (values[0] == nil) || *got[1] != *values[1] {
			t.Errorf("%v came back as %v, %v", values, got, err)
		}
		if _, err := DecodeCursor(cursor, print+1, 2); !errors.Is(err, ErrCursorOrder) {
			t.Errorf("under another order: %v", err)
		}
		tampered(t, cursor, print)
	}
	other := tb.Fingerprint(tb.Total([]Term{{Column: tb.Columns[1], Descending: true}}))
	if other == print {
		t.Error("two orders have one fingerprint")
	}
}

// tampered changes each character of a cursor.
func tampered(t *testing.T, cursor string, print uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range cursor {
		b := []byte(cursor)
		b[i] = "ABCDEFGHIJabcdefghij0123456789-_ ="[r.IntN(34)]
		if string(b) == cursor {
			continue
		}
		if _, err := DecodeCursor(string(b), print, 2); err == nil {
			t.Errorf("%s was taken for %s", b, cursor)
		}
	}
	for _, s := range []string{"", cursor[1:], cursor + "A", cursor[:len(cursor)-4], strings.Repeat("A", 1<<20)} {
		if _, err := DecodeCursor(s, print, 2); err == nil {
			t.Errorf("%.60q was taken", s)
		}
	}
}

// FuzzCursor: no text makes the decoder panic, and what it takes it would write.
func FuzzCursor(f *testing.F) {
	f.Add(string(AppendCursor(nil, 7, []*string{nil, text("k")})))
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		values, err := DecodeCursor(s, 7, 2)
		if err != nil {
			return
		}
		again, err := DecodeCursor(string(AppendCursor(nil, 7, values)), 7, 2)
		if err != nil || len(again) != len(values) {
			t.Errorf("%q gave %v, which came back as %v, %v", s, values, again, err)
		}
	})
}
