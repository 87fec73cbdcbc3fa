package catalog_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"freshet/deploy/pgserver/pgtest"
	"freshet/model"
	"freshet/projector/catalog"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func named(names ...string) []model.TableName {
	list := make([]model.TableName, len(names))
	for i, n := range names {
		list[i].Name = n
	}
	return list
}

func load(t *testing.T, req catalog.Request) *catalog.Catalog {
	t.Helper()
	script, err := os.ReadFile("testdata/everything.sql")
	if err != nil {
		t.Fatal(err)
	}
	url := pgtest.Database(t)
	pgtest.Exec(t, url, string(script))
	conn := pgtest.Connect(t, url)
	cat, err := catalog.Load(t.Context(), conn, req)
	if err != nil {
		t.Fatal(err)
	}
	if s := conn.PgConn().TxStatus(); s != 'I' {
		t.Errorf("the connection was left in state %q", s)
	}
	return cat
}

const longName = "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc"

func TestNames(t *testing.T) {
	weird := model.TableName{Schema: `Weird "Schema"`, Name: `we're "quoted" Ünïcödé 表 select`}
	names := append(named("tb_same", "TB_Same", "tb_SAME", "only_there", "missing", longName, longName+"x", "pg_class", `"TB_Same"`, "public.tb_same", ""),
		weird, model.TableName{Schema: "other", Name: "tb_same"}, model.TableName{Schema: "nope", Name: "tb_same"},
		model.TableName{Schema: "PUBLIC", Name: "tb_same"}, model.TableName{Schema: "other", Name: "only_there"})
	cat := load(t, catalog.Request{Tables: names})
	want := map[model.TableName]string{
		{Name: "tb_same"}:                     "public.tb_same",
		{Name: "TB_Same"}:                     "public.TB_Same",
		{Name: longName}:                      "public." + longName,
		{Name: "pg_class"}:                    "pg_catalog.pg_class",
		weird:                                 weird.String(),
		{Schema: "other", Name: "tb_same"}:    "other.tb_same",
		{Schema: "other", Name: "only_there"}: "other.only_there",
	}
	got := map[model.TableName]string{}
	for n, table := range cat.Resolved {
		got[n] = table.Name.String()
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if cat.ServerVersion < 140000 || !strings.HasPrefix(cat.Database, "t_") {
		t.Errorf("server %d, database %s", cat.ServerVersion, cat.Database)
	}
	var columns []string
	for _, c := range cat.Resolved[weird].Columns {
		columns = append(columns, c.Name)
	}
	if d := cmp.Diff([]string{"Order", `se"lect; DROP`, "naïve 列", longName, "freshet_expression"}, columns); d != "" {
		t.Error(d)
	}
}

func TestColumns(t *testing.T) {
	cat := load(t, catalog.Request{Tables: named("tb_all")})
	table := cat.Resolved[model.TableName{Name: "tb_all"}]
	mood := []string{"sad", "between", "ok", `it's "fine"`}
	want := map[string]catalog.Type{
		"id":     {SQL: "uuid", Base: "uuid", Category: 'U'},
		"t":      {SQL: "text", Base: "text", Category: 'S'},
		"vc":     {SQL: "character varying(5)", Base: "varchar", Category: 'S'},
		"ch":     {SQL: "character(3)", Base: "bpchar", Category: 'S'},
		"i2":     {SQL: "smallint", Base: "int2", Category: 'N'},
		"i4":     {SQL: "integer", Base: "int4", Category: 'N'},
		"i8":     {SQL: "bigint", Base: "int8", Category: 'N'},
		"n":      {SQL: "numeric(10,2)", Base: "numeric", Category: 'N'},
		"f4":     {SQL: "real", Base: "float4", Category: 'N'},
		"f8":     {SQL: "double precision", Base: "float8", Category: 'N'},
		"b":      {SQL: "boolean", Base: "bool", Category: 'B'},
		"tstz":   {SQL: "timestamp with time zone", Base: "timestamptz", Category: 'D'},
		"ts":     {SQL: "timestamp(3) without time zone", Base: "timestamp", Category: 'D'},
		"d":      {SQL: "date", Base: "date", Category: 'D'},
		"tm":     {SQL: "time without time zone", Base: "time", Category: 'D'},
		"iv":     {SQL: "interval", Base: "interval", Category: 'T'},
		"js":     {SQL: "json", Base: "json", Category: 'U'},
		"jsb":    {SQL: "jsonb", Base: "jsonb", Category: 'U'},
		"by":     {SQL: "bytea", Base: "bytea", Category: 'U'},
		"m":      {SQL: "public.mood", Base: "mood", Category: 'E', Labels: mood},
		"ms":     {SQL: "public.mood[]", Base: "mood", Array: true, Category: 'E', Labels: mood},
		"texts":  {SQL: "text[]", Base: "text", Array: true, Category: 'S'},
		"l":      {SQL: "public.label", Base: "varchar", Category: 'S'},
		"sl":     {SQL: "public.strict_label", Base: "varchar", Category: 'S', DomainNotNull: true},
		"ls":     {SQL: "public.labels", Base: "varchar", Array: true, Category: 'S'},
		"al":     {SQL: "public.label[]", Base: "varchar", Array: true, Category: 'S'},
		"fake":   {SQL: "shadow.uuid", Base: "shadow.uuid", Category: 'E', Labels: []string{"not", "a", "uuid"}},
		"vec":    {SQL: "int2vector", Base: "int2vector", Category: 'A'},
		"p":      {SQL: "public.pair", Base: "pair", Category: 'C'},
		"folded": {SQL: "text", Base: "text", Category: 'S'},
		"twice":  {SQL: "integer", Base: "int4", Category: 'N'},
		"seq":    {SQL: "bigint", Base: "int8", Category: 'N'},
	}
	got := map[string]catalog.Type{}
	for _, c := range table.Columns {
		got[c.Name] = c.Type
		if c.Deterministic != (c.Name != "folded") {
			t.Errorf("%s: deterministic %v", c.Name, c.Deterministic)
		}
		if c.NotNull != slices.Contains([]string{"id", "t", "b", "seq"}, c.Name) {
			t.Errorf("%s: not null %v", c.Name, c.NotNull)
		}
		if c.Generated != (c.Name == "twice") {
			t.Errorf("%s: generated %v", c.Name, c.Generated)
		}
	}
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(catalog.Type{}, "OID")); d != "" {
		t.Error(d)
	}
	if c := table.Column("twice"); c.Num != 32 {
		t.Errorf("twice has number %d", c.Num)
	}
}

func TestKeys(t *testing.T) {
	cat := load(t, catalog.Request{Tables: named("tb_all", "tb_child", "tb_composite", "to_part")})
	all, child := cat.Resolved[model.TableName{Name: "tb_all"}], cat.Resolved[model.TableName{Name: "tb_child"}]
	wantIndexes := []*catalog.Index{
		{Name: "tb_all_pkey", Columns: []string{"id"}, Unique: true, Primary: true, Immediate: true, Method: "btree"},
		{Name: "tb_all_expr_idx", Columns: []string{"", "i4"}, Partial: true, Immediate: true, Method: "btree"},
		{Name: "tb_all_gin", Columns: []string{"jsb"}, Immediate: true, Method: "gin"},
		{Name: "tb_all_t_key", Columns: []string{"t", "i4"}, Unique: true, Immediate: true, Method: "btree"},
	}
	if d := cmp.Diff(wantIndexes, all.Indexes); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"y", "x"}, child.PrimaryKey()); d != "" {
		t.Error(d)
	}
	target := catalog.Name{Schema: "public", Name: "tb_all"}
	wantKeys := []*catalog.ForeignKey{
		{Name: "tb_child_a_fkey", Columns: []string{"a"}, Target: target, TargetCols: []string{"id"}, Validated: true, Deferrable: true},
		{Name: "tb_child_again", Columns: []string{"again"}, Target: target, TargetCols: []string{"id"}},
	}
	if d := cmp.Diff(wantKeys, child.ForeignKeys); d != "" {
		t.Error(d)
	}
	if keys := cat.Resolved[model.TableName{Name: "to_part"}].ForeignKeys; len(keys) != 1 || keys[0].Target.Name != "part" {
		t.Errorf("to_part has foreign keys %+v", keys)
	}
	composite := cat.Resolved[model.TableName{Name: "tb_composite"}].ForeignKeys
	if d := cmp.Diff([]string{"x", "y"}, composite[0].TargetCols); d != "" {
		t.Error(d)
	}
}

func TestIdentities(t *testing.T) {
	names := []string{"tb_all", "id_full", "id_none", "id_index", "id_deferrable", "id_nokey", "part", "part_us", "part_eu", "broken"}
	cat := load(t, catalog.Request{Tables: named(names...)})
	type identity struct {
		Kind    byte
		Index   string
		Columns []string
	}
	want := map[string]identity{
		"tb_all":        {'d', "", []string{"id"}},
		"id_full":       {'f', "", []string{"id", "a"}},
		"id_none":       {'n', "", nil},
		"id_index":      {'i', "id_index_identity", []string{"id", "fk"}},
		"id_deferrable": {'d', "", nil},
		"id_nokey":      {'d', "", nil},
		"part":          {'d', "", []string{"id", "region"}},
		"part_us":       {'d', "", []string{"id", "region"}},
		"part_eu":       {'d', "", []string{"id", "region"}},
		"broken":        {'d', "", nil},
	}
	got := map[string]identity{}
	for n, table := range cat.Resolved {
		got[n.Name] = identity{table.Identity, table.IdentityIndex, table.IdentityColumns}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestKinds(t *testing.T) {
	cat := load(t, catalog.Request{Tables: named("part", "part_us_1", "parent", "heir", "a_view", "unlogged", "tb_same")})
	get := func(n string) *catalog.Table { return cat.Resolved[model.TableName{Name: n}] }
	if p := get("part"); p.Kind != 'p' || p.Partition || p.HasChildren {
		t.Errorf("part: %+v", p)
	}
	if p := get("part_us_1"); p.Kind != 'r' || !p.Partition {
		t.Errorf("part_us_1: %+v", p)
	}
	if p := get("parent"); !p.HasChildren || get("heir").HasChildren {
		t.Errorf("parent: %+v", p)
	}
	if get("a_view").Kind != 'v' || get("unlogged").Persistence != 'u' || !get("tb_same").RowSecurity {
		t.Error("view, unlogged or row security not seen")
	}
	if rows := get("tb_same").Rows; rows != -1 {
		t.Errorf("a table never analyzed has %d rows", rows)
	}
}

func TestOpenTransactionRefused(t *testing.T) {
	conn := pgtest.Connect(t, pgtest.Database(t))
	if _, err := conn.Exec(t.Context(), "BEGIN"); err != nil {
		t.Fatal(err)
	}
	if _, err := catalog.Load(t.Context(), conn, catalog.Request{}); err == nil {
		t.Error("an open transaction was accepted")
	}
}

func TestCanceled(t *testing.T) {
	conn := pgtest.Connect(t, pgtest.Database(t))
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if _, err := catalog.Load(ctx, conn, catalog.Request{Tables: named("x")}); err == nil {
		t.Error("a canceled context was ignored")
	}
}
