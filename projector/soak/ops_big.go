package soak

import (
	"fmt"
	"math/rand/v2"
)

// bigs are transactions of one kind, drawn in so many of drawTransaction's
// calls: bulk updates, TRUNCATE, huge inserts.
var bigs = []struct {
	name  string
	in10k int
	draw  func(r *rand.Rand) []stmt
}{
	{"bulk salaries", 30, all(`UPDATE tb_person SET salary = (salary + 7) % 3000`)},
	{"bulk prices", 30, all(`UPDATE tb_product SET price = price + 1 WHERE price < 9000`)},
	{"bulk renumbering", 10, all(`UPDATE tb_event SET id = id + 1000 WHERE id BETWEEN 1 AND 50`)},
	{"bulk renumbering back", 10, all(`UPDATE tb_event SET id = id - 1000 WHERE id BETWEEN 1001 AND 1050`)},
	{"all into one organization", 5, func(r *rand.Rand) []stmt {
		return []stmt{{`UPDATE tb_person SET org_pk = o.pk FROM tb_org o WHERE o.pk = $1`, []any{1 + r.IntN(orgs)}}}
	}},
	{"reorganization", 20, func(r *rand.Rand) []stmt {
		return []stmt{{`UPDATE tb_person SET org_pk = (SELECT pk FROM tb_org ORDER BY (pk * $1 + tb_person.pk) % 13 LIMIT 1) WHERE pk % 3 = 0`, []any{1 + r.IntN(7)}}}
	}},
	{"truncate notes", 10, all(`TRUNCATE tb_note`)},
	{"truncate links", 8, all(`TRUNCATE tb_person_tag`)},
	{"truncate events", 8, all(`TRUNCATE tb_event`)},
	{"truncate orders", 8, all(`TRUNCATE tb_order CASCADE`)},
	{"truncate and refill", 10, truncateRefill},
	{"truncate people", 3, all(`TRUNCATE tb_person CASCADE`)},
	{"truncate odd", 4, all(`TRUNCATE ` + weird)},
	{"huge insert", 6, hugeInsert},
	{"huge delete", 12, all(fmt.Sprintf(`DELETE FROM tb_event WHERE id >= %d`, hugeEvents))},
	{"settlement", 10, settle},
	{"upheaval", 3, upheaval},
	{"subtransactions", 5, subtransactions},
}

func all(sql string) func(*rand.Rand) []stmt {
	return func(*rand.Rand) []stmt { return []stmt{{sql, nil}} }
}

// drawBig draws one of the bigs, or nothing.
func drawBig(r *rand.Rand) (*transaction, bool) {
	n := r.IntN(10_000)
	for _, b := range bigs {
		if n -= b.in10k; n < 0 {
			t := &transaction{kind: b.name}
			for _, s := range b.draw(r) {
				t.steps = append(t.steps, step{stmt: s})
			}
			return t, true
		}
	}
	return nil, false
}

// truncateRefill empties a table and writes to it in the same transaction,
// around a savepoint of the server's own making.
func truncateRefill(r *rand.Rand) []stmt {
	return []stmt{
		{`INSERT INTO tb_note SELECT $1, pk, NULL, 'before', 'x', true FROM tb_org LIMIT 1 ON CONFLICT DO NOTHING`, []any{noteKey(r)}},
		{`SET CONSTRAINTS ALL IMMEDIATE`, nil}, // or the deferred ones forbid TRUNCATE
		{`TRUNCATE tb_note`, nil},
		{`INSERT INTO tb_note SELECT $1, pk, NULL, 'after', $2, true FROM tb_org LIMIT 1`, []any{noteKey(r), prose(r)}},
	}
}

// hugeInsert writes thousands of rows in one transaction, for a few people.
func hugeInsert(r *rand.Rand) []stmt {
	rows := 5_000 + r.IntN(15_000)
	return []stmt{{`INSERT INTO tb_event SELECT $1::bigint + g, p.pk, timestamptz '2030-01-01' + g * interval '1 second', 'huge ' || g, 0.25
		FROM generate_series(1, $2::int) g JOIN tb_person p ON p.pk = 1 + g % 20 ON CONFLICT DO NOTHING`,
		[]any{hugeEvents + r.IntN(3)*50_000, rows}}}
}

// settle closes the books: balances become openings, and the ledger is
// emptied, so that a long run does not grow.
func settle(*rand.Rand) []stmt {
	return []stmt{
		{`LOCK TABLE tb_wallet, tb_transfer IN EXCLUSIVE MODE`, nil},
		{`DELETE FROM tb_transfer`, nil},
		{`UPDATE tb_wallet SET opening = balance WHERE opening <> balance`, nil},
	}
}

// subtransactions writes in a few hundred subtransactions, every third of which
// is rolled back, all in one transaction.
func subtransactions(r *rand.Rand) []stmt {
	return []stmt{{fmt.Sprintf(`DO $do$ BEGIN
		FOR i IN 1..%d LOOP
			BEGIN
				UPDATE tb_product SET stock = (stock + i) %% 1000 WHERE id = 1 + i %% %d;
				UPDATE tb_spoke SET label = 'sub ' || i WHERE id = 1 + (i * %d) %% %d;
				IF i %% 3 = 0 THEN RAISE EXCEPTION 'undo'; END IF;
			EXCEPTION WHEN raise_exception THEN NULL;
			END;
		END LOOP;
	END $do$`, 150+r.IntN(300), products, 1+r.IntN(17), spokes), nil}}
}
