package api

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"

	"freshet/model"
)

// leanModel is the shop's model with nothing embedded but keys.
func leanModel(t *testing.T) *model.Model {
	t.Helper()
	source, err := os.ReadFile("testdata/shop.graphql")
	if err != nil {
		t.Fatal(err)
	}
	lean := regexp.MustCompile(` @embed\(fields: "[^"]*"\)| @index\(fields: \["customer.name"\]\)`).ReplaceAllString(string(source), "")
	return parseSource(t, "lean.graphql", lean)
}

// TestStitchEqualsEmbed: any query has the same answer, errors included,
// whether documents embed much or only keys, and whatever is cached.
func TestStitchEqualsEmbed(t *testing.T) {
	rich, lean := parseModel(t, "testdata/shop.graphql"), leanModel(t)
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 7))
		w := shop
		if seed%2 == 1 {
			w = shop.damage(r, rich)
		}
		a := newServer(t, rich, newMemStore(t, rich, w))
		b := newServer(t, lean, newMemStore(t, lean, w))
		off := newServer(t, lean, newMemStore(t, lean, w), func(c *Config) { c.CacheBytes, c.Feed = 0, nil })
		g := &queryMaker{r: r, schema: a.Schema(), world: w, lists: true}
		for i := range 40 {
			query, vars := g.query()
			want := ask(t, a, query, vars).Body.String()
			if strings.HasPrefix(want, `{"errors"`) && !strings.Contains(want, `"data"`) {
				t.Fatalf("not a valid query: %s\n%s", query, want)
			}
			for name, s := range map[string]*Server{"lean": b, "uncached": off} {
				if got := ask(t, s, query, vars).Body.String(); got != want {
					t.Fatalf("seed %d query %d (%s):\n%s\n%s\ngot  %s\nwant %s", seed, i, name, query, vars, got, want)
				}
			}
		}
	}
}

// TestBatches: what is not embedded costs one read for each type and level.
func TestBatches(t *testing.T) {
	m := leanModel(t)
	for _, c := range []struct {
		name, query string
		want        []string
	}{
		{"embedded", `{ order(id: "o1") { total lines { quantity } } }`, []string{"Order 1"}},
		{"keys of one type together", `{ a: order(id: "o1") { id } b: order(id: "o2") { id } c: order(id: "o1") { id } }`, []string{"Order 2"}},
		{"one level", `{ orders { nodes { customer { id } } } }`, []string{"page of Order 20"}},
		{"list with targets", `{ orders { nodes { customer { name } } } }`, []string{"page of Order 20", "Customer 2"}},
		{"two levels", `{ customers { nodes { orders { customer { name } } } } }`, []string{"page of Customer 20", "Order 3"}},
		{"the same type twice in a level", `{ a: customer(id: "c3") { referrer { email } orders { id } } b: customer(id: "c2") { referrer { email } } }`,
			[]string{"Customer 2", "Customer 1"}},
		{"absent", `{ order(id: "x") { id } }`, []string{"Order 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newMemStore(t, m, shop)
			s := newServer(t, m, store)
			ask(t, s, c.query, "")
			if got := fmt.Sprint(store.calls); got != fmt.Sprint(c.want) {
				t.Errorf("reads %v, want %v", got, c.want)
			}
			store.calls = nil
			ask(t, s, c.query, "")
			for _, call := range store.calls {
				if !strings.HasPrefix(call, "page") {
					t.Errorf("the second time %q was read again", call)
				}
			}
		})
	}
}
