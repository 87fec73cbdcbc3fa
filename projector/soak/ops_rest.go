package soak

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

var eventOps = []op{
	one(12, `INSERT INTO tb_event SELECT $1::int + 7 * g, p.pk, $3::timestamptz, $4, $5 FROM tb_person p, generate_series(0, 2) g WHERE p.pk = $2 ON CONFLICT DO NOTHING`,
		func(r *rand.Rand) []any {
			return []any{pick(r, events), personKey(r), instant(r), phrase(r), maybe(r, quarter(r))}
		}),
	one(3, `UPDATE tb_event SET payload = $2, amount = $3 WHERE id = $1`, func(r *rand.Rand) []any { return []any{pick(r, events), word(r), maybe(r, quarter(r))} }),
	one(3, `UPDATE tb_event SET person_pk = p.pk FROM tb_person p WHERE tb_event.id = $1 AND p.pk = $2`,
		func(r *rand.Rand) []any { return []any{pick(r, events), personKey(r)} }),
	one(3, `UPDATE tb_event SET id = $2 WHERE id = $1`, func(r *rand.Rand) []any { return []any{pick(r, events), 1 + r.IntN(events)} }),
	one(4, `DELETE FROM tb_event WHERE id = $1`, func(r *rand.Rand) []any { return []any{1 + r.IntN(events)} }),
}

var noteOps = []op{
	one(5, `INSERT INTO tb_note SELECT $1, o.pk, (SELECT pk FROM tb_person WHERE pk = $3), $4, $5, $6 FROM tb_org o WHERE o.pk = $2 ON CONFLICT DO NOTHING`,
		func(r *rand.Rand) []any {
			return []any{uuidOf(uuidNote, pick(r, notes), 0), orgKey(r), maybe(r, personKey(r)), phrase(r), prose(r), flip(r)}
		}),
	one(3, `UPDATE tb_note SET pinned = NOT pinned, title = $2 WHERE id = $1`, func(r *rand.Rand) []any { return []any{noteKey(r), phrase(r)} }),
	one(2, `UPDATE tb_note SET org_pk = o.pk FROM tb_org o WHERE tb_note.id = $1 AND o.pk = $2`, func(r *rand.Rand) []any { return []any{noteKey(r), orgKey(r)} }),
	one(2, `UPDATE tb_note SET body = $2 WHERE id = $1`, func(r *rand.Rand) []any { return []any{noteKey(r), prose(r)} }),
	one(2, `DELETE FROM tb_note WHERE id = $1`, func(r *rand.Rand) []any { return []any{noteKey(r)} }),
}

func noteKey(r *rand.Rand) any { return uuidOf(uuidNote, pick(r, notes), 0) }

var scalarOps = []op{
	{6, drawScalar},
	one(2, `UPDATE tb_scalar SET i4 = $2 WHERE id = $1`, func(r *rand.Rand) []any { return []any{pick(r, scalars), r.IntN(1000)} }),
	one(2, `UPDATE tb_scalar SET large = $2 WHERE id = $1`, func(r *rand.Rand) []any { return []any{pick(r, scalars), prose(r)} }),
	one(1, `UPDATE tb_scalar SET t = t, b = b WHERE id = $1`, func(r *rand.Rand) []any { return []any{pick(r, scalars)} }),
	one(1, `DELETE FROM tb_scalar WHERE id = $1`, func(r *rand.Rand) []any { return []any{pick(r, scalars)} }),
}

// samples are literals for the columns of tb_scalar, every type's odd ones
// among them.
var samples = []struct {
	column string
	values []string
}{
	{"t", []string{"''", "'NULL'", "E'tab\\t\"q\" \\\\ \\n'", "'日本語 🐟'"}},
	{"vc", []string{"'short'", "'ten chars!'", "''"}},
	{"i2", []string{"-32768", "32767", "0"}},
	{"i4", []string{"-1073741824", "1073741823", "11", "7"}},
	{"i8", []string{"-9223372036854775808", "9223372036854775807", "9007199254740993"}},
	{"num", []string{"'NaN'", "1e40", "0.00000000000000000001", "1.50", "-0.0", "123456789012345678901234567890.12345"}},
	{"num_s", []string{"1", "-0.001", "999999999.999"}},
	{"f4", []string{"'NaN'", "'-Infinity'", "0.1", "3.4e38", "1e-40", "16777217"}},
	{"f8", []string{"'NaN'", "'Infinity'", "0.1", "'-0'", "1e308", "5e-324", "1e20", "123456789.123456789"}},
	{"b", []string{"true", "false"}},
	{"ts_local", []string{"'2024-02-29 12:34:56.789'", "'0044-03-15 00:00:00 BC'", "'9999-12-31 23:59:59.999999'"}},
	{"ts_utc", []string{"'2024-02-29 12:34:56.7'", "'1969-12-31 23:59:59'"}},
	{"tstz", []string{"'2024-06-01 00:00:00+02'", "'2024-06-01 00:00:00.000001-11'", "'1900-01-01 00:00:00+00'"}},
	{"d", []string{"'2024-02-29'", "'0001-01-01'", "'12000-01-01'"}},
	{"tm", []string{"'00:00'", "'24:00'", "'23:59:59.999999'"}},
	{"tmtz", []string{"'12:00+05:30'", "'00:00:00.5-12'"}},
	{"iv", []string{"'1 year 2 months -3 days 04:05:06.7'", "'0'", "'-1 day +25:00'", "'100 years'"}},
	{"j", []string{`'{"b": 1, "a": [1.0, 2e2], "b": 2}'`, "'null'", `' [ 1 , "x" ] '`}},
	{"jb", []string{`'{"b": 1.00, "a": {"c": null}}'`, "'null'", `'"\u00e9"'`}},
	{"bin", []string{`'\x'`, `'\x00ff10'`, "decode(repeat('ab', 100), 'hex')"}},
	{"u", []string{"'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"}},
	{"m", []string{"'calm'", "'busy'", "'angry'"}},
	{"a_text", []string{"'{}'", `'{a,NULL,"NULL","","q\"uote","c,d"}'`, "'{{a,b},{c,d}}'", "'[5:6]={x,y}'"}},
	{"a_int", []string{"'{}'", "'{3,1,NULL,2}'", "'{{{1}},{{2}}}'"}},
	{"a_big", []string{"'{9223372036854775807,NULL}'", "'{}'"}},
	{"a_num", []string{"'{1.10,NaN,1e30}'", "'{NULL}'"}},
	{"a_mood", []string{"'{angry,calm}'", "'{}'"}},
	{"a_tstz", []string{"'{\"2024-06-01 00:00:00+02\",NULL}'"}},
	{"a_bin", []string{`'{"\\x00ff",NULL}'`, "'{}'"}},
	{"dom", []string{"'domain'", "''"}},
	{"addr", []string{"'192.168.0.1'", "'2001:db8::/32'"}},
}

func drawScalar(r *rand.Rand) []stmt {
	cols, vals, sets := []string{"id"}, []string{fmt.Sprint(pick(r, scalars))}, []string{}
	for _, s := range samples {
		v := s.values[r.IntN(len(s.values))]
		if r.IntN(4) == 0 && s.column != "i4" {
			v = "NULL"
		}
		cols, vals, sets = append(cols, s.column), append(vals, v), append(sets, s.column+" = excluded."+s.column)
	}
	return []stmt{{fmt.Sprintf("INSERT INTO tb_scalar (%s) VALUES (%s) ON CONFLICT (id) DO UPDATE SET %s",
		strings.Join(cols, ", "), strings.Join(vals, ", "), strings.Join(sets, ", ")), nil}}
}

const weird = `"odd schema"."weird ""name"""`

var weirdOps = []op{
	one(3, `INSERT INTO `+weird+` SELECT $1, $2, $3, (SELECT "ke""y" FROM `+weird+` WHERE "ke""y" = $4) ON CONFLICT DO NOTHING`,
		func(r *rand.Rand) []any {
			return []any{pickText(r, slugs), maybe(r, r.IntN(100)), maybe(r, word(r)), maybe(r, pickText(r, slugs))}
		}),
	one(2, `UPDATE `+weird+` SET "größe ✓" = $2 WHERE "ke""y" = $1`, func(r *rand.Rand) []any { return []any{pickText(r, slugs), maybe(r, r.IntN(100))} }),
	one(1, `UPDATE `+weird+` SET "ke""y" = $2 WHERE "ke""y" = $1`, func(r *rand.Rand) []any { return []any{pickText(r, slugs), pickText(r, slugs)} }),
	one(1, `UPDATE `+weird+` SET "parent; DROP'x" = $2 WHERE "ke""y" = $1`, func(r *rand.Rand) []any { return []any{pickText(r, slugs), pickText(r, slugs)} }),
	one(1, `DELETE FROM `+weird+` WHERE "ke""y" = $1`, func(r *rand.Rand) []any { return []any{pickText(r, slugs)} }),
}

// oddOps write in ways other than plain statements.
var oddOps = []op{
	{4, drawBlock},
	one(2, `MERGE INTO tb_product p USING (SELECT $1::int AS id, c.code FROM tb_category c WHERE c.code = $2) s ON p.id = s.id
		WHEN MATCHED AND p.stock > 50 THEN DELETE WHEN MATCHED THEN UPDATE SET stock = p.stock + 10
		WHEN NOT MATCHED THEN INSERT (id, category_code, name, price) VALUES (s.id, s.code, 'merged', 1)`,
		func(r *rand.Rand) []any { return []any{pick(r, products), pickText(r, categories)} }),
	one(1, `WITH gone AS (DELETE FROM tb_event WHERE id BETWEEN $1::int AND $1::int + 3 RETURNING *)
		INSERT INTO tb_event SELECT id + 10, person_pk, at, payload, amount FROM gone ON CONFLICT DO NOTHING`,
		func(r *rand.Rand) []any { return []any{pick(r, events)} }),
	one(1, `SELECT 1 FROM tb_person WHERE pk = $1 FOR NO KEY UPDATE`, func(r *rand.Rand) []any { return []any{personKey(r)} }),
}

// drawBlock is PL/pgSQL whose inner block fails and is undone by its EXCEPTION
// clause, half of the time after having written.
func drawBlock(r *rand.Rand) []stmt {
	a, b, fails := pick(r, persons), pick(r, persons), flip(r)
	return []stmt{{fmt.Sprintf(`DO $do$ BEGIN
		UPDATE tb_person SET salary = salary + 1 WHERE pk = %[1]d;
		BEGIN
			UPDATE tb_person SET name = 'undone', salary = -1 WHERE pk IN (%[1]d, %[2]d);
			DELETE FROM tb_person_tag WHERE person_pk = %[2]d;
			IF %[3]v THEN RAISE EXCEPTION 'undo'; END IF;
		EXCEPTION WHEN raise_exception THEN
			UPDATE tb_person SET rating = 0.25 WHERE pk = %[2]d;
		END;
	END $do$`, a, b, fails), nil}}
}
