package batch

import (
	"freshet/projector/catalog"
	"freshet/projector/compile"
	"freshet/projector/wal"
)

// The paths of the test plan: what a compiler would make of posts with an
// author and comments, and of a join table with a composite start.
const (
	pathUser = iota
	pathPost
	pathPostAuthor // posts by their author's row
	pathPostComments
	pathTagging
	pathComment
)

const (
	modelUser = iota
	modelPost
	modelComment
)

func testPlan() *compile.Plan {
	user, post, comment := &compile.ReadModel{ID: modelUser, Name: "User"}, &compile.ReadModel{ID: modelPost, Name: "Post"}, &compile.ReadModel{ID: modelComment, Name: "Comment"}
	return &compile.Plan{
		ReadModels: []*compile.ReadModel{user, post, comment},
		Sources: []*compile.Source{
			{
				Table: table("tb_user", "id", "username", "bio"), Reads: []string{"id", "username"}, Identity: []string{"id"},
				Paths: []*compile.Path{
					{ID: pathUser, Model: user, Via: "User", Start: []string{"id"}, Direct: true, Reads: []string{"id", "username"}},
					{ID: pathPostAuthor, Model: post, Via: "Post.author", Start: []string{"id"}, Reads: []string{"id", "username"}},
				},
			},
			{
				Table: table("tb_post", "id", "title", "draft"), Reads: []string{"id", "title"}, Identity: []string{"id"},
				Paths: []*compile.Path{
					{ID: pathPost, Model: post, Via: "Post", Start: []string{"id"}, Direct: true, Reads: []string{"id", "title"}},
				},
			},
			{
				Table: table("tb_comment", "id", "post_id", "content"), Reads: []string{"content", "id", "post_id"}, Identity: []string{"id", "post_id"},
				Paths: []*compile.Path{
					{ID: pathComment, Model: comment, Via: "Comment", Start: []string{"id"}, Direct: true, Reads: []string{"content", "id"}},
					{ID: pathPostComments, Model: post, Via: "Post.comments", Start: []string{"post_id"}, Direct: true, Reads: []string{"content", "id", "post_id"}},
				},
			},
			{
				Table: table("tb_tagging", "a", "b", "length"), Reads: []string{"a", "b", "length"}, Identity: []string{"a", "b"},
				Paths: []*compile.Path{
					{ID: pathTagging, Model: post, Via: "Post.tags", Start: []string{"a", "b"}, Reads: []string{"a", "b", "length"}},
				},
			},
		},
	}
}

// table makes a table of nullable columns; "length" is a generated one.
func table(name string, columns ...string) *catalog.Table {
	t := &catalog.Table{Name: catalog.Name{Schema: "public", Name: name}}
	for i, c := range columns {
		t.Columns = append(t.Columns, &catalog.Column{Name: c, Num: int16(i + 1), Generated: c == "length"})
	}
	return t
}

// The OIDs of the tables in the stream.
const (
	users    = 16384
	posts    = 16385
	comments = 16386
	taggings = 16387
	others   = 16388
)

// relations describes the tables; a name with a star is in the replica identity.
func relations() []wal.Message {
	return []wal.Message{
		describe(users, "tb_user", 'd', "*id", "username", "bio"),
		describe(posts, "tb_post", 'f', "id", "title", "draft"),
		describe(comments, "tb_comment", 'i', "*id", "content", "*post_id"),
		describe(taggings, "tb_tagging", 'f', "a", "b"),
		describe(others, "tb_other", 'n', "id"),
	}
}

func describe(id uint32, table string, identity byte, columns ...string) *wal.Relation {
	r := &wal.Relation{ID: id, Schema: "public", Table: table, Identity: identity}
	for _, c := range columns {
		key := c[0] == '*'
		if key {
			c = c[1:]
		}
		r.Columns = append(r.Columns, wal.Column{Name: c, Key: key || identity == 'f'})
	}
	return r
}

const (
	null      = "\x00null"
	unchanged = "\x00unchanged"
	binary    = "\x00binary"
)

func row(cells ...string) wal.Tuple {
	t := make(wal.Tuple, len(cells))
	for i, c := range cells {
		switch c {
		case null:
			t[i].Kind = wal.Null
		case unchanged:
			t[i].Kind = wal.Unchanged
		case binary:
			t[i] = wal.Cell{Kind: wal.Binary, Text: "\x01"}
		default:
			t[i] = wal.Cell{Kind: wal.Text, Text: c}
		}
	}
	return t
}
