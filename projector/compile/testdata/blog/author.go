package blog

import (
	"context"
	"math/rand/v2"

	"github.com/jackc/pgx/v5/pgxpool"
)

// author decides what one connection of a Writer writes.
type author struct {
	shelf *shelf
	rng   *rand.Rand
	hot   *rand.Zipf
}

func newAuthor(s *shelf, rng *rand.Rand) *author {
	return &author{shelf: s, rng: rng, hot: popularity(rng, len(s.posts))}
}

// habits are what is written, in percent.
var habits = []struct {
	percent int
	write   func(*author, context.Context, *pgxpool.Pool) (Write, error)
}{
	{70, (*author).comment},
	{8, (*author).edit},
	{5, (*author).retitle},
	{5, (*author).publish},
	{4, (*author).rename},
	{4, (*author).withdraw},
	{3, (*author).post},
	{1, (*author).remove},
}

func (a *author) write(ctx context.Context, pool *pgxpool.Pool) (Write, error) {
	n := a.rng.IntN(100)
	for _, h := range habits {
		if n -= h.percent; n < 0 {
			return h.write(a, ctx, pool)
		}
	}
	return a.comment(ctx, pool)
}

func (a *author) user() [16]byte { return a.shelf.users[a.rng.IntN(len(a.shelf.users))] }

func (a *author) comment(ctx context.Context, pool *pgxpool.Pool) (Write, error) {
	key, text := newID(a.rng), a.shelf.words.text(a.rng, 1, 2)
	post := a.shelf.posts[a.hot.Uint64()]
	_, err := pool.Exec(ctx, "INSERT INTO tb_comment (id, post_id, author_id, content) VALUES ($1, $2, $3, $4)",
		[16]byte(key), [16]byte(post), a.user(), text)
	if err == nil {
		a.shelf.addComment(key)
	}
	return Write{Kind: "comment", Comment: key.String(), Content: text}, err
}

func (a *author) edit(ctx context.Context, pool *pgxpool.Pool) (Write, error) {
	key, ok := a.shelf.someComment(a.rng, false)
	if !ok {
		return a.comment(ctx, pool)
	}
	text := a.shelf.words.text(a.rng, 1, 2) + " (edited)"
	tag, err := pool.Exec(ctx, "UPDATE tb_comment SET content = $2 WHERE id = $1", [16]byte(key), text)
	w := Write{Kind: "edit"}
	if tag.RowsAffected() == 1 {
		w.Comment, w.Content = key.String(), text
	}
	return w, err
}

func (a *author) retitle(ctx context.Context, pool *pgxpool.Pool) (Write, error) {
	_, err := pool.Exec(ctx, "UPDATE tb_post SET title = $2 WHERE id = $1",
		[16]byte(a.shelf.posts[a.hot.Uint64()]), a.shelf.words.title(a.rng))
	return Write{Kind: "retitle"}, err
}

func (a *author) publish(ctx context.Context, pool *pgxpool.Pool) (Write, error) {
	post := a.shelf.posts[a.rng.IntN(len(a.shelf.posts))]
	_, err := pool.Exec(ctx, "UPDATE tb_post SET published = NOT published WHERE id = $1", [16]byte(post))
	return Write{Kind: "publish"}, err
}

func (a *author) rename(ctx context.Context, pool *pgxpool.Pool) (Write, error) {
	name := a.shelf.words.first(a.rng) + " " + a.shelf.words.last(a.rng)
	_, err := pool.Exec(ctx, "UPDATE tb_user SET full_name = $2 WHERE id = $1", a.user(), name)
	return Write{Kind: "rename"}, err
}

func (a *author) withdraw(ctx context.Context, pool *pgxpool.Pool) (Write, error) {
	key, ok := a.shelf.someComment(a.rng, true)
	if !ok {
		return a.comment(ctx, pool)
	}
	_, err := pool.Exec(ctx, "DELETE FROM tb_comment WHERE id = $1", [16]byte(key))
	return Write{Kind: "withdraw"}, err
}

func (a *author) post(ctx context.Context, pool *pgxpool.Pool) (Write, error) {
	key := newID(a.rng)
	_, err := pool.Exec(ctx, "INSERT INTO tb_post (id, author_id, title, content, published) VALUES ($1, $2, $3, $4, true)",
		[16]byte(key), a.user(), a.shelf.words.title(a.rng), a.shelf.words.text(a.rng, 4, 8))
	if err == nil {
		a.shelf.addPost(key)
	}
	return Write{Kind: "post"}, err
}

func (a *author) remove(ctx context.Context, pool *pgxpool.Pool) (Write, error) {
	key, ok := a.shelf.takePost()
	if !ok {
		return a.post(ctx, pool)
	}
	_, err := pool.Exec(ctx, "DELETE FROM tb_post WHERE id = $1", [16]byte(key))
	return Write{Kind: "remove"}, err
}
