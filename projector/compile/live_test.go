package compile

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"freshet/projector/catalog"
)

// live is a plan with its tables in a real database. It plays the projector's
// part with the plan's statements, and the write-ahead log's by comparing the
// source tables before and after.
type live struct {
	t    *testing.T
	conn *pgx.Conn
	plan *Plan
	lsn  pglogrepl.LSN
	// moved is what the last Apply or Patch has told of the columns, by key.
	moved map[string]int64
}

// openLive compiles testdata/name against its schema in a real database with
// some data, makes the tv_ tables and fills them.
func openLive(t *testing.T, name, data string) *live {
	t.Helper()
	l := &live{t: t, conn: openSchema(t, name), lsn: 1}
	m := parseModel(t, name)
	c, err := catalog.Load(context.Background(), l.conn, Request(m))
	if err != nil {
		t.Fatal(err)
	}
	var ds error
	plan, diagnostics := Compile(m, c)
	if ds = diagnostics.Err(); ds != nil {
		t.Fatal(ds)
	}
	l.plan = plan
	exec(t, l.conn, data)
	exec(t, l.conn, "ANALYZE")
	for _, rm := range plan.ReadModels {
		exec(t, l.conn, rm.CreateTable)
		exec(t, l.conn, rm.CreateTable)
		l.fill(rm, 3)
		for _, i := range rm.Indexes {
			exec(t, l.conn, i.SQL)
		}
	}
	return l
}

// fill runs a backfill in ranges of so many keys.
func (l *live) fill(rm *ReadModel, size int64) {
	l.t.Helper()
	bounds := l.strings(rm.Bounds, size)
	var lower *string
	var rows int64
	for _, b := range bounds {
		rows += exec(l.t, l.conn, rm.Fill, lower, b, l.lsn.String(), time.Now())
		lower = &b
	}
	rows += exec(l.t, l.conn, rm.Fill, lower, nil, l.lsn.String(), time.Now())
	if keys := l.strings(rm.Keys); int(rows) != len(keys) {
		l.t.Errorf("%s: %d rows filled of %d keys in %d ranges", rm.Name, rows, len(keys), len(bounds)+1)
	}
}

// strings returns the single text column of a query.
func (l *live) strings(sql string, args ...any) []string {
	l.t.Helper()
	rows, err := l.conn.Query(context.Background(), sql, args...)
	if err != nil {
		l.t.Fatalf("%v\n%s", err, sql)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		l.t.Fatalf("%v\n%s", err, sql)
	}
	return out
}

// difference is a row of Differences.
type difference struct {
	Key, Kind       string
	Stored, Defined *string
}

func (l *live) differences(rm *ReadModel, keys []string) map[string]difference {
	l.t.Helper()
	rows, err := l.conn.Query(context.Background(), rm.Differences, keys)
	if err != nil {
		l.t.Fatalf("%v\n%s", err, rm.Differences)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[difference])
	if err != nil {
		l.t.Fatalf("%v\n%s", err, rm.Differences)
	}
	out := map[string]difference{}
	for _, d := range list {
		out[d.Key] = d
	}
	return out
}

// apply runs Apply and returns the operation for each key written.
func (l *live) apply(rm *ReadModel, keys []string) map[string]string {
	l.t.Helper()
	return l.writes(rm, rm.Apply, keys)
}

// write runs Apply or a Patch.
func (l *live) write(sql string, keys []string) map[string]string {
	l.t.Helper()
	l.lsn++
	rows, err := l.conn.Query(context.Background(), sql, keys, l.lsn.String(), time.Now())
	if err != nil {
		l.t.Fatalf("%v\n%s", err, sql)
	}
	out := map[string]string{}
	var op rune
	var key string
	var moved int64
	l.moved = map[string]int64{}
	if _, err := pgx.ForEachRow(rows, []any{&op, &key, &moved}, func() error {
		out[key], l.moved[key] = string(op), moved
		return nil
	}); err != nil {
		l.t.Fatalf("%v\n%s", err, sql)
	}
	return out
}

// row is a source row as text, by column.
type row map[string]*string

// writes is write, and expects of every updated row to be told which of its
// index columns have changed.
func (l *live) writes(rm *ReadModel, sql string, keys []string) map[string]string {
	l.t.Helper()
	before := l.columns(rm)
	ops := l.write(sql, keys)
	after := l.columns(rm)
	for key, op := range ops {
		if op != "u" {
			continue
		}
		told, known := rm.Moved(l.moved[key])
		if !known {
			l.t.Errorf("%s %s: it is not known what moved", rm.Name, key)
		}
		for i, c := range rm.Columns {
			changed := before[key][i] != after[key][i]
			if c.Base == "numeric" && changed { // 1.0 and 1.00 are equal
				continue
			}
			if slices.Contains(told, c.Column) != changed {
				l.t.Errorf("%s %s: %s from %s to %s, and told is %v", rm.Name, key, c.Column, before[key][i], after[key][i], told)
			}
		}
	}
	return ops
}

// columns are the index columns of the stored rows as text.
func (l *live) columns(rm *ReadModel) map[string][]string {
	l.t.Helper()
	items := []string{ident(rm.Key.Column) + "::text"}
	for _, c := range rm.Columns {
		items = append(items, "coalesce(quote_literal("+ident(c.Column)+"::text), 'NULL')")
	}
	rows, err := l.conn.Query(context.Background(), "SELECT ARRAY["+strings.Join(items, ", ")+"] FROM "+qualified(rm.Table))
	if err != nil {
		l.t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[[]string])
	if err != nil {
		l.t.Fatal(err)
	}
	out := map[string][]string{}
	for _, row := range all {
		out[row[0]] = row[1:]
	}
	return out
}

// rows reads a source table, by its primary key, or whole rows where it has none.
func (l *live) rows(s *Source) map[string]row {
	l.t.Helper()
	var items, key []string
	for _, c := range s.Table.Columns {
		items = append(items, ident(c.Name)+"::text")
	}
	if key = s.Table.PrimaryKey(); key == nil {
		key = columnNames(s.Table)
	}
	rows, err := l.conn.Query(context.Background(), "SELECT "+strings.Join(items, ", ")+" FROM "+qualified(s.Table.Name))
	if err != nil {
		l.t.Fatal(err)
	}
	out := map[string]row{}
	for rows.Next() {
		values := make([]*string, len(items))
		into := make([]any, len(items))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			l.t.Fatal(err)
		}
		r := row{}
		for i, c := range s.Table.Columns {
			r[c.Name] = values[i]
		}
		id := rowText(r, key)
		for n := 0; out[id] != nil; n++ { // duplicates of a table without a key
			id = fmt.Sprintf("%s #%d", rowText(r, key), n)
		}
		out[id] = r
	}
	if err := rows.Err(); err != nil {
		l.t.Fatal(err)
	}
	return out
}

func rowText(r row, columns []string) string {
	var b strings.Builder
	for _, c := range columns {
		if r[c] == nil {
			b.WriteString("NULL,")
		} else {
			fmt.Fprintf(&b, "%q,", *r[c])
		}
	}
	return b.String()
}

// snapshot reads all source tables.
func (l *live) snapshot() map[*Source]map[string]row {
	out := map[*Source]map[string]row{}
	for _, s := range l.plan.Sources {
		out[s] = l.rows(s)
	}
	return out
}

// affected follows the paths of every row that changed between two snapshots,
// from its new values and, where the replica identity need hold them, its old.
func (l *live) affected(before, after map[*Source]map[string]row) map[*ReadModel]map[string]bool {
	l.t.Helper()
	out := map[*ReadModel]map[string]bool{}
	for _, rm := range l.plan.ReadModels {
		out[rm] = map[string]bool{}
	}
	for p, starts := range l.starts(before, after, nil) {
		l.follow(p, starts, out[p.Model])
	}
	return out
}

// starts are the values that the paths begin with for every row that changed
// between two snapshots. Those of rows that a patch of their own is enough for
// go to own, where that is given.
func (l *live) starts(before, after map[*Source]map[string]row, own map[*Path]map[string][]string) map[*Path]map[string][]string {
	out := map[*Path]map[string][]string{}
	for _, s := range l.plan.Sources {
		for _, p := range s.Paths {
			all, patched := map[string][]string{}, map[string][]string{}
			starts := all
			add := func(r row) {
				var values []string
				for _, c := range p.Start {
					if r[c] == nil {
						return
					}
					values = append(values, *r[c])
				}
				starts[strings.Join(values, "\x00")] = values
			}
			for _, id := range slices.Compact(slices.Sorted(keysOf(before[s], after[s]))) {
				old, now := before[s][id], after[s][id]
				if old != nil && now != nil && rowText(old, p.Reads) == rowText(now, p.Reads) {
					continue
				}
				starts = all
				if own != nil && len(p.Kept) > 0 && old != nil && now != nil && rowText(old, p.Kept) == rowText(now, p.Kept) {
					starts = patched
				}
				if old != nil && subset(p.Start, s.Identity) {
					add(old)
				}
				if now != nil {
					add(now)
				}
			}
			out[p] = all
			if own != nil {
				own[p] = patched
			}
		}
	}
	return out
}

func keysOf(a, b map[string]row) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, m := range []map[string]row{a, b} {
			for k := range maps.Keys(m) {
				if !yield(k) {
					return
				}
			}
		}
	}
}

func (l *live) follow(p *Path, starts map[string][]string, into map[string]bool) {
	l.t.Helper()
	if len(starts) == 0 {
		return
	}
	args := arrays(p, starts)
	if p.Direct {
		for _, key := range args[0].([]string) {
			into[key] = true
		}
		return
	}
	for _, key := range l.strings(p.SQL, args...) {
		into[key] = true
	}
}

// arrays are the values as the arguments of the path's queries.
func arrays(p *Path, starts map[string][]string) []any {
	args := make([]any, len(p.Start))
	for i := range args {
		var values []string
		for _, k := range slices.Sorted(maps.Keys(starts)) {
			values = append(values, starts[k][i])
		}
		args[i] = values
	}
	return args
}

// step runs a change of the source, brings the documents up to date, and holds
// them against their definition. It returns how many documents were written.
func (l *live) step(change func()) int {
	l.t.Helper()
	before := l.snapshot()
	change()
	affected := l.affected(before, l.snapshot())
	written := 0
	for _, rm := range l.plan.ReadModels {
		stale := l.differences(rm, l.strings(rm.Keys))
		for key, d := range stale {
			if !affected[rm][key] {
				l.t.Errorf("%s %s differs (%s), and no path led to it:\n%s", rm.Name, key, d.Kind, documentDiff(d))
			}
		}
		ops := l.apply(rm, slices.Sorted(maps.Keys(affected[rm])))
		written += len(ops)
		for key, op := range ops {
			want := map[string]string{"missing": "i", "data": "u", "columns": "u", "extra": "d"}[stale[key].Kind]
			if op != want {
				l.t.Errorf("%s %s: Apply says %s, and it was %q", rm.Name, key, op, stale[key].Kind)
			}
		}
		if again := l.apply(rm, slices.Sorted(maps.Keys(affected[rm]))); len(again) != 0 {
			l.t.Errorf("%s: a second Apply wrote %v", rm.Name, again)
		}
		l.verify(rm)
	}
	return written
}

// verify compares all documents with their definition.
func (l *live) verify(rm *ReadModel) {
	l.t.Helper()
	for key, d := range l.differences(rm, l.strings(rm.Keys)) {
		l.t.Errorf("%s %s: %s:\n%s", rm.Name, key, d.Kind, documentDiff(d))
	}
}

func documentDiff(d difference) string {
	var stored, defined any
	if d.Stored != nil {
		_ = json.Unmarshal([]byte(*d.Stored), &stored)
	}
	if d.Defined != nil {
		_ = json.Unmarshal([]byte(*d.Defined), &defined)
	}
	return cmp.Diff(stored, defined)
}
