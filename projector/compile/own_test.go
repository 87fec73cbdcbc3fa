package compile

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// own is the path of a read model's own row.
func (l *live) own(name string) *Path {
	l.t.Helper()
	for _, p := range l.paths() {
		if p.Model.Name == name && p.Via == name {
			return p
		}
	}
	l.t.Fatalf("no path of %s's own row", name)
	return nil
}

// TestOwnPatchPaths expects a patch of the own row where it leaves a list or an
// aggregate out, and of its IDs that each is one path's alone.
func TestOwnPatchPaths(t *testing.T) {
	plan, _ := Compile(parseModel(t, "blog"), readCatalog(t, "blog"))
	l := &live{t: t, plan: plan}
	kept := map[string][]string{}
	seen := map[int]bool{}
	for _, p := range l.paths() {
		ids := []int{p.ID}
		if len(p.Kept) > 0 {
			kept[p.Via] = p.Kept
			ids = append(ids, p.PatchID)
		}
		for _, id := range ids {
			if seen[id] {
				t.Errorf("%s: ID %d is another's", p.Name, id)
			}
			seen[id] = true
		}
		if len(p.Kept) > 0 && (p.Patch == "" || !p.Direct || p.Field != "") {
			t.Errorf("%s: patch %q, direct %t, field %q", p.Name, p.Patch, p.Direct, p.Field)
		}
	}
	// A comment has nothing that is left out: its author's key is not told.
	if diff := cmp.Diff(map[string][]string{"User": {"id"}, "Post": {"author_id", "id"}}, kept); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if patch := l.own("Post").Patch; strings.Contains(patch, "tb_comment") || strings.Contains(patch, "tb_user") {
		t.Errorf("the patch reads other tables:\n%s", patch)
	}
}

// TestOwnPatchIsNotForAMovedLink has the patch of the own row used where it must
// not be: for a row whose link moved together with a scalar.
func TestOwnPatchIsNotForAMovedLink(t *testing.T) {
	l := openLive(t, "blog", blogData)
	p := l.own("Post")
	change := func(sets string) (starts, own map[string][]string) {
		before := l.snapshot()
		exec(t, l.conn, "UPDATE tb_post SET "+sets+" WHERE id = (SELECT min(id::text)::uuid FROM tb_post)")
		patches := map[*Path]map[string][]string{}
		return l.starts(before, l.snapshot(), patches)[p], patches[p]
	}
	if starts, own := change("title = title || '!'"); len(starts) != 0 || len(own) != 1 {
		t.Fatalf("a title: %d rebuilds, %d patches", len(starts), len(own))
	}
	keys := l.strings("SELECT min(id::text) FROM tb_post")
	if ops := l.writes(p.Model, p.Patch, keys); ops[keys[0]] != "u" {
		t.Errorf("a title: %v", ops)
	}
	l.verify(p.Model)

	starts, own := change("title = title || '!', author_id = (SELECT id FROM tb_user u WHERE u.id <> author_id ORDER BY id LIMIT 1)")
	if len(starts) != 1 || len(own) != 0 {
		t.Errorf("a title and a link: %d rebuilds, %d patches", len(starts), len(own))
	}
	l.write(p.Patch, keys)
	if wrong := l.differences(p.Model, keys); len(wrong) != 1 {
		t.Errorf("with the patch %d documents are wrong", len(wrong))
	}
	l.apply(p.Model, keys)
	l.verify(p.Model)
}

// TestMoved names columns by their bits.
func TestMoved(t *testing.T) {
	rm := &ReadModel{Columns: []IndexColumn{{Column: "a"}, {Column: "b"}, {Column: "c"}}}
	for _, c := range []struct {
		bits  int64
		want  []string
		known bool
	}{{0, nil, true}, {5, []string{"a", "c"}, true}, {2, []string{"b"}, true}, {-1, nil, false}} {
		if got, known := rm.Moved(c.bits); !slices.Equal(got, c.want) || known != c.known {
			t.Errorf("%d: %v, %t", c.bits, got, known)
		}
	}
	many := &definition{}
	for i := range maxMoved + 1 {
		many.columns = append(many.columns, typedColumn{IndexColumn: IndexColumn{Column: "c"}, place: i})
	}
	if sql := many.moved(func(typedColumn) string { return "s.c" }); sql != "(-1)::bigint" {
		t.Errorf("too many columns: %s", sql)
	}
}
