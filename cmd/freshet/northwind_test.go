package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"freshet/deploy/pgserver/pgtest"
)

// northwindData is not part of the repository.
const northwindData = "../../../shared/data/northwind.sql"

// TestNorthwind runs on a database that nobody here designed: natural keys,
// nullable foreign keys, join tables with compound keys, a self-reference.
func TestNorthwind(t *testing.T) {
	data, err := os.ReadFile(northwindData)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the Northwind data are not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	url := pgtest.Database(t)
	pgtest.Exec(t, url, string(data))
	database, file := "--database-url="+url, "--model=../../examples/northwind/model.graphql"
	p := begin(t, "run", database, file, "--migrate", "--listen", "127.0.0.1:0")

	for _, change := range []struct{ sql, query, want string }{
		{"SELECT 1", `{ order(id: "10248") { total lineCount customer { id companyName } lines { quantity product { name category { name } } } } }`,
			`{"data":{"order":{"total":"440.00","lineCount":3,"customer":{"id":"VINET","companyName":"Vins et alcools Chevalier"},"lines":[` +
				`{"quantity":12,"product":{"name":"Queso Cabrales","category":{"name":"Dairy Products"}}},` +
				`{"quantity":10,"product":{"name":"Singaporean Hokkien Fried Mee","category":{"name":"Grains/Cereals"}}},` +
				`{"quantity":5,"product":{"name":"Mozzarella di Giovanni","category":{"name":"Dairy Products"}}}]}}}`},
		{"UPDATE categories SET category_name = 'Cheese' WHERE category_id = 4; UPDATE order_details SET quantity = 20 WHERE order_id = 10248 AND product_id = 11",
			`{ order(id: "10248") { total lines { product { category { name } } } } }`,
			`{"data":{"order":{"total":"552.00","lines":[{"product":{"category":{"name":"Cheese"}}},{"product":{"category":{"name":"Grains/Cereals"}}},{"product":{"category":{"name":"Cheese"}}}]}}}`},
		{"UPDATE orders SET customer_id = NULL, employee_id = NULL, ship_via = NULL WHERE order_id = 10248",
			`{ order(id: "10248") { customer { id } employee { id } shipper { id } } customer(id: "VINET") { orderCount } }`,
			`{"data":{"order":{"customer":null,"employee":null,"shipper":null},"customer":{"orderCount":4}}}`},
		{"UPDATE employees SET reports_to = 5 WHERE employee_id = 8; DELETE FROM employee_territories WHERE employee_id = 8 AND territory_id <> '19428'",
			`{ employee(id: "8") { manager { name manager { name } } territories { id region { name } } } two: employee(id: "2") { reportCount } five: employee(id: "5") { reports { id } } }`,
			`{"data":{"employee":{"manager":{"name":"Steven Buchanan","manager":{"name":"Andrew Fuller"}},"territories":[{"id":"19428","region":{"name":"Northern"}}]},"two":{"reportCount":4},"five":{"reports":[{"id":"8"},{"id":"9"},{"id":"7"},{"id":"6"}]}}}`},
	} {
		pgtest.Exec(t, url, change.sql)
		if got := ask(t, p.addr["graphql"], change.query); got != change.want {
			t.Errorf("after %s\ngot  %s\nwant %s", change.sql, got, change.want)
		}
	}
	if r := freshet(t, "verify", database, file); r.code != exitOK || !strings.Contains(r.out, "Order: 830 documents compared, 0 differ") {
		t.Errorf("verify: exit code %d:\n%s%s", r.code, r.out, r.errors)
	}
	if code := p.end(); code != exitOK {
		t.Errorf("exit code %d:\n%s", code, p.errs)
	}
}
