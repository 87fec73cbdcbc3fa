package api

import (
	"slices"
	"testing"
)

// TestPagesInPart: without a cache only what the answer takes is read; the
// answers are the same.
func TestPagesInPart(t *testing.T) {
	m := blogModel(t)
	s := newServer(t, m, newMemStore(t, m, blog()), func(c *Config) { c.CacheBytes, c.Feed = 0, nil })
	for _, c := range []struct {
		query string
		want  []string
	}{
		{`{ posts { nodes { id title author { username } } } }`, []string{"content", "published", "createdAt", "comments", "commentCount"}},
		{`{ posts { edges { cursor node { title } } nodes { comments { id } } } }`, []string{"content", "published", "createdAt", "author", "commentCount"}},
		{`{ postList { __typename title: content } }`, []string{"title", "published", "createdAt", "author", "comments", "commentCount"}},
		{`{ posts { nodes { id title content comments { id } } } }`, nil}, // little would be spared
		{`{ posts { totalCount } }`, []string{"title", "content", "published", "createdAt", "author", "comments", "commentCount"}},
	} {
		q, refused := s.query(c.query)
		if refused != nil {
			t.Fatal(c.query, refused)
		}
		op, err := q.find("")
		if err != nil {
			t.Fatal(err)
		}
		var vars variables
		p, err := op.plan(s, &vars)
		if err != nil {
			t.Fatal(err)
		}
		list, failed := s.listQuery(&p.roots[0], &vars)
		if failed != nil {
			t.Fatal(failed)
		}
		if !slices.Equal(list.Spared, c.want) {
			t.Errorf("%s spares %q, want %q", c.query, list.Spared, c.want)
		}
	}
	cached := newServer(t, m, newMemStore(t, m, blog()))
	q, _ := cached.query(`{ posts { nodes { id } } }`)
	op, _ := q.find("")
	var vars variables
	p, _ := op.plan(cached, &vars)
	if list, err := cached.listQuery(&p.roots[0], &vars); err != nil || list.Spared != nil {
		t.Errorf("with a cache %q are spared, %v", list.Spared, err)
	}
}
