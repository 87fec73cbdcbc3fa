package api

// shop is the world of testdata/shop.graphql.
var shop = world{
	"Customer": {
		"c1": {"id": "c1", "email": "ada@example.org", "name": "Ada \"the\" ünique <b>", "mood": "HAPPY", "tags": []any{"a", "b"},
			"createdAt": "2024-01-01T00:00:00+00:00", "orders": []any{"o2", "o1"}, "orderCount": 2},
		"c2": {"id": "c2", "email": "bob@example.org", "mood": nil, "tags": nil, "createdAt": "2024-01-02T00:00:00+00:00",
			"orders": []any{"o3"}, "referrer": "c1", "orderCount": 1},
		"c3": {"id": "c3", "email": "eve@example.org", "name": "Eve", "mood": "SAD", "tags": []any{}, "createdAt": "2024-01-02T00:00:00+00:00",
			"orders": []any{}, "referrer": "c2", "orderCount": 0},
	},
	"Order": {
		"o1": {"id": "o1", "placedAt": "2024-02-01T00:00:00+00:00", "total": "10.50", "rank": 2, "note": nil, "customer": "c1",
			"payload": map[string]any{"a": []any{1, 2, nil}, "b": "x y"},
			"lines": []any{
				row{"position": 1, "quantity": 2, "product": "p1"},
				row{"position": 2, "quantity": 1, "product": nil},
			}, "gift": row{"wrapping": "red"}},
		"o2": {"id": "o2", "placedAt": "2024-02-02T00:00:00+00:00", "total": "7.25", "rank": nil, "note": "b", "customer": "c1", "lines": []any{}},
		"o3": {"id": "o3", "placedAt": "2024-02-02T00:00:00+00:00", "total": "100", "rank": 1, "note": "a", "customer": "c2",
			"lines": []any{row{"position": 1, "quantity": 5, "product": "p2"}}},
	},
	"Product": {
		"p1": {"id": "p1", "title": "Pen", "price": "1.20", "weight": 0.5, "colors": []any{"HAPPY", "SAD"}, "category": "k2"},
		"p2": {"id": "p2", "title": "Paper", "price": "5", "weight": nil, "colors": nil, "category": "k1"},
	},
	"Category": {
		"k1": {"id": "k1", "name": "Office", "products": []any{"p2"}},
		"k2": {"id": "k2", "name": "Writing", "parent": "k1", "products": []any{"p1"}},
	},
}
