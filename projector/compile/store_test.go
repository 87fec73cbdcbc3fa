package compile

import (
	"fmt"
	"strconv"
	"testing"
)

const storeData = `
INSERT INTO region SELECT i, 'Region ' || i % 3, CASE WHEN i % 4 > 0 THEN jsonb_build_object('n', 1.0, 'at', i) END, i % 5 = 0 FROM generate_series(1, 6) i;
INSERT INTO depot SELECT (ARRAY['north', 'South'])[1 + i % 2], i, 'Depot ' || i, nullif(i % 7, 0) FROM generate_series(1, 9) i;
INSERT INTO maker SELECT md5('m' || i)::uuid, 'Maker ' || i % 4, i % 5 = 0 FROM generate_series(1, 7) i;
INSERT INTO item SELECT 'Item ' || i, 'Title ' || i % 9, i % 11 = 0, (ARRAY['north', 'South'])[1 + d % 2], nullif(d, 0),
       md5('m' || nullif(i % 8, 0))::uuid, md5('m' || nullif(i * i % 8, 0))::uuid, md5('m' || nullif(i * 3 % 8, 0))::uuid
  FROM (SELECT i, i % 10 AS d FROM generate_series(1, 40) i) t;
INSERT INTO label SELECT i, 'Item ' || i, 'Label ' || i % 5 FROM generate_series(1, 30) i;
INSERT INTO offer SELECT i, 1 + i * i % 35, (ARRAY['1.0', '1.00', '2', '0.5'])[1 + i % 4]::numeric FROM generate_series(1, 60) i;
SELECT setval(pg_get_serial_sequence('offer', 'id'), 1000);`

func (w *writer) store() string {
	return w.pick(
		w.update("region", "id", w.pick("name = "+w.text(), "hidden = NOT hidden", "id = id + 100",
			"info = NULL", `info = 'null'`, `info = '{"n": 1.0}'`)),
		`UPDATE region SET info = jsonb_set(info, '{n}', CASE info ->> 'n' WHEN '1.0' THEN '1.00' ELSE '1.0' END::jsonb) WHERE info ? 'n'`,
		w.pick(w.remove("region", "id"), fmt.Sprintf(`INSERT INTO region VALUES (%d, %s, '{"n": 1.0}')`, w.IntN(1e6), w.text())),
		fmt.Sprintf("INSERT INTO depot VALUES (%s, %d, %s, %s)", w.pick("'north'", "'East'"), w.IntN(1e6), w.text(), w.some("region", "id")),
		w.update("depot", "number", w.pick("title = "+w.text(), "region = "+w.maybe("region", "id"), "number = number + 100", "area = 'East'")),
		w.remove("depot", "number"),
		w.update("maker", "id", w.pick("name = "+w.text(), "name = "+w.text(), "gone = NOT gone", "id = gen_random_uuid()")),
		w.pick(w.remove("maker", "id"), "INSERT INTO maker (name) VALUES ("+w.text()+")"),
		w.update("item", "code", w.pick("title = "+w.text(), "maker = "+w.maybe("maker", "id"), "owner = seller, seller = maker", "archived = NOT archived", "code = code || 'x'")),
		w.update("item", "code", "(area, number) = (SELECT area, number FROM depot ORDER BY md5(number::text || '"+strconv.Itoa(w.IntN(1e6))+"') LIMIT 1)"),
		w.pick(w.remove("item", "code"), fmt.Sprintf("INSERT INTO item (code, title, maker) SELECT 'New %d', %s, %s", w.IntN(1e6), w.text(), w.maybe("maker", "id"))),
		w.update("label", "serial", w.pick("text = NULL", "text = "+w.text(), "serial = serial + 100", "item = "+w.some("item", "code"))),
		w.pick(w.remove("label", "serial"), fmt.Sprintf("INSERT INTO label SELECT %d, %s, %s", 1e4+w.IntN(1e6), w.some("item", "code"), w.text())),
		w.update("offer", "id", w.pick("price = price - 0.5", "price = price + 0.00", "serial = 1 + serial % 30")),
		w.remove("offer", "id"),
		fmt.Sprintf("INSERT INTO offer (serial, price) VALUES (%d, 0.%d)", 1+w.IntN(40), w.IntN(100)),
	)
}

func TestStoreLive(t *testing.T) {
	l := openLive(t, "store", storeData)
	n, w := rounds(t, 25)
	for range n {
		l.step(func() { w.transaction(t, l.conn, 3, w.store) })
		if t.Failed() {
			return
		}
	}
}
