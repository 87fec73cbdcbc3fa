package blog

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/vikstrous/dataloadgen"
)

// wait is how long a loader gathers keys. The resolvers of a list ask within
// some microseconds of each other; more than this would only be slower.
const wait = 500 * time.Microsecond

// listLimit is how many comments a post shows, the latest first.
const listLimit = 50

// Loaders gather what the resolvers of one request ask for, so that each kind
// is one statement for all of them.
type Loaders struct {
	Users         *dataloadgen.Loader[string, *User]
	Comments      *dataloadgen.Loader[string, []*Comment] // by post
	CommentCounts *dataloadgen.Loader[string, int]        // by post
}

// NewLoaders returns the loaders of one request.
func NewLoaders(pool *pgxpool.Pool) *Loaders {
	return &Loaders{
		Users:         dataloadgen.NewMappedLoader(users(pool), dataloadgen.WithWait(wait)),
		Comments:      dataloadgen.NewLoader(comments(pool), dataloadgen.WithWait(wait)),
		CommentCounts: dataloadgen.NewLoader(commentCounts(pool), dataloadgen.WithWait(wait)),
	}
}

func users(pool *pgxpool.Pool) func(context.Context, []string) (map[string]*User, error) {
	return func(ctx context.Context, ids []string) (map[string]*User, error) {
		rows, err := pool.Query(ctx, "SELECT id, username, full_name FROM tb_user WHERE id = ANY($1)", ids)
		if err != nil {
			return nil, err
		}
		found := make(map[string]*User, len(ids))
		var u User
		_, err = pgx.ForEachRow(rows, []any{&u.ID, &u.Username, &u.FullName}, func() error {
			one := u
			found[u.ID] = &one
			return nil
		})
		return found, err
	}
}

// comments has the answer for a post without comments as well: an empty list.
func comments(pool *pgxpool.Pool) func(context.Context, []string) ([][]*Comment, []error) {
	const query = `SELECT c.id, c.content, c.created_at, c.author_id, c.post_id
FROM unnest($1::uuid[]) AS p(id)
CROSS JOIN LATERAL (SELECT * FROM tb_comment WHERE post_id = p.id ORDER BY created_at DESC, id LIMIT $2) c`
	return func(ctx context.Context, posts []string) ([][]*Comment, []error) {
		rows, err := pool.Query(ctx, query, posts, listLimit)
		if err != nil {
			return nil, []error{err}
		}
		byPost := make(map[string][]*Comment, len(posts))
		var c Comment
		_, err = pgx.ForEachRow(rows, []any{&c.ID, &c.Content, &c.CreatedAt, &c.AuthorID, &c.PostID}, func() error {
			one := c
			byPost[c.PostID] = append(byPost[c.PostID], &one)
			return nil
		})
		if err != nil {
			return nil, []error{err}
		}
		return inOrder(posts, byPost), nil
	}
}

func commentCounts(pool *pgxpool.Pool) func(context.Context, []string) ([]int, []error) {
	return func(ctx context.Context, posts []string) ([]int, []error) {
		rows, err := pool.Query(ctx, "SELECT post_id, count(*) FROM tb_comment WHERE post_id = ANY($1) GROUP BY post_id", posts)
		if err != nil {
			return nil, []error{err}
		}
		byPost := make(map[string]int, len(posts))
		var post string
		var count int
		_, err = pgx.ForEachRow(rows, []any{&post, &count}, func() error {
			byPost[post] = count
			return nil
		})
		if err != nil {
			return nil, []error{err}
		}
		return inOrder(posts, byPost), nil
	}
}

// inOrder returns what was found for each key, the zero value where nothing was.
func inOrder[V any](keys []string, found map[string]V) []V {
	all := make([]V, len(keys))
	for i, key := range keys {
		all[i] = found[key]
	}
	return all
}
