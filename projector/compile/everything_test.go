package compile

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const everythingData = `
INSERT INTO tb_company (pk_company, name, mood) SELECT i, 'Company ' || i, (ARRAY['happy', 'sad'])[1 + i % 2]::app.mood FROM generate_series(1, 4) i;
INSERT INTO tb_person (pk_person, email, first_name, last_name, fk_company, fk_manager, deleted_at)
SELECT i, i || '@x', (ARRAY['Ann', 'Bob', 'Zoe'])[1 + i % 3], CASE WHEN i % 4 > 0 THEN 'L' || i % 5 END, nullif(i % 5, 0), nullif(i / 3, 0),
       CASE WHEN i % 7 = 0 THEN timestamptz '2024-01-01Z' END FROM generate_series(1, 15) i;
INSERT INTO tb_profile (person, bio) SELECT i, 'Bio ' || i FROM generate_series(2, 9) i;
INSERT INTO tb_ticket (id, title, priority, points, hours, cost, closed, reporter, assignee)
SELECT i, 'Ticket ' || i % 11, i % 3, nullif(i % 8, 0), CASE i % 6 WHEN 0 THEN NULL WHEN 1 THEN 'NaN' ELSE i / 7.0 END,
       (ARRAY['1.0', '1.00', '1', '20.5', NULL])[1 + i % 5]::numeric, i % 4 = 0, 1 + i % 15, nullif(i % 12, 0) FROM generate_series(1, 40) i;
INSERT INTO tb_tag SELECT 'tag' || i, CASE WHEN i % 5 > 0 THEN 'Label ' || i % 3 ELSE '' END FROM generate_series(1, 8) i;
INSERT INTO tb_ticket_tag SELECT DISTINCT 1 + i % 40, 'tag' || 1 + (i * i) % 8 FROM generate_series(1, 90) i;
INSERT INTO tb_watch SELECT 1 + i % 15, CASE WHEN i % 9 > 0 THEN 1 + (i * 7) % 40 END FROM generate_series(1, 80) i;
INSERT INTO tb_mentor SELECT DISTINCT 1 + i % 15, 1 + (i * 4) % 15 FROM generate_series(1, 30) i;
INSERT INTO tb_order (region, number, customer) SELECT (ARRAY['north', 'south'])[1 + i % 2], i, nullif(i % 10, 0) FROM generate_series(1, 20) i;
INSERT INTO tb_product SELECT i, 'Product ' || i, i * 1.5 FROM generate_series(1, 6) i;
INSERT INTO tb_order_line SELECT o.region, o.number, l, nullif((o.number * l) % 7, 0), l * 10 FROM tb_order o, generate_series(1, 3) l;
INSERT INTO app.tb_sample (code, c_text, c_jsonb, c_float8, c_numeric) SELECT 'S' || i, 'a,b' || i, '{"n": 1.0}', i / 3.0, i FROM generate_series(1, 5) i;`

// person is some person's primary key.
func (w *writer) person() string { return w.some("tb_person", "pk_person") }

func (w *writer) everything() string {
	return w.pick(w.people(), w.people(), w.tickets(), w.tickets(), w.tags(), w.trade(), w.samples())
}

func (w *writer) people() string {
	one := "tb_person"
	return w.pick(
		"INSERT INTO tb_company (name) VALUES ("+w.text()+")",
		w.update("tb_company", "pk_company", w.pick("name = "+w.text(), "mood = 'sad'", "id = gen_random_uuid()", "pk_company = pk_company + 100")),
		w.remove("tb_company", "pk_company"),
		fmt.Sprintf("INSERT INTO tb_person (email, first_name, last_name, fk_company, fk_manager) SELECT 'e%d', %s, %s, %s, %s",
			w.IntN(1e6), w.text(), w.pick(w.text(), "NULL"), w.maybe("tb_company", "pk_company"), w.maybe(one, "pk_person")),
		w.update(one, "pk_person", "first_name = "+w.text()),
		w.update(one, "pk_person", w.pick("last_name = NULL", "last_name = "+w.text())),
		w.update(one, "pk_person", "deleted_at = CASE WHEN deleted_at IS NULL THEN now() END"),
		w.update(one, "pk_person", "fk_company = "+w.maybe("tb_company", "pk_company")),
		w.update(one, "pk_person", "fk_manager = "+w.maybe(one, "pk_person")),
		w.update(one, "pk_person", w.pick("id = gen_random_uuid()", "email = email || 'x'")),
		w.update(one, "pk_person", "pk_person = pk_person + 1000"),
		w.remove(one, "pk_person"),
		"INSERT INTO tb_mentor SELECT "+w.person()+", "+w.person(),
		w.update("tb_mentor", "mentor", w.pick("mentor = "+w.person(), "pupil = "+w.person())),
		w.remove("tb_mentor", "pupil"),
		"INSERT INTO tb_profile (person, bio) SELECT "+w.person()+", "+w.text(),
		w.update("tb_profile", "id", w.pick("bio = "+w.text(), "person = "+w.person(), "id = gen_random_uuid()")),
		w.remove("tb_profile", "id"),
	)
}

func (w *writer) tickets() string {
	one := "tb_ticket"
	return w.pick(
		fmt.Sprintf("INSERT INTO tb_ticket (title, priority, points, cost, reporter, assignee) SELECT %s, %d, %d, 1.%d, %s, %s",
			w.text(), w.IntN(3), w.IntN(9), w.IntN(3), w.person(), w.maybe("tb_person", "pk_person")),
		w.update(one, "id", "title = "+w.text()),
		w.update(one, "id", w.pick("priority = priority + 1", "closed = NOT closed", "created_at = created_at + interval '1 day'")),
		w.update(one, "id", w.pick("points = NULL", "points = "+strconv.Itoa(w.IntN(20)), "hours = 'Infinity'", "hours = random()", "cost = cost + 0.00", "cost = 1.000")),
		w.update(one, "id", "reporter = "+w.person()),
		w.update(one, "id", "assignee = "+w.maybe("tb_person", "pk_person")),
		w.update(one, "id", "assignee = reporter, reporter = coalesce(assignee, reporter)"),
		w.update(one, "id", "id = id + 1000"),
		w.remove(one, "id"),
		"INSERT INTO tb_watch SELECT "+w.person()+", "+w.maybe(one, "id")+" FROM generate_series(1, 2)",
		w.update("tb_watch", "ticket", w.pick("ticket = "+w.maybe(one, "id"), "person = "+w.person())),
		w.remove("tb_watch", "person"),
	)
}

func (w *writer) tags() string {
	return w.pick(
		fmt.Sprintf("INSERT INTO tb_tag VALUES ('t%d', %s)", w.IntN(1e6), w.text()),
		w.update("tb_tag", "code", w.pick("label = "+w.text(), "label = ''", "code = substr(md5(code), 1, 8)")),
		w.remove("tb_tag", "code"),
		"INSERT INTO tb_ticket_tag SELECT "+w.some("tb_ticket", "id")+", "+w.some("tb_tag", "code"),
		w.update("tb_ticket_tag", "ticket_id", w.pick("tag_code = "+w.some("tb_tag", "code"), "ticket_id = "+w.some("tb_ticket", "id"))),
		w.remove("tb_ticket_tag", "ticket_id"),
	)
}

func (w *writer) trade() string {
	return w.pick(
		fmt.Sprintf("INSERT INTO tb_order (region, number, customer) SELECT %s, %d, %s", w.text(), w.IntN(1e4), w.maybe("tb_person", "pk_person")),
		w.update("tb_order", "id", w.pick("region = 'east'", "number = number + 1000", "customer = "+w.maybe("tb_person", "pk_person"), "id = gen_random_uuid()")),
		w.remove("tb_order", "id"),
		w.update("tb_order_line", "order_number", w.pick("product_id = "+w.maybe("tb_product", "id"), "quantity = quantity + 1", "line = line + 10")),
		w.update("tb_order_line", "order_number", "(order_region, order_number) = (SELECT region, number FROM tb_order ORDER BY md5(number::text || '"+strconv.Itoa(w.IntN(1e6))+"') LIMIT 1)"),
		w.remove("tb_order_line", "order_number"),
		w.update("tb_product", "id", w.pick("price = price + 0.1", "name = "+w.text(), "id = id + 100")),
		w.remove("tb_product", "id"),
	)
}

func (w *writer) samples() string {
	return w.update("app.tb_sample", "code", w.pick("c_int4 = coalesce(c_int4, 0) + 1", `c_jsonb = '{"n": 1.00}'`, `c_json = '{"n": 1.0}'`, "c_float8 = 'NaN'", "c_numeric = 1.50",
		"c_numeric = 1.5", "c_text = "+w.text(), "code = code || 'x'", "c_mood = 'happy'", "c_timestamp = '2024-01-01'", "a_text = '{a,NULL}'", "\"select\" = 'x'"))
}

func TestEverythingLive(t *testing.T) {
	l := openLive(t, "everything", everythingData)
	for _, rm := range l.plan.ReadModels {
		l.verify(rm)
	}
	exec(t, l.conn, "SELECT setval(pg_get_serial_sequence('tb_person', 'pk_person'), 100000), setval(pg_get_serial_sequence('tb_ticket', 'id'), 100000), setval(pg_get_serial_sequence('tb_company', 'pk_company'), 100000)")
	n, w := rounds(t, 60)
	written := 0
	for range n {
		written += l.step(func() { w.transaction(t, l.conn, 5, w.everything) })
		if t.Failed() {
			return
		}
	}
	t.Logf("%d documents written, %d changes refused by constraints", written, w.refused)
	l.prune()
}

// prune puts rows that no definition yields into every table, and removes them.
func (l *live) prune() {
	l.t.Helper()
	for _, rm := range l.plan.ReadModels {
		key := map[string]string{"uuid": "gen_random_uuid()", "int4": "-1", "int8": "-1", "text": "'none'", "varchar": "'none'"}[rm.Key.Base]
		stray := l.strings(fmt.Sprintf(`INSERT INTO %s (%s, "data", "freshet_lsn", "freshet_time") VALUES (%s, '{}', '0/1', now()) RETURNING %[2]s::text`,
			qualified(rm.Table), ident(rm.Key.Column), key))
		if d := l.differences(rm, l.strings(rm.Keys)); len(d) != 1 || d[stray[0]].Kind != "extra" {
			l.t.Errorf("%s: with a stray row the differences are %v", rm.Name, d)
		}
		if diff := cmp.Diff(stray, l.strings(rm.Prune)); diff != "" {
			l.t.Errorf("%s: Prune (-want +got):\n%s", rm.Name, diff)
		}
		l.verify(rm)
	}
}

// TestEncodings holds the documents' values of every column type against what
// the specification says of them.
func TestEncodings(t *testing.T) {
	l := openLive(t, "everything", `
SET TimeZone = 'America/New_York';
INSERT INTO app.tb_sample VALUES ('k', 'a,b', 'vc', 'ab', '0f0e0d0c-0000-4000-8000-00000000000a', 32767, -5, 9007199254740993, 0.1, 1e-7, 12.340, true,
  '2024-01-02 03:04:05.123456Z', '2024-01-02 03:04:05', '2024-01-02', '03:04:05', '03:04:05+02', '1 day 2 hours', '{"b": 1.0,"a":[]}', '{"b": 1.0}',
  decode(repeat('ff00', 40), 'hex'), 'sad', 'happy', 1.5, '10.0.0.1', '[1,5)', DEFAULT,
  '{a,NULL}', '{{1,2},{3,4}}', '{9007199254740993}', '{1.5,NaN}', '{1.0,1.00}', '{happy,sad}', '{0f0e0d0c-0000-4000-8000-00000000000a}', ARRAY['\xff'::bytea],
  '{2024-01-02 03:04:05Z}', ARRAY['{"x": 1}'::jsonb], 'sel', 'odd');
INSERT INTO app.tb_sample (code, c_float4, c_float8, a_text, c_jsonb) VALUES ('n', 'Infinity', 'NaN', '{}', 'null');
SET TimeZone = 'UTC'`)
	var sample *ReadModel
	for _, rm := range l.plan.ReadModels {
		if rm.Name == "Sample" {
			sample = rm
		}
	}
	got, err := json.MarshalIndent(l.documents(sample), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, string(got)+"\n", "everything", "encodings.json")
	var columns string
	if err := l.conn.QueryRow(context.Background(), `SELECT to_jsonb(t) - 'data' - 'freshet_lsn' - 'freshet_time' FROM app.tv_sample t WHERE code = 'n'`).Scan(&columns); err != nil {
		t.Fatal(err)
	}
	want := `{"code": "n", "data_": null, "c_mood": null, "select": null, "instant": null, "c_float8": null, "c_numeric": null, "c_varchar": null, "c_timestamp": null}`
	if columns != want {
		t.Errorf("columns: %s", columns)
	}
}
