package batch

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"freshet/projector/compile"
	"freshet/projector/wal"
)

const (
	ownPost      = iota // rebuilds
	ownPostPatch        // patches
	ownPosts            // of the author
	ownPostCount        // of the author
)

// ownPlan has posts whose comments do not depend on what the post says, and the
// posts' authors.
func ownPlan(kind byte) *compile.Plan {
	user, post := &compile.ReadModel{ID: modelUser, Name: "User"}, &compile.ReadModel{ID: modelPost, Name: "Post"}
	t := table("tb_post", "id", "author_id", "title", "draft")
	t.Kind = kind
	return &compile.Plan{
		ReadModels: []*compile.ReadModel{user, post},
		Sources: []*compile.Source{{
			Table: t, Reads: []string{"author_id", "id", "title"}, Identity: []string{"id"},
			Paths: []*compile.Path{
				{ID: ownPost, PatchID: ownPostPatch, Kept: []string{"author_id", "id"}, Model: post, Via: "Post", Start: []string{"id"}, Direct: true, Reads: []string{"author_id", "id", "title"}},
				{ID: ownPosts, Model: user, Via: "User.posts", Start: []string{"author_id"}, Direct: true, Reads: []string{"author_id", "id", "title"}},
				{ID: ownPostCount, Model: user, Via: "User.postCount", Start: []string{"author_id"}, Reads: []string{"author_id"}},
			},
		}},
	}
}

// TestOwnPatch has updates of a document's own row under each replica identity:
// only where all that leads elsewhere is known to be as it was is it a patch,
// and what is known to be as it was in all that a path reads leads nowhere.
func TestOwnPatch(t *testing.T) {
	index := describe(posts, "tb_post", 'i', "*id", "*author_id", "title", "draft")
	primary := describe(posts, "tb_post", 'd', "*id", "author_id", "title", "draft")
	full := describe(posts, "tb_post", 'f', "id", "author_id", "title", "draft")
	now := row("1", "a", "new", "no")
	retitled := held{Values: map[int][]Value{ownPostPatch: {"1"}, ownPosts: {"a"}}}
	moved := held{Values: map[int][]Value{ownPost: {"1"}, ownPosts: {"a", "b"}, ownPostCount: {"a", "b"}}}
	unknown := held{Values: map[int][]Value{ownPost: {"1"}, ownPosts: {"a"}, ownPostCount: {"a"}}}
	for _, c := range []struct {
		name    string
		kind    byte
		rel     *wal.Relation
		changes []wal.Message
		want    held
	}{
		{"index, identity as it was", 'r', index, []wal.Message{&wal.Update{Relation: posts, New: now}}, retitled},
		{"index, link moved with the title", 'r', index, []wal.Message{&wal.Update{Relation: posts, New: now, OldRow: wal.OldKey, Old: row("1", "b", null, null)}}, moved},
		{"index, old key equal", 'r', index, []wal.Message{&wal.Update{Relation: posts, New: row(unchanged, "a", "new", "no"), OldRow: wal.OldKey, Old: row("1", "a", null, null)}}, retitled},
		{"index, key moved", 'r', index, []wal.Message{&wal.Update{Relation: posts, New: now, OldRow: wal.OldKey, Old: row("2", "a", null, null)}},
			held{Values: map[int][]Value{ownPost: {"1", "2"}, ownPosts: {"a"}}}},
		{"index, a partition", 'p', index, []wal.Message{&wal.Update{Relation: posts, New: now}}, unknown},
		{"primary key, link unknown", 'r', primary, []wal.Message{&wal.Update{Relation: posts, New: now}}, unknown},
		{"full, title", 'r', full, []wal.Message{&wal.Update{Relation: posts, New: now, OldRow: wal.OldFull, Old: row("1", "a", "old", "no")}}, retitled},
		{"full, link and title", 'r', full, []wal.Message{&wal.Update{Relation: posts, New: now, OldRow: wal.OldFull, Old: row("1", "b", "old", "no")}}, moved},
		{"full, link alone", 'r', full, []wal.Message{&wal.Update{Relation: posts, New: now, OldRow: wal.OldFull, Old: row("1", "b", "new", "no")}}, moved},
		{"full, link from nowhere", 'r', full, []wal.Message{&wal.Update{Relation: posts, New: now, OldRow: wal.OldFull, Old: row("1", null, "new", "no")}}, unknown},
		{"full, title not written again", 'r', full, []wal.Message{&wal.Update{Relation: posts, New: row("1", "a", unchanged, "yes"), OldRow: wal.OldFull, Old: row("1", "a", "old", "no")}}, held{}},
		{"full, no old row", 'r', full, []wal.Message{&wal.Update{Relation: posts, New: now}}, unknown},
		{"inserted and updated", 'r', index, []wal.Message{&wal.Insert{Relation: posts, New: now}, &wal.Update{Relation: posts, New: now}},
			held{Values: map[int][]Value{ownPost: {"1"}, ownPostPatch: {"1"}, ownPosts: {"a"}, ownPostCount: {"a"}}}},
		{"updated and moved", 'r', index, []wal.Message{
			&wal.Update{Relation: posts, New: row("1", "b", "x", "no")},
			&wal.Update{Relation: posts, New: now, OldRow: wal.OldKey, Old: row("1", "b", null, null)}},
			held{Values: map[int][]Value{ownPost: {"1"}, ownPostPatch: {"1"}, ownPosts: {"a", "b"}, ownPostCount: {"a", "b"}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := append([]wal.Message{&wal.Begin{FinalLSN: 0x100}, c.rel}, c.changes...)
			tx, err := feedAll(NewAssembler(ownPlan(c.kind), Options{}), append(all, &wal.Commit{CommitLSN: 0x100, EndLSN: 0x130})...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, contents(&tx.Dirty)); diff != "" {
				t.Errorf("dirty (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSpillForgetsPatches expects patches to count as their read model's values.
func TestSpillForgetsPatches(t *testing.T) {
	d := &Dirty{}
	for _, v := range []Value{"1", "2", "3"} {
		d.Add(ownPostPatch, v)
	}
	d.Add(ownPosts, "a")
	NewSpill(ownPlan('r'), 2).Trim(d)
	if !d.IsWhole(modelPost) || d.Len(ownPostPatch) != 0 || d.Len(ownPosts) != 1 {
		t.Errorf("whole %v, values %v", d.Whole(), contents(d))
	}
}
