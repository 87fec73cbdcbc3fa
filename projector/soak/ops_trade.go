package soak

import (
	"math/rand/v2"
)

var productOps = []op{
	one(3, `INSERT INTO tb_category SELECT $1, $2, (SELECT c.code FROM tb_category c WHERE c.code = $3)
		ON CONFLICT (code) DO UPDATE SET name = excluded.name`,
		func(r *rand.Rand) []any {
			return []any{pickText(r, categories), phrase(r), maybe(r, pickText(r, categories))}
		}),
	one(1, `UPDATE tb_category SET code = $2 WHERE code = $1`, func(r *rand.Rand) []any { return []any{pickText(r, categories), pickText(r, categories)} }),
	one(2, `UPDATE tb_category SET parent_code = (SELECT c.code FROM tb_category c WHERE c.code = $2) WHERE code = $1`,
		func(r *rand.Rand) []any { return []any{pickText(r, categories), maybe(r, pickText(r, categories))} }),
	one(1, `DELETE FROM tb_category WHERE code = $1 AND $2`, func(r *rand.Rand) []any { return []any{pickText(r, categories), flip(r)} }),
	one(8, `INSERT INTO tb_product SELECT $1, c.code, $3, $4::numeric, $5::numeric, $6, $7::jsonb FROM tb_category c WHERE c.code = $2
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, category_code = excluded.category_code`, func(r *rand.Rand) []any {
		return []any{pick(r, products), pickText(r, categories), phrase(r), price(r), maybe(r, price(r)+"0"), r.IntN(100), maybe(r, document(r))}
	}),
	one(4, `UPDATE tb_product SET price = $2::numeric WHERE id = $1`, func(r *rand.Rand) []any { return []any{pick(r, products), price(r)} }),
	one(3, `UPDATE tb_product SET stock = (stock + 1) % 1000 WHERE id = $1`, func(r *rand.Rand) []any { return []any{pick(r, products)} }),
	one(1, `UPDATE tb_product SET id = $2 WHERE id = $1`, func(r *rand.Rand) []any { return []any{pick(r, products), 1 + r.IntN(products)} }),
	one(1, `DELETE FROM tb_product WHERE id = $1`, func(r *rand.Rand) []any { return []any{1 + r.IntN(products)} }),
}

const lineInsert = `INSERT INTO tb_order_line SELECT o.id, $2, p.id, $4, $5::numeric, $6::numeric FROM tb_order o, tb_product p
	WHERE o.id = $1 AND p.id = $3 ON CONFLICT (order_id, line_no) DO UPDATE SET qty = excluded.qty, product_id = excluded.product_id`

func orderKey(r *rand.Rand) any { return pick(r, orders) }

func lineArgs(r *rand.Rand, order any) []any {
	return []any{order, 1 + r.IntN(lines), pick(r, products), r.IntN(12), price(r), maybe(r, price(r)[1:])}
}

var orderOps = []op{
	{8, placeOrder},
	one(12, lineInsert, func(r *rand.Rand) []any { return lineArgs(r, orderKey(r)) }),
	one(3, `UPDATE tb_order SET status = $2 WHERE id = $1`, func(r *rand.Rand) []any { return []any{orderKey(r), status(r)} }),
	one(3, `UPDATE tb_order SET buyer_pk = (SELECT pk FROM tb_person WHERE pk = $2) WHERE id = $1`,
		func(r *rand.Rand) []any { return []any{orderKey(r), maybe(r, personKey(r))} }),
	one(2, `UPDATE tb_order SET buyer_pk = seller_pk, seller_pk = buyer_pk WHERE id = $1`, func(r *rand.Rand) []any { return []any{orderKey(r)} }),
	one(1, `UPDATE tb_order SET id = $2 WHERE id = $1`, func(r *rand.Rand) []any { return []any{orderKey(r), 1 + r.IntN(orders)} }),
	one(2, `DELETE FROM tb_order WHERE id = $1`, func(r *rand.Rand) []any { return []any{1 + r.IntN(orders)} }),
	one(3, `UPDATE tb_order_line SET qty = $3, discount = $4::numeric WHERE order_id = $1 AND line_no = $2`,
		func(r *rand.Rand) []any {
			return []any{orderKey(r), 1 + r.IntN(lines), r.IntN(12), maybe(r, price(r)[1:])}
		}),
	one(2, `UPDATE tb_order_line SET order_id = o.id FROM tb_order o WHERE order_id = $1 AND line_no = $2 AND o.id = $3`,
		func(r *rand.Rand) []any { return []any{orderKey(r), 1 + r.IntN(lines), orderKey(r)} }),
	one(1, `UPDATE tb_order_line SET line_no = 7 - line_no WHERE order_id = $1 AND line_no = $2`,
		func(r *rand.Rand) []any { return []any{orderKey(r), 1 + r.IntN(lines)} }),
	one(3, `DELETE FROM tb_order_line WHERE order_id = $1 AND line_no = $2`, func(r *rand.Rand) []any { return []any{orderKey(r), 1 + r.IntN(lines)} }),
}

func status(r *rand.Rand) string { return []string{"new", "paid", "sent"}[r.IntN(3)] }

// placeOrder inserts an order with its lines.
func placeOrder(r *rand.Rand) []stmt {
	id := orderKey(r)
	stmts := []stmt{{`INSERT INTO tb_order SELECT $1, (SELECT pk FROM tb_person WHERE pk = $2), (SELECT pk FROM tb_person WHERE pk = $3), $4, $5::timestamptz, $6
		ON CONFLICT DO NOTHING`, []any{id, maybe(r, personKey(r)), maybe(r, personKey(r)), status(r), instant(r), maybe(r, prose(r))}}}
	for range r.IntN(4) {
		stmts = append(stmts, stmt{lineInsert, lineArgs(r, id)})
	}
	return stmts
}

var moneyOps = []op{
	{20, transfer},
	one(6, `UPDATE tb_counter SET version = version + 1 WHERE id IN (1, 2)`, func(*rand.Rand) []any { return nil }),
}

// transfer moves money: two balances and a row of the ledger, in an order of
// rows that cannot deadlock with another transfer.
func transfer(r *rand.Rand) []stmt {
	from, to, amount := pick(r, wallets), pick(r, wallets), 1+r.IntN(50)
	return []stmt{
		{`SELECT 1 FROM tb_wallet WHERE id IN ($1, $2) ORDER BY id FOR UPDATE`, []any{from, to}},
		{`UPDATE tb_wallet SET balance = balance - $2 WHERE id = $1`, []any{from, amount}},
		{`UPDATE tb_wallet SET balance = balance + $2 WHERE id = $1`, []any{to, amount}},
		{`INSERT INTO tb_transfer (from_id, to_id, amount) VALUES ($1, $2, $3)`, []any{from, to, amount}},
	}
}
