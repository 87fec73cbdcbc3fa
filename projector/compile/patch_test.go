package compile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"freshet/model"
	"freshet/projector/session"
)

// authors is the blog with more of what others embed.
func (w *writer) authors() string {
	return w.pick(w.update("tb_user", "id", "username = username || 'x'"), w.blog())
}

// embedded is everything with more of what others embed.
func (w *writer) embedded() string {
	return w.pick(
		w.update("tb_company", "pk_company", "name = "+w.text()),
		w.update("tb_person", "pk_person", w.pick("first_name = "+w.text(), "last_name = NULL", "deleted_at = CASE WHEN deleted_at IS NULL THEN now() END")),
		w.update("tb_profile", "id", "bio = "+w.text()),
		w.everything(),
	)
}

// TestPatches brings documents up to date by patches wherever a path has one,
// by Apply where any other path leads to them, and holds all of them against
// their definition.
func TestPatches(t *testing.T) {
	for _, c := range []struct {
		name, data string
		change     func(*writer) string
		rounds     int
	}{
		{"blog", blogData, (*writer).authors, 20},
		{"everything", everythingData, (*writer).embedded, 40},
		{"warnings", warningsData, (*writer).books, 20},
		{"store", storeData, (*writer).store, 80},
		{"subject", subjectData, (*writer).subject, 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := openLive(t, c.name, c.data)
			l.mend()
			n, w := rounds(t, c.rounds)
			patched := map[string]int{}
			for range n {
				l.patchStep(func() { w.transaction(t, l.conn, 2, func() string { return c.change(w) }) }, patched)
				if t.Failed() {
					return
				}
			}
			t.Logf("rows patched: %v", patched)
			if len(patched) == 0 || slices.Max(slices.Collect(maps.Values(patched))) == 0 {
				t.Error("no row was patched")
			}
		})
	}
}

// mend takes what each patch sets out of the stored documents, and expects it
// to come back by the patch, and nothing else to be touched.
func (l *live) mend() {
	l.t.Helper()
	for _, p := range l.paths() {
		if p.Patch == "" {
			continue
		}
		rm, fields := p.Model, fieldsOf(p)
		sets := []string{}
		for _, f := range fields {
			sets = append(sets, `"data" = "data" - `+literal(f))
		}
		for _, c := range rm.Columns {
			if first, _, _ := strings.Cut(c.Path, "."); slices.Contains(fields, first) {
				sets = append(sets, ident(c.Column)+" = NULL WHERE "+ident(c.Column)+" IS NOT NULL")
			}
		}
		for _, set := range sets {
			lost := exec(l.t, l.conn, "UPDATE "+qualified(rm.Table)+" SET "+set)
			ops := l.write(p.Patch, slices.Sorted(maps.Keys(l.stored(rm))))
			if len(ops) != int(lost) {
				l.t.Errorf("%s: %d rows patched after %d lost %s", p.Name, len(ops), lost, set)
			}
		}
		l.verify(rm)
	}
}

// fieldsOf are the fields that a patch sets for certain.
func fieldsOf(p *Path) []string {
	if p.Field != "" {
		return []string{p.Field}
	}
	var names []string
	for _, item := range p.Model.Type.Document().Items {
		if item.Field.Kind == model.Column || item.Field.Kind == model.Computed {
			names = append(names, item.Field.Name)
		}
	}
	return names
}

func (l *live) paths() []*Path {
	var paths []*Path
	for _, s := range l.plan.Sources {
		paths = append(paths, s.Paths...)
	}
	return paths
}

// patchStep runs a change of the source and brings the documents up to date.
// It counts the rows that each patch wrote and that nothing else would have.
func (l *live) patchStep(change func(), patched map[string]int) {
	l.t.Helper()
	before := l.snapshot()
	change()
	own := map[*Path]map[string][]string{}
	starts := l.starts(before, l.snapshot(), own)
	rebuilt := map[*ReadModel]map[string]bool{}
	for _, rm := range l.plan.ReadModels {
		rebuilt[rm] = map[string]bool{}
	}
	for _, p := range l.paths() {
		l.probe(p, starts[p])
		if p.Patch == "" || p.Direct {
			l.follow(p, starts[p], rebuilt[p.Model])
		}
	}
	for _, p := range l.paths() {
		if p.Patch == "" {
			continue
		}
		begin := starts[p]
		if p.Direct {
			begin = own[p]
		}
		patched[p.Model.Name+"."+p.Field] += l.patch(p, begin, rebuilt[p.Model])
	}
	for _, rm := range l.plan.ReadModels {
		l.apply(rm, slices.Sorted(maps.Keys(rebuilt[rm])))
		l.verify(rm)
	}
}

// patch runs the Patch of a path, and returns how many of the rows that it
// wrote are not rebuilt anyway.
func (l *live) patch(p *Path, starts map[string][]string, rebuilt map[string]bool) int {
	l.t.Helper()
	found := map[string]bool{}
	l.follow(p, starts, found)
	keys := slices.Sorted(maps.Keys(found))
	stale := l.differences(p.Model, keys)
	before := l.stored(p.Model)
	ops := l.writes(p.Model, p.Patch, append(keys, keys...))
	after := l.stored(p.Model)
	var count int
	for key := range keysOfText(before, after) {
		changed := before[key] != after[key]
		if changed != (ops[key] == "u") || changed && !found[key] {
			l.t.Errorf("%s: %s changed: %t, reported %q", p.Name, key, changed, ops[key])
		}
		if _, differed := stale[key]; changed && !differed {
			l.t.Errorf("%s: %s was written, and was as it is defined before", p.Name, key)
		}
		if changed && !rebuilt[key] {
			count++
		}
	}
	if again := l.write(p.Patch, keys); len(again) != 0 {
		l.t.Errorf("%s: a second patch wrote %v", p.Name, again)
	}
	return count
}

// stored are the rows of the tv_ table as text.
func (l *live) stored(rm *ReadModel) map[string]string {
	l.t.Helper()
	out := map[string]string{}
	key := ident(rm.Key.Column)
	for _, row := range l.strings("SELECT " + key + "::text || chr(1) || tv::text FROM " + qualified(rm.Table) + " tv") {
		k, rest, _ := strings.Cut(row, "\x01")
		out[k] = rest
	}
	return out
}

func keysOfText(a, b map[string]string) map[string]bool {
	out := map[string]bool{}
	for _, m := range []map[string]string{a, b} {
		for k := range m {
			out[k] = true
		}
	}
	return out
}

// probe holds a path's Probe against its SQL.
func (l *live) probe(p *Path, starts map[string][]string) {
	l.t.Helper()
	if (p.Probe == "") != p.Direct {
		l.t.Fatalf("%s: direct %t, probe %q", p.Name, p.Direct, p.Probe)
	}
	if p.Direct || len(starts) == 0 {
		return
	}
	args := arrays(p, starts)
	all := slices.Sorted(slices.Values(l.strings(p.SQL, args...)))
	for _, limit := range []int{1, 3, 100000} {
		got := l.strings(p.Probe, append(slices.Clone(args), limit)...)
		slices.Sort(got)
		distinct := slices.Compact(slices.Clone(got))
		if len(got) > limit || !subset(distinct, all) || len(got) < limit && !slices.Equal(distinct, all) {
			l.t.Errorf("%s: a probe for %d yields %v, and all is %v", p.Name, limit, got, all)
		}
	}
}

// TestPathNames expects a name to be one path's alone, and the same when the
// model is compiled again.
func TestPathNames(t *testing.T) {
	for _, name := range []string{"blog", "everything", "warnings", "store", "subject"} {
		t.Run(name, func(t *testing.T) {
			names := func() []string {
				plan, _ := Compile(parseModel(t, name), readCatalog(t, name))
				var all []string
				for _, p := range (&live{plan: plan}).paths() {
					all = append(all, p.Name)
				}
				return all
			}
			first := names()
			if diff := cmp.Diff(first, names()); diff != "" {
				t.Errorf("a second run differs:\n%s", diff)
			}
			seen := map[string]bool{}
			for _, n := range first {
				if seen[n] || strings.HasPrefix(n, " ") {
					t.Errorf("%q is the name of two paths", n)
				}
				seen[n] = true
			}
		})
	}
}

// TestPatchPlans expects patches and probes to look up by indexes what they
// need, with the one plan for any arguments that the projector has made.
func TestPatchPlans(t *testing.T) {
	l := openLive(t, "blog", `
INSERT INTO tb_user (id, username) SELECT md5('u' || i)::uuid, 'user' || i FROM generate_series(1, 500) i;
INSERT INTO tb_post (id, author_id, title, content) SELECT md5('p' || i)::uuid, md5('u' || 1 + i % 500)::uuid, 'Post ' || i, 'text' FROM generate_series(1, 2000) i`)
	exec(t, l.conn, "ANALYZE")
	for name, value := range session.Indexed {
		exec(t, l.conn, fmt.Sprintf("SET %s = %s", name, literal(value)))
	}
	for _, p := range l.paths() {
		if p.Name != "public.tb_user(id) -> Post.author" {
			continue
		}
		patch := l.explain("$1::text[], $2::pg_lsn, $3::timestamptz", p.Patch, "'{a0000000-0000-4000-8000-000000000000}', '0/1', now()")
		expectPlan(t, patch, " on tb_post_pkey", "Index Scan using tb_user_pkey", "Index Scan using tv_post_pkey")
		probe := l.explain("$1::text[], $2::bigint", p.Probe, "'{a0000000-0000-4000-8000-000000000000}', 10")
		expectPlan(t, probe, "Limit", "tb_post_author_id")
		return
	}
	t.Error("there is no such path")
}

// explain is the generic plan of a statement; types are those of its
// parameters, in the order in which it has them, for people.
func (l *live) explain(types, sql, args string) string {
	l.t.Helper()
	var names []string
	for part := range strings.SplitSeq(types, ", ") {
		_, name, _ := strings.Cut(part, "::")
		names = append(names, name)
	}
	exec(l.t, l.conn, "PREPARE explained ("+strings.Join(names, ", ")+") AS "+sql)
	plan := strings.Join(l.strings("EXPLAIN (COSTS OFF) EXECUTE explained ("+args+")"), "\n")
	exec(l.t, l.conn, "DEALLOCATE explained")
	return plan
}

func expectPlan(t *testing.T, plan string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(plan, part) {
			t.Errorf("no %q in the plan:\n%s", part, plan)
		}
	}
	if strings.Contains(plan, "Seq Scan") {
		t.Errorf("the plan reads a table whole:\n%s", plan)
	}
}
