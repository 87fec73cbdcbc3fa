package trials

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/resync"
	"freshet/projector/synclog"
	"freshet/projector/verify"
)

// Names that break what does not quote them: keywords, quotes, statements,
// spaces, other scripts, the 63 bytes that a name may have, and names that
// differ only in case or in their last byte.
var (
	longName   = strings.Repeat("l", 62)
	parentName = `tb "parent"'; DROP TABLE tb_x; --`
	hostile    = strings.NewReplacer("SCHEMA.", pgx.Identifier{"Select from"}.Sanitize()+".", "PARENT", pgx.Identifier{parentName}.Sanitize(),
		"LONGA", longName+"a", "LONGB", longName+"b")
)

const hostileSchema = `
CREATE SCHEMA "Select from";
CREATE TABLE SCHEMA.PARENT ("order" text PRIMARY KEY, "näme ✓ %s $1" text NOT NULL, "back\slash" text, LONGA text, LONGB text, "Name" text, "name" text);
CREATE TABLE SCHEMA."table" ("user" text PRIMARY KEY, "group" text NOT NULL REFERENCES SCHEMA.PARENT ON UPDATE CASCADE ON DELETE CASCADE, "from" text);
CREATE INDEX ON SCHEMA."table" ("group")`

func hostileFile() string {
	name := func(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }
	return hostile.Replace(`
type Parent @table(name: ` + name(parentName) + `, schema: "Select from") {
  id: ID! @column(name: "order")
  label: String! @column(name: "näme ✓ %s $1")
  back: String @column(name: ` + name(`back\slash`) + `)
  longA: String @column(name: "LONGA")
  longB: String @column(name: "LONGB")
  upper: String @column(name: "Name")
  lower: String @column(name: "name")
  children: [Child!]! @hasMany(foreignKey: "group", orderBy: {id: ASC}) @embed(fields: "id from")
  childCount: Int! @aggregate(fn: COUNT, of: "children")
}
type Child @table(name: "table", schema: "Select from") {
  id: ID! @column(name: "user")
  from: String
  risk: Int @computed(sql: "1 / length(\"from\")")
  group: Parent! @belongsTo(foreignKey: "group") @embed(fields: "id label upper")
}`)
}

// hostileKeys look like something else, or are long.
var hostileKeys = []string{
	"", " ", "NULL", "null", "{}", "{a,b}", `{"a"}`, "[1,2]", `"quoted"`, `it's`, `back\slash`, `\`, `\x00`, `\N`, `$1`, `%s`, "a,b",
	"line\nfeed", "tab\tand\rreturn", "ünï©ødé", "e\u0301", "\u00e9", "日本語", "🙂", "\u202eright to left", "\u0001\u001f\u007f", "'; DROP TABLE x; --",
	"true", "1e5", "0x10", "NaN", "x" + strings.Repeat(" ", 50), strings.Repeat("\\", 200), strings.Repeat(`"`, 200),
}

// incompressible is a text that no compression makes shorter than its index entry may be.
const incompressible = `(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 84) AS i)`

// TestHostileNamesAndKeys goes through everything that writes a name or a key
// somewhere: migration, fill, stream, quarantine, log, verify, resync.
func TestHostileNamesAndKeys(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := worldOf(t, pgtest.Server(t), hostile.Replace(hostileSchema), hostileFile())
	parent, child := hostile.Replace("SCHEMA.PARENT"), hostile.Replace(`SCHEMA."table"`)
	for _, key := range hostileKeys {
		w.exec("INSERT INTO "+parent+` ("order", "näme ✓ %s $1", "back\slash", "Name", "name") VALUES ($1, $1, $1, 'U', 'l')`, key)
	}
	r := w.start()
	r.streams(1)
	w.settle()
	w.exact()
	for i, key := range hostileKeys {
		w.exec("INSERT INTO "+child+` VALUES ($1, $2, 'x')`, key, hostileKeys[(i+1)%len(hostileKeys)])
		w.exec("UPDATE "+parent+` SET "näme ✓ %s $1" = "näme ✓ %s $1" || '!' WHERE "order" = $1`, key)
	}
	w.exec("INSERT INTO " + parent + ` ("order", "näme ✓ %s $1", "back\slash") SELECT ` + incompressible + `, 'long key', repeat('content', 15000)`)
	w.exec("INSERT INTO " + child + ` SELECT "order", "order", 'x' FROM ` + parent + ` WHERE length("order") > 2000`)
	w.settle()
	w.exact()
	w.exec("UPDATE " + child + ` SET "group" = ''`)
	w.exec("UPDATE " + parent + ` SET "order" = "order" || '~' WHERE length("order") < 1000`) // every key changes, and cascades
	w.exec("UPDATE " + child + ` SET "from" = ''`)                                            // and no child has a document any more
	w.settle()
	if n := ask[int](w, "SELECT count(*) FROM freshet.pending WHERE model = 'Child'"); n != len(hostileKeys)+1 {
		t.Errorf("%d of %d children are set aside", n, len(hostileKeys)+1)
	}
	w.exec("UPDATE " + child + ` SET "from" = 'healed'`)
	w.settle()
	w.exact()
	w.nothingWaits()
	for _, key := range hostileKeys {
		entries, err := synclog.Query(ctx, w.conn, synclog.Filter{Model: "Parent", Key: key + "~"})
		must(t, err)
		if len(entries) == 0 {
			t.Errorf("the log does not know %q", key+"~")
		}
	}
	w.spoilt(r)
}

// spoilt breaks every document by hand: verify finds each of them, and resync
// mends them.
func (w *world) spoilt(r *run) {
	w.t.Helper()
	ctx := context.Background()
	stored := pgx.Identifier{"Select from", "tv_parent"}.Sanitize()
	keys := ask[[]string](w, "SELECT array_agg(\"order\") FROM "+stored)
	w.exec("UPDATE " + stored + ` SET data = '{"wrong": true}'`)
	report, err := verify.Run(ctx, verify.Config{ConnConfig: w.cfg, Models: w.plan.ReadModels, Slot: w.slot})
	must(w.t, err)
	if report.Differ != int64(len(keys)) {
		w.t.Errorf("verify finds %d of %d wrong documents", report.Differ, len(keys))
	}
	_, err = resync.Keys(ctx, w.conn, "Parent", keys)
	must(w.t, err)
	eventually(w, 0, "SELECT count(*)::int FROM freshet.pending")
	w.settle()
	w.exact()
	w.nothingWaits()
	r.stop()
}

// TestLongTypeName has tables named by the longest type that there may be.
func TestLongTypeName(t *testing.T) {
	t.Parallel()
	name := "T" + strings.Repeat("x", 59)
	w := worldOf(t, pgtest.Server(t), library, strings.ReplaceAll(libraryFile, "Book", name))
	r := w.start()
	r.streams(1)
	w.exec("UPDATE tb_book SET title = 'long' WHERE id < 10; DELETE FROM tb_author WHERE id = 3")
	w.settle()
	w.exact()
	if n := ask[int](w, fmt.Sprintf("SELECT count(*) FROM freshet.sync_log WHERE model = '%s' AND operation = 'rebuild'", name)); n == 0 {
		t.Error("the log does not know it")
	}
	r.stop()
	w.nothingWaits()
}
