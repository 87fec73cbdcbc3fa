package batch

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"freshet/projector/wal"
)

// held is what a Dirty holds, to compare.
type held struct {
	Values map[int][]Value
	Whole  []int
}

func contents(d *Dirty) held {
	h := held{Whole: d.Whole()}
	for _, p := range d.Paths() {
		if h.Values == nil {
			h.Values = map[int][]Value{}
		}
		h.Values[p] = slices.Sorted(d.Values(p))
	}
	return h
}

// assemble feeds a whole transaction with these changes.
func assemble(t *testing.T, opts Options, changes ...wal.Message) *Transaction {
	t.Helper()
	a := NewAssembler(testPlan(), opts)
	tx, err := feedAll(a, transaction(changes...)...)
	if err != nil {
		t.Fatalf("Feed: %v", err)
	}
	if tx == nil {
		t.Fatal("no transaction at Commit")
	}
	return tx
}

func transaction(changes ...wal.Message) []wal.Message {
	all := []wal.Message{&wal.Begin{FinalLSN: 0x100, CommitTime: time.Unix(7, 0), XID: 771}}
	all = append(all, relations()...)
	all = append(all, changes...)
	return append(all, &wal.Commit{CommitLSN: 0x100, EndLSN: 0x130, CommitTime: time.Unix(7, 0)})
}

// feedAll feeds until the first error, and returns the last transaction.
func feedAll(a *Assembler, all ...wal.Message) (*Transaction, error) {
	var last *Transaction
	for _, m := range all {
		tx, err := a.Feed(m)
		if err != nil {
			return nil, err
		}
		if tx != nil {
			last = tx
		}
	}
	return last, nil
}

func TestFeedChanges(t *testing.T) {
	type values = map[int][]Value
	for name, c := range map[string]struct {
		change wal.Message
		want   held
	}{
		"insert": {
			&wal.Insert{Relation: users, New: row("1", "ann", null)},
			held{Values: values{pathUser: {"1"}, pathPostAuthor: {"1"}}},
		},
		"insert without a parent": {
			&wal.Insert{Relation: comments, New: row("7", "hi", null)},
			held{Values: values{pathComment: {"7"}}},
		},
		"update, key unchanged": {
			&wal.Update{Relation: users, New: row("1", "bob", unchanged)},
			held{Values: values{pathUser: {"1"}, pathPostAuthor: {"1"}}},
		},
		"key update": {
			&wal.Update{Relation: users, OldRow: wal.OldKey, Old: row("1", null, null), New: row("2", "bob", null)},
			held{Values: values{pathUser: {"1", "2"}, pathPostAuthor: {"1", "2"}}},
		},
		"foreign key moves": {
			&wal.Update{Relation: comments, OldRow: wal.OldKey, Old: row("7", null, "p1"), New: row("7", "hi", "p2")},
			held{Values: values{pathComment: {"7"}, pathPostComments: {"p1", "p2"}}},
		},
		"foreign key set to null": {
			&wal.Update{Relation: comments, OldRow: wal.OldKey, Old: row("7", null, "p1"), New: row("7", "hi", null)},
			held{Values: values{pathComment: {"7"}, pathPostComments: {"p1"}}},
		},
		"toasted key unchanged": {
			&wal.Update{Relation: comments, OldRow: wal.OldKey, Old: row("7", null, "long"), New: row("8", "hi", unchanged)},
			held{Values: values{pathComment: {"7", "8"}, pathPostComments: {"long"}}},
		},
		"full, nothing read changes": {
			&wal.Update{Relation: posts, OldRow: wal.OldFull, Old: row("p1", "t", "a"), New: row("p1", "t", "b")},
			held{},
		},
		"full, what is read is toasted and unchanged": {
			&wal.Update{Relation: posts, OldRow: wal.OldFull, Old: row("p1", "t", "a"), New: row("p1", unchanged, "b")},
			held{},
		},
		"full, read column changes": {
			&wal.Update{Relation: posts, OldRow: wal.OldFull, Old: row("p1", "t", "a"), New: row("p1", null, "a")},
			held{Values: values{pathPost: {"p1"}}},
		},
		"full, toasted start unchanged": {
			&wal.Update{Relation: posts, OldRow: wal.OldFull, Old: row("p1", "t", "a"), New: row(unchanged, "u", "a")},
			held{Values: values{pathPost: {"p1"}}},
		},
		"full, empty text is not null": {
			&wal.Update{Relation: posts, OldRow: wal.OldFull, Old: row("", "t", "a"), New: row("p1", "t", "a")},
			held{Values: values{pathPost: {"", "p1"}}},
		},
		"composite start": {
			&wal.Insert{Relation: taggings, New: row("1:", "x")},
			held{Values: values{pathTagging: {"2:1:1:x"}}},
		},
		"half a composite start": {
			&wal.Insert{Relation: taggings, New: row("1", null)},
			held{},
		},
		"a generated column is read: any change counts": {
			&wal.Update{Relation: taggings, OldRow: wal.OldFull, Old: row("a", "b"), New: row("a", "c")},
			held{Values: values{pathTagging: {"1:a1:b", "1:a1:c"}}},
		},
		"a generated column is read: no change": {
			&wal.Update{Relation: taggings, OldRow: wal.OldFull, Old: row("a", "b"), New: row("a", unchanged)},
			held{},
		},
		"delete by key": {
			&wal.Delete{Relation: comments, OldRow: wal.OldKey, Old: row("7", null, "p1")},
			held{Values: values{pathComment: {"7"}, pathPostComments: {"p1"}}},
		},
		"delete of a full row": {
			&wal.Delete{Relation: posts, OldRow: wal.OldFull, Old: row("p1", "t", "a")},
			held{Values: values{pathPost: {"p1"}}},
		},
		"truncate": {
			&wal.Truncate{Relations: []uint32{users}},
			held{Whole: []int{modelUser, modelPost}},
		},
		"truncate cascade": {
			&wal.Truncate{Relations: []uint32{comments, others, posts}, Cascade: true},
			held{Whole: []int{modelPost, modelComment}},
		},
		"a table outside the plan": {
			&wal.Insert{Relation: others, New: row("1")},
			held{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tx := assemble(t, Options{}, c.change)
			if diff := cmp.Diff(c.want, contents(&tx.Dirty)); diff != "" {
				t.Errorf("dirty: -want +got\n%s", diff)
			}
		})
	}
}

func TestFeedTransaction(t *testing.T) {
	tx := assemble(t, Options{},
		&wal.Origin{Origin: "elsewhere"}, &wal.Type{ID: 1},
		&wal.Insert{Relation: users, New: row("1", "ann", null)},
		&wal.Update{Relation: posts, OldRow: wal.OldFull, Old: row("p1", "t", "a"), New: row("p1", "t", "b")},
		&wal.Insert{Relation: others, New: row("1")},
		&wal.Truncate{Relations: []uint32{others, comments}},
		&wal.Logical{Transactional: true, Prefix: "freshet", Content: "41"},
		&wal.Logical{Transactional: true, Prefix: "somebody", Content: "x"},
		&wal.Logical{Transactional: true, Prefix: "freshet", Content: "42"},
	)
	tx.Dirty = Dirty{}
	want := &Transaction{XID: 771, CommitLSN: 0x100, EndLSN: 0x130, CommitTime: time.Unix(7, 0), Changes: 3, Described: true, Markers: []string{"41", "42"}}
	if diff := cmp.Diff(want, tx, cmp.AllowUnexported(Dirty{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// Values that are kept do not hold on to the row that they came in.
func TestFeedClonesValues(t *testing.T) {
	big := []byte("p1" + string(make([]byte, 1<<16)))
	whole := string(big)
	tx := assemble(t, Options{}, &wal.Insert{Relation: posts, New: wal.Tuple{{Kind: wal.Text, Text: whole[:2]}, {Kind: wal.Null}, {Kind: wal.Null}}})
	for v := range tx.Dirty.Values(pathPost) {
		if sameMemory(string(v), whole) {
			t.Error("the value is part of the row's string")
		}
	}
}

func TestFeedSpills(t *testing.T) {
	changes := []wal.Message{&wal.Insert{Relation: users, New: row("u", "ann", null)}}
	for i := range 10 {
		changes = append(changes, &wal.Insert{Relation: comments, New: row("c"+strconv.Itoa(i), "hi", "p"+strconv.Itoa(i/2))})
	}
	got := contents(&assemble(t, Options{Limit: 9}, changes...).Dirty)
	want := held{Whole: []int{modelComment}, Values: map[int][]Value{pathUser: {"u"}, pathPostAuthor: {"u"}, pathPostComments: {"p0", "p1", "p2", "p3", "p4"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestFeedSchemaErrors(t *testing.T) {
	for name, c := range map[string]struct {
		relation *wal.Relation
		models   []string // those that alone depend on it
	}{
		"column dropped":          {describe(users, "tb_user", 'd', "*id", "bio"), []string{"Post", "User"}},
		"column renamed":          {describe(posts, "tb_post", 'f', "id", "headline", "draft"), []string{"Post"}},
		"link dropped":            {describe(comments, "tb_comment", 'f', "id", "content"), []string{"Post"}},
		"identity nothing":        {describe(users, "tb_user", 'n', "*id", "username", "bio"), []string{"Post", "User"}},
		"identity too small":      {describe(comments, "tb_comment", 'd', "*id", "content", "post_id"), []string{"Post"}},
		"identity by wrong index": {describe(comments, "tb_comment", 'i', "id", "content", "*post_id"), []string{"Comment"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := c.relation
			a := NewAssembler(testPlan(), Options{})
			_, err := feedAll(a, &wal.Begin{}, m)
			var schema *SchemaError
			if !errors.As(err, &schema) {
				t.Fatalf("%v, not a SchemaError", err)
			}
			if schema.Table != "public."+m.Table || schema.Problem == "" || schema.Remedy == "" {
				t.Errorf("%+v", schema)
			}
			if diff := cmp.Diff(c.models, schema.Models); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			// Without these read models the same table is none of the plan's, or fits.
			gone := map[string]bool{}
			for _, name := range schema.Models {
				gone[name] = true
			}
			if _, err := feedAll(NewAssembler(testPlan().Without(gone), Options{}), &wal.Begin{}, m); err != nil {
				t.Errorf("without %v: %v", schema.Models, err)
			}
		})
	}
}

func TestFeedMissingToastedStart(t *testing.T) {
	a := NewAssembler(testPlan(), Options{})
	_, err := feedAll(a, transaction(&wal.Update{Relation: comments, New: row("7", "hi", unchanged)})...)
	var schema *SchemaError
	if !errors.As(err, &schema) || schema.Table != "public.tb_comment" {
		t.Errorf("%v, not a SchemaError of tb_comment", err)
	}
}

func TestFeedProtocolErrors(t *testing.T) {
	begin := &wal.Begin{FinalLSN: 0x100, XID: 771}
	commit := &wal.Commit{CommitLSN: 0x100, EndLSN: 0x130}
	in := func(m ...wal.Message) []wal.Message {
		return append(append([]wal.Message{begin}, relations()...), m...)
	}
	for name, all := range map[string][]wal.Message{
		"insert outside":       append(relations(), &wal.Insert{Relation: users, New: row("1", "ann", null)}),
		"truncate outside":     append(relations(), &wal.Truncate{Relations: []uint32{users}}),
		"marker outside":       {&wal.Logical{Transactional: true, Prefix: "freshet"}},
		"begin inside":         in(begin),
		"commit outside":       {commit},
		"second commit":        in(commit, commit),
		"commit of another":    in(&wal.Commit{CommitLSN: 0x101, EndLSN: 0x130}),
		"commit ends before":   in(&wal.Commit{CommitLSN: 0x100, EndLSN: 0x100}),
		"nil":                  in(nil),
		"undescribed relation": in(&wal.Insert{Relation: 1, New: row("1")}),
		"undescribed truncate": in(&wal.Truncate{Relations: []uint32{users, 1}}),
		"row too short":        in(&wal.Insert{Relation: users, New: row("1")}),
		"old row too short":    in(&wal.Update{Relation: users, OldRow: wal.OldKey, Old: row("1"), New: row("1", "ann", null)}),
		"deleted row too long": in(&wal.Delete{Relation: users, OldRow: wal.OldKey, Old: row("1", null, null, null)}),
		"binary value":         in(&wal.Insert{Relation: users, New: row(binary, "ann", null)}),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := feedAll(NewAssembler(testPlan(), Options{}), all...); !errors.Is(err, ErrProtocol) {
				t.Errorf("%v, not ErrProtocol", err)
			}
		})
	}
}

// A table is described again after its columns changed, and its rows are read
// by the new description.
func TestFeedRelationAgain(t *testing.T) {
	tx := assemble(t, Options{},
		&wal.Insert{Relation: posts, New: row("p1", "t", "a")},
		describe(posts, "tb_post", 'f', "extra", "title", "id"),
		&wal.Insert{Relation: posts, New: row("x", "t", "p2")})
	if diff := cmp.Diff([]Value{"p1", "p2"}, contents(&tx.Dirty).Values[pathPost]); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestReset(t *testing.T) {
	a := NewAssembler(testPlan(), Options{})
	if _, err := feedAll(a, &wal.Begin{XID: 1}, relations()[0]); err != nil || !a.InTransaction() {
		t.Fatalf("in a transaction %v, %v", a.InTransaction(), err)
	}
	a.Reset()
	if a.InTransaction() {
		t.Error("still in a transaction")
	}
	_, err := feedAll(a, &wal.Begin{XID: 1}, &wal.Insert{Relation: users, New: row("1", "ann", null)})
	if !errors.Is(err, ErrProtocol) {
		t.Errorf("a relation of the last connection is still known: %v", err)
	}
}

// Where the replica identity does not cover a start that the plan does not
// need the old value of, only the new value counts.
func TestFeedStartOutsideIdentity(t *testing.T) {
	plan := testPlan()
	plan.Sources[0].Paths[1].Start = []string{"username"}
	a := NewAssembler(plan, Options{})
	tx, err := feedAll(a, transaction(
		&wal.Update{Relation: users, OldRow: wal.OldKey, Old: row("1", null, null), New: row("2", "ann", null)},
		&wal.Delete{Relation: users, OldRow: wal.OldKey, Old: row("3", null, null)})...)
	if err != nil {
		t.Fatal(err)
	}
	want := map[int][]Value{pathUser: {"1", "2", "3"}, pathPostAuthor: {"ann"}}
	if diff := cmp.Diff(want, contents(&tx.Dirty).Values); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func BenchmarkFeed(b *testing.B) {
	a := NewAssembler(testPlan(), Options{})
	if _, err := feedAll(a, append([]wal.Message{&wal.Begin{}}, relations()...)...); err != nil {
		b.Fatal(err)
	}
	m := &wal.Update{Relation: comments, OldRow: wal.OldKey, Old: row("7", null, "p1"), New: row("7", "hi", "p2")}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Feed(m); err != nil {
			b.Fatal(err)
		}
	}
}
