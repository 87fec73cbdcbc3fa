package soak

import (
	"fmt"
	"math/rand/v2"
)

// hubOps change what thousands of documents embed, the links to it, and those
// documents themselves.
var hubOps = []op{
	one(1, renameHub, func(r *rand.Rand) []any { return []any{1 + r.IntN(hubs), phrase(r)} }),
	one(3, `UPDATE tb_spoke SET hub_id = $2 WHERE id = $1`, func(r *rand.Rand) []any { return []any{pick(r, spokes), 1 + r.IntN(hubs)} }),
	one(1, `UPDATE tb_spoke SET hub_id = $2 WHERE id BETWEEN $1::int AND $1::int + 30`, func(r *rand.Rand) []any { return []any{pick(r, spokes), 1 + r.IntN(hubs)} }),
	one(2, `UPDATE tb_spoke SET other_id = $2 WHERE id = $1`, func(r *rand.Rand) []any { return []any{pick(r, spokes), maybe(r, 1+r.IntN(hubs))} }),
	one(3, `UPDATE tb_spoke SET label = $2 WHERE id = $1`, func(r *rand.Rand) []any { return []any{pick(r, spokes), phrase(r)} }),
	one(1, `DELETE FROM tb_spoke WHERE id = $1`, func(r *rand.Rand) []any { return []any{1 + r.IntN(spokes)} }),
	one(2, `INSERT INTO tb_spoke VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, func(r *rand.Rand) []any {
		return []any{1 + r.IntN(spokes), 1 + r.IntN(hubs), maybe(r, 1+r.IntN(hubs)), phrase(r)}
	}),
	one(2, `INSERT INTO tb_bolt SELECT $1, s.id, $3, $4 FROM tb_spoke s WHERE s.id = $2 ON CONFLICT DO NOTHING`, func(r *rand.Rand) []any {
		return []any{pick(r, bolts), pick(r, spokes), maybe(r, 1+r.IntN(hubs)), r.IntN(9)}
	}),
	one(2, `UPDATE tb_bolt SET hub_id = $2, size = $3 WHERE id = $1`, func(r *rand.Rand) []any { return []any{pick(r, bolts), maybe(r, 1+r.IntN(hubs)), r.IntN(9)} }),
	one(1, `DELETE FROM tb_bolt WHERE id = $1`, func(r *rand.Rand) []any { return []any{1 + r.IntN(bolts)} }),
	one(1, `UPDATE tb_trap SET label = $2, divisor = CASE divisor WHEN 0 THEN 0 ELSE divisor % 9 + 1 END WHERE id = $1`,
		func(r *rand.Rand) []any { return []any{pick(r, traps), phrase(r)} }),
}

const renameHub = `UPDATE tb_hub SET name = $2, version = version + 1 WHERE id = $1`

// upheaval is one transaction that renames every hub, and moves spokes and
// bolts between them, some of it undone by a subtransaction.
func upheaval(r *rand.Rand) []stmt {
	var stmts []stmt
	for id := range hubs {
		stmts = append(stmts, stmt{renameHub, []any{id + 1, phrase(r)}})
	}
	return append(stmts,
		stmt{`UPDATE tb_spoke SET hub_id = hub_id % $1 + 1 WHERE id % 7 = $2`, []any{hubs, r.IntN(7)}},
		stmt{`UPDATE tb_bolt SET hub_id = $1 WHERE id % 5 = $2`, []any{maybe(r, 1+r.IntN(hubs)), r.IntN(5)}},
		stmt{fmt.Sprintf(`DO $do$ BEGIN
		UPDATE tb_hub SET name = 'undone' WHERE id = %d;
		RAISE EXCEPTION 'undo';
	EXCEPTION WHEN raise_exception THEN NULL; END $do$`, 1+r.IntN(hubs)), nil})
}
