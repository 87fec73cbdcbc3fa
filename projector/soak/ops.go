package soak

import (
	"fmt"
	"math/rand/v2"
)

// op draws the statements of one small change.
type op struct {
	weight int
	draw   func(r *rand.Rand) []stmt
}

// one makes an op of a single statement.
func one(weight int, sql string, args func(r *rand.Rand) []any) op {
	return op{weight, func(r *rand.Rand) []stmt { return []stmt{{sql, args(r)}} }}
}

var ops = concat(orgOps, personOps, profileOps, tagOps, productOps, orderOps, eventOps, noteOps, scalarOps, weirdOps, moneyOps, oddOps, hubOps)

var totalWeight = func() int {
	sum := 0
	for _, o := range ops {
		sum += o.weight
	}
	return sum
}()

func concat(lists ...[]op) []op {
	var all []op
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// drawOp draws one of the ops by weight.
func drawOp(r *rand.Rand) []stmt {
	n := r.IntN(totalWeight)
	for _, o := range ops {
		if n -= o.weight; n < 0 {
			return o.draw(r)
		}
	}
	panic("unreachable: n is below the sum of weights")
}

const uuidOrg, uuidPerson, uuidNote = 0xa1, 0xb2, 0xc3

func orgKey(r *rand.Rand) any    { return pick(r, orgs) }
func personKey(r *rand.Rand) any { return pick(r, persons) }

var orgOps = []op{
	one(6, `INSERT INTO tb_org VALUES ($1, $2, $3, $4::mood, $5) ON CONFLICT DO NOTHING`, func(r *rand.Rand) []any {
		n := pick(r, orgs)
		return []any{n, uuidOf(uuidOrg, n, r.IntN(3)), phrase(r), pickText(r, moods), maybe(r, word(r))}
	}),
	one(4, `UPDATE tb_org SET name = $2 WHERE pk = $1`, func(r *rand.Rand) []any { return []any{orgKey(r), phrase(r)} }),
	one(2, `UPDATE tb_org SET mood = $2::mood WHERE pk = $1`, func(r *rand.Rand) []any { return []any{orgKey(r), pickText(r, moods)} }),
	one(3, `UPDATE tb_org SET internal = $2 WHERE pk = $1`, func(r *rand.Rand) []any { return []any{orgKey(r), word(r)} }),
	one(3, `UPDATE tb_org SET deleted_at = CASE WHEN deleted_at IS NULL THEN $2::timestamptz END WHERE pk = $1`,
		func(r *rand.Rand) []any { return []any{orgKey(r), instant(r)} }),
	one(2, `UPDATE tb_org SET id = $2 WHERE pk = $1`, func(r *rand.Rand) []any { return []any{orgKey(r), pickUUID(r, uuidOrg, orgs)} }),
	one(1, `UPDATE tb_org SET pk = $2 WHERE pk = $1`, func(r *rand.Rand) []any { return []any{orgKey(r), orgKey(r)} }),
	one(1, `DELETE FROM tb_org WHERE pk = $1 AND $2`, func(r *rand.Rand) []any { return []any{1 + r.IntN(orgs), r.IntN(8) == 0} }),
}

var personOps = []op{
	one(20, `INSERT INTO tb_person SELECT $1, $2, o.pk, (SELECT m.pk FROM tb_person m WHERE m.pk = $4), $5, $6, $7, $8, $9, $10::date, $11
		FROM tb_org o WHERE o.pk = $3 ON CONFLICT DO NOTHING`, func(r *rand.Rand) []any {
		n := pick(r, persons)
		return []any{n, uuidOf(uuidPerson, n, r.IntN(3)), orgKey(r), personKey(r), phrase(r), maybe(r, word(r)+"@example.org"),
			r.IntN(3000), maybe(r, quarter(r)), flip(r), maybe(r, day(r)), maybe(r, prose(r))}
	}),
	one(6, `UPDATE tb_person SET name = $2 WHERE pk = $1`, func(r *rand.Rand) []any { return []any{personKey(r), phrase(r)} }),
	one(4, `UPDATE tb_person SET salary = $2, rating = $3 WHERE pk = $1`, func(r *rand.Rand) []any {
		return []any{personKey(r), r.IntN(3000), maybe(r, quarter(r))}
	}),
	one(3, `UPDATE tb_person SET active = NOT active WHERE pk = $1`, func(r *rand.Rand) []any { return []any{personKey(r)} }),
	one(3, `UPDATE tb_person SET bio = $2 WHERE pk = $1`, func(r *rand.Rand) []any { return []any{personKey(r), maybe(r, prose(r))} }),
	one(3, `UPDATE tb_person SET internal = $2 WHERE pk = $1`, func(r *rand.Rand) []any { return []any{personKey(r), prose(r)} }),
	one(4, `UPDATE tb_person SET org_pk = o.pk FROM tb_org o WHERE tb_person.pk = $1 AND o.pk = $2`,
		func(r *rand.Rand) []any { return []any{personKey(r), orgKey(r)} }),
	one(5, `UPDATE tb_person SET manager_pk = (SELECT m.pk FROM tb_person m WHERE m.pk = $2) WHERE pk = $1`,
		func(r *rand.Rand) []any { return []any{personKey(r), maybe(r, personKey(r))} }),
	one(2, `UPDATE tb_person SET id = $2 WHERE pk = $1`, func(r *rand.Rand) []any { return []any{personKey(r), pickUUID(r, uuidPerson, persons)} }),
	one(2, `UPDATE tb_person SET pk = $2 WHERE pk = $1`, func(r *rand.Rand) []any { return []any{personKey(r), 1 + r.IntN(persons)} }),
	one(2, `UPDATE tb_person SET email = $2 WHERE pk = $1`, func(r *rand.Rand) []any { return []any{personKey(r), maybe(r, word(r)+"@example.org")} }),
	one(2, `DELETE FROM tb_person WHERE pk = $1`, func(r *rand.Rand) []any { return []any{1 + r.IntN(persons)} }),
	{1, swapPersons},
}

// swapPersons lets two rows exchange their document keys.
func swapPersons(r *rand.Rand) []stmt {
	return []stmt{{fmt.Sprintf(`DO $do$ DECLARE a uuid; b uuid; BEGIN
		SELECT p.id, q.id INTO a, b FROM tb_person p, tb_person q WHERE p.pk = %[1]d AND q.pk = %[2]d AND p.pk <> q.pk;
		UPDATE tb_person SET id = 'ffffffff-0000-4000-8000-000000000000' WHERE pk = %[1]d AND a IS NOT NULL;
		UPDATE tb_person SET id = a WHERE pk = %[2]d AND a IS NOT NULL;
		UPDATE tb_person SET id = b WHERE pk = %[1]d AND a IS NOT NULL;
	END $do$`, personKey(r), personKey(r)), nil}}
}

var profileOps = []op{
	one(10, `INSERT INTO tb_profile SELECT $1, p.pk, $3, $4::jsonb FROM tb_person p WHERE p.pk = $2 ON CONFLICT DO NOTHING`, func(r *rand.Rand) []any {
		return []any{pick(r, profiles), personKey(r), maybe(r, word(r)), document(r)}
	}),
	one(2, `UPDATE tb_profile SET person_pk = p.pk FROM tb_person p WHERE tb_profile.id = $1 AND p.pk = $2`,
		func(r *rand.Rand) []any { return []any{pick(r, profiles), personKey(r)} }),
	one(2, `UPDATE tb_profile SET nickname = $2, settings = $3::jsonb WHERE id = $1`,
		func(r *rand.Rand) []any { return []any{pick(r, profiles), maybe(r, word(r)), document(r)} }),
	one(1, `UPDATE tb_profile SET id = $2 WHERE id = $1`, func(r *rand.Rand) []any { return []any{pick(r, profiles), 1 + r.IntN(profiles)} }),
	one(1, `DELETE FROM tb_profile WHERE id = $1`, func(r *rand.Rand) []any { return []any{1 + r.IntN(profiles)} }),
}

var tagOps = []op{
	one(4, `INSERT INTO tb_tag VALUES ($1, $2) ON CONFLICT (slug) DO UPDATE SET label = excluded.label`,
		func(r *rand.Rand) []any { return []any{pickText(r, slugs), phrase(r)} }),
	one(2, `UPDATE tb_tag SET slug = $2 WHERE slug = $1`, func(r *rand.Rand) []any { return []any{pickText(r, slugs), pickText(r, slugs)} }),
	one(1, `DELETE FROM tb_tag WHERE slug = $1 AND $2`, func(r *rand.Rand) []any { return []any{pickText(r, slugs), r.IntN(3) == 0} }),
	one(20, `INSERT INTO tb_person_tag SELECT p.pk, t.slug, $3 FROM tb_person p, tb_tag t WHERE p.pk = $1 AND t.slug = $2 ON CONFLICT DO NOTHING`,
		func(r *rand.Rand) []any { return []any{personKey(r), pickText(r, slugs), r.IntN(10)} }),
	one(2, `UPDATE tb_person_tag SET tag_slug = t.slug FROM tb_tag t WHERE person_pk = $1 AND tag_slug = $2 AND t.slug = $3`,
		func(r *rand.Rand) []any { return []any{personKey(r), pickText(r, slugs), pickText(r, slugs)} }),
	one(2, `UPDATE tb_person_tag SET person_pk = p.pk FROM tb_person p WHERE person_pk = $1 AND p.pk = $2`,
		func(r *rand.Rand) []any { return []any{personKey(r), personKey(r)} }),
	one(1, `UPDATE tb_person_tag SET weight = weight + 1 WHERE person_pk = $1`, func(r *rand.Rand) []any { return []any{personKey(r)} }),
	one(2, `DELETE FROM tb_person_tag WHERE person_pk = $1 AND tag_slug = $2`, func(r *rand.Rand) []any { return []any{personKey(r), pickText(r, slugs)} }),
}
