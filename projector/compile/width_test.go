package compile

import (
	"fmt"
	"strings"
	"testing"

	"freshet/deploy/pgserver/pgtest"
	"freshet/model"
	"freshet/projector/catalog"
)

// wideTables have a key and foreign keys of several types.
const wideTables = `
CREATE TYPE mood AS ENUM ('happy', 'sad');
CREATE DOMAIN short AS varchar(5);
CREATE DOMAIN number AS bigint;
CREATE TABLE numbers   (id bigint PRIMARY KEY, fk uuid NOT NULL, f2 number NOT NULL, f3 mood NOT NULL);
CREATE TABLE codes     (id varchar(5) PRIMARY KEY, fk char(10) NOT NULL, f2 numeric(20, 2) NOT NULL, f3 numeric(3) NOT NULL);
CREATE TABLE widest    (id varchar(323) PRIMARY KEY, fk varchar(323) NOT NULL);
CREATE TABLE too_wide  (id varchar(324) PRIMARY KEY, fk varchar(324) NOT NULL);
CREATE TABLE texts     (id text PRIMARY KEY, fk text NOT NULL);
CREATE TABLE text_key  (id text PRIMARY KEY, fk uuid NOT NULL);
CREATE TABLE unlimited (id varchar PRIMARY KEY, fk bigint NOT NULL);
CREATE TABLE bytes     (id bigint PRIMARY KEY, fk bytea NOT NULL);
CREATE TABLE decimals  (id bigint PRIMARY KEY, fk numeric NOT NULL);
CREATE TABLE arrays    (id bigint PRIMARY KEY, fk bigint[] NOT NULL);
CREATE TABLE domains   (id bigint PRIMARY KEY, fk short NOT NULL);
CREATE TABLE unsorted  (id bigint PRIMARY KEY, fk point NOT NULL);
CREATE TABLE nullable  (id bigint PRIMARY KEY, fk bigint);
CREATE TABLE with_its_own (id text PRIMARY KEY, fk text NOT NULL, UNIQUE (id, fk));`

// TestNoIdentityIndexRefusesARow takes an index where every row fits it, and
// FULL where one may not: a writer's INSERT must not fail because of Freshet.
func TestNoIdentityIndexRefusesARow(t *testing.T) {
	url := pgtest.Database(t)
	pgtest.Exec(t, url, wideTables)
	conn := pgtest.Connect(t, url)
	for table, want := range map[string]string{
		"numbers": "new index", "codes": "new index", "widest": "new index", "with_its_own": "old index",
		"too_wide": "FULL", "texts": "FULL", "text_key": "FULL", "unlimited": "FULL", "bytes": "FULL", "decimals": "FULL",
		"arrays": "FULL", "domains": "FULL", "unsorted": "FULL", "nullable": "FULL",
	} {
		name := model.TableName{Name: table}
		c, err := catalog.Load(t.Context(), conn, catalog.Request{Tables: []model.TableName{name}})
		if err != nil {
			t.Fatal(err)
		}
		source := &Source{Table: c.Resolved[name]}
		for _, column := range source.Table.Columns {
			source.Identity = append(source.Identity, column.Name)
		}
		need := identityNeed(source)
		got := "FULL"
		if !need.Full {
			got = map[int]string{1: "old index", 2: "new index"}[len(need.SQL)]
		}
		if got != want {
			t.Errorf("%s: %s, want %s: %v", table, got, want, need.SQL)
		}
		for _, sql := range need.SQL {
			exec(t, conn, sql)
		}
	}
	// A text of four bytes a character that does not compress.
	const text = `(SELECT string_agg(chr(65536 + ('x' || substr(md5($1 || i), 1, 4))::bit(16)::integer), '') FROM generate_series(1, 323) AS i)`
	if _, err := conn.Exec(t.Context(), "INSERT INTO widest SELECT "+text+", "+strings.ReplaceAll(text, "$1", "$2"), "a", "b"); err != nil {
		t.Errorf("the widest row that has an index is refused: %v", err)
	}
}

// widestValues are types with a value of theirs that takes most.
var widestValues = [][2]string{
	{"numeric(1000, 500)", "-1e500 + 1e-499"}, {"numeric(1)", "9"}, {"numeric(6, 3)", "-999.999"}, {"numeric(3)", "'NaN'"},
	{"bit(1000)", "repeat('1', 1000)::bit(1000)"}, {"bit varying(9)", "B'111111111'"}, {"varchar(7)", "repeat('🙂', 7)"}, {"char(7)", "repeat('🙂', 7)"},
	{"varchar(200)", "repeat('🙂', 200)"}, {"\"char\"", "'x'"}, {"name", "repeat('x', 63)"}, {"boolean", "true"},
	{"smallint", "1"}, {"integer", "1"}, {"bigint", "1"}, {"real", "1"}, {"double precision", "1"}, {"oid", "1"}, {"money", "1"}, {"pg_lsn", "'F/F'"},
	{"uuid", "gen_random_uuid()"}, {"date", "now()"}, {"time", "now()"}, {"timetz", "now()"}, {"timestamp", "now()"}, {"timestamptz", "now()"},
	{"interval", "'1 year 1 day 1 second'"}, {"macaddr", "'08:00:2b:01:02:03'"}, {"macaddr8", "'08:00:2b:01:02:03:04:05'"},
	{"inet", "'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/127'"}, {"cidr", "'ffff:ffff::/32'"},
	{"int4range", "'[1,9]'"}, {"int8range", "'[1,9]'"}, {"daterange", "'[2020-01-01,2021-01-01]'"}, {"tsrange", "'[2020-01-01,2021-01-01]'"}, {"tstzrange", "'[2020-01-01,2021-01-01]'"},
}

// TestWidths holds what is known of types against the sizes of values.
func TestWidths(t *testing.T) {
	url := pgtest.Database(t)
	conn := pgtest.Connect(t, url)
	var columns, values, sizes []string
	for i, v := range widestValues {
		columns = append(columns, fmt.Sprintf("c%d %s", i, v[0]))
		values = append(values, v[1])
		sizes = append(sizes, fmt.Sprintf("pg_column_size(c%d)", i))
	}
	exec(t, conn, "CREATE TABLE widths ("+strings.Join(columns, ", ")+")")
	exec(t, conn, "INSERT INTO widths VALUES ("+strings.Join(values, ", ")+")")
	var measured []int
	if err := conn.QueryRow(t.Context(), "SELECT ARRAY["+strings.Join(sizes, ", ")+"] FROM widths").Scan(&measured); err != nil {
		t.Fatal(err)
	}
	name := model.TableName{Name: "widths"}
	c, err := catalog.Load(t.Context(), conn, catalog.Request{Tables: []model.TableName{name}})
	if err != nil {
		t.Fatal(err)
	}
	for i, column := range c.Resolved[name].Columns {
		if width, bounded := maxWidth(column.Type); !bounded || width < measured[i] {
			t.Errorf("%s: at most %d bytes (%v), and one has %d", column.Type.SQL, width, bounded, measured[i])
		}
	}
}
