package compile

import (
	"context"
	"fmt"
	"testing"

	"freshet/projector/catalog"
)

// warningsData has references that lead nowhere.
const warningsData = `
INSERT INTO tb_author SELECT md5('a' || i)::uuid, 'Author ' || i FROM generate_series(1, 5) i;
SET session_replication_role = replica;
INSERT INTO tb_book SELECT md5('b' || i)::uuid, md5('a' || i % 8)::uuid, md5('a' || i % 6)::uuid, 'Book ' || i FROM generate_series(1, 20) i;
SET session_replication_role = DEFAULT;
INSERT INTO tb_award SELECT md5('b' || i)::uuid, 'Award ' || i % 3 FROM generate_series(1, 20) i, generate_series(1, 2);
INSERT INTO tb_sale SELECT i, md5('b' || 1 + i % 20)::uuid, i * 1.5 FROM generate_series(1, 60) i;`

func (w *writer) books() string {
	return w.pick(
		fmt.Sprintf("INSERT INTO tb_author VALUES (md5('a%d')::uuid, %s)", w.IntN(8), w.text()),
		w.update("tb_author", "id", w.pick("pen_name = "+w.text(), fmt.Sprintf("id = md5('a%d')::uuid", w.IntN(8)))),
		w.remove("tb_author", "id"),
		w.update("tb_book", "id", w.pick("title = "+w.text(), fmt.Sprintf("author_id = md5('a%d')::uuid", w.IntN(8)), "editor_id = "+w.some("tb_author", "id"))),
		w.remove("tb_book", "id"),
		"INSERT INTO tb_award SELECT "+w.some("tb_book", "id")+", "+w.text()+" FROM generate_series(1, 2)",
		w.update("tb_award", "name", w.pick("name = "+w.text(), "book_id = "+w.maybe("tb_book", "id"))),
		w.remove("tb_award", "name"),
		w.update("tb_sale", "id", w.pick("amount = amount + 0.5", "book_id = "+w.some("tb_book", "id"))),
		w.remove("tb_sale", "id"),
	)
}

// TestUnconstrainedLive runs a model whose links no constraint guards, over a
// table without a key and a partitioned one.
func TestUnconstrainedLive(t *testing.T) {
	l := openLive(t, "warnings", warningsData)
	n, w := rounds(t, 40)
	for range n {
		l.step(func() { w.transaction(t, l.conn, 3, w.books) })
		if t.Failed() {
			return
		}
	}
}

// TestRemedies runs the statements that the compiler recommends, and expects
// it to find nothing to recommend afterwards.
func TestRemedies(t *testing.T) {
	for _, name := range []string{"blog", "everything", "warnings"} {
		t.Run(name, func(t *testing.T) {
			conn := openSchema(t, name)
			if name == "warnings" {
				exec(t, conn, "ALTER TABLE tb_sale_0 REPLICA IDENTITY NOTHING")
			}
			compiled := func() *Plan {
				m := parseModel(t, name)
				c, err := catalog.Load(context.Background(), conn, Request(m))
				if err != nil {
					t.Fatal(err)
				}
				plan, ds := Compile(m, c)
				if plan == nil {
					t.Fatal(ds)
				}
				return plan
			}
			plan := compiled()
			unsatisfied := 0
			for _, n := range IdentityNeeds(plan) {
				if n.Satisfied {
					continue
				}
				unsatisfied++
				for _, sql := range n.SQL {
					exec(t, conn, sql)
				}
			}
			for _, i := range plan.MissingIndexes {
				exec(t, conn, i.SQL)
			}
			if unsatisfied == 0 {
				t.Error("every identity was satisfied from the start")
			}
			plan = compiled()
			for _, n := range IdentityNeeds(plan) {
				if !n.Satisfied {
					t.Errorf("%s needs %v still: %v", n.Source.Table.Name, n.Source.Identity, n.SQL)
				}
			}
			if len(plan.MissingIndexes) > 0 {
				t.Errorf("missing still: %v", plan.MissingIndexes)
			}
		})
	}
}
