// Package blog reads the blog's tables.
package blog

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// User is a row of tb_user.
type User struct {
	ID       string
	Username string
	FullName *string
}

// Post is a row of tb_post.
type Post struct {
	ID        string
	Title     string
	Content   string
	Published bool
	CreatedAt time.Time
	AuthorID  string
}

// Comment is a row of tb_comment.
type Comment struct {
	ID        string
	Content   string
	CreatedAt time.Time
	AuthorID  string
	PostID    string
}

// PostByID returns a post, nil if there is none.
func PostByID(ctx context.Context, pool *pgxpool.Pool, id string) (*Post, error) {
	var p Post
	err := pool.QueryRow(ctx, "SELECT id, title, content, published, created_at, author_id FROM tb_post WHERE id = $1", id).
		Scan(&p.ID, &p.Title, &p.Content, &p.Published, &p.CreatedAt, &p.AuthorID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &p, nil
}
