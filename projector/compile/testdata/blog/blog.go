// Package blog is the example that the demo, the tests and the benchmarks
// share: a model file, the tables behind it, data of any size that looks like
// a blog's, and writers that go on using it.
//
// Guarantees: the same Size and seed give the same rows, byte for byte; and
// the comments are skewed as in life, two thirds of them on one post in a
// hundred.
package blog

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Model is the model file.
//
//go:embed model.graphql
var Model string

// Schema creates the tables.
//
//go:embed schema.sql
var Schema string

// Size is how many rows there are of each kind.
type Size struct {
	Users    int
	Posts    int
	Comments int
}

// DefaultSize is the demo's.
var DefaultSize = Size{Users: 10_000, Posts: 50_000, Comments: 200_000}

// Check says what is wrong with a size.
func (s Size) Check() error {
	if s.Users < 1 || s.Posts < 1 || s.Comments < 0 {
		return fmt.Errorf("a blog needs at least one user and one post, and no fewer than 0 comments: %+v", s)
	}
	return nil
}

// Load fills the empty tables, by COPY, and analyzes them. Foreign keys are
// not checked row by row, which needs a superuser; the rows are made to obey
// them.
func Load(ctx context.Context, conn *pgx.Conn, size Size, seed uint64) error {
	if err := size.Check(); err != nil {
		return err
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return fmt.Errorf("load the blog: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // does nothing once committed
	if _, err := tx.Exec(ctx, "SET LOCAL session_replication_role = replica"); err != nil {
		return fmt.Errorf("load the blog: %w", err)
	}
	g := newGenerator(size, seed)
	for _, t := range g.tables() {
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, pgx.CopyFromFunc(t.next())); err != nil {
			return fmt.Errorf("load %s: %w", t.name, err)
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("load the blog: %w", err)
	}
	if _, err := conn.Exec(ctx, "VACUUM (ANALYZE) tb_user, tb_post, tb_comment"); err != nil {
		return fmt.Errorf("analyze the blog: %w", err)
	}
	return nil
}
