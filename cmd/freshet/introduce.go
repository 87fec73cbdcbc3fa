package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
)

// introduce prints where everything is, and queries to paste with keys that
// exist.
func (s *scene) introduce(ctx context.Context, pool *pgxpool.Pool) error {
	var post, username string
	err := pool.QueryRow(ctx, `SELECT p.id::text, u.username
		FROM tb_post p JOIN tb_user u ON u.id = p.author_id LEFT JOIN tb_comment c ON c.post_id = p.id
		GROUP BY p.id, u.id ORDER BY count(c.id) DESC, p.id LIMIT 1`).Scan(&post, &username)
	if err != nil {
		return fmt.Errorf("choose a post to show: %w", err)
	}
	s.app.printf(`
GraphiQL    %s
GraphQL     %s
Status      %s/status
Metrics     %s/metrics
Postgres    %s

Paste into GraphiQL:

%s

Every second: commits of the writer, documents written, the time from a COMMIT
until another connection reads the document, and the reader's requests. Ctrl-C
ends it and removes everything.

`, strings.TrimSuffix(s.service.graphURL, "graphql"), s.service.graphURL, s.service.adminURL, s.service.adminURL, shownURL(s), queries(post, username))
	return nil
}

// shownURL has no password: the demo's server asks for none.
func shownURL(s *scene) string {
	return fmt.Sprintf("postgres://%s@%s:%d/%s?sslmode=disable", s.cfg.User, s.cfg.Host, s.cfg.Port, s.cfg.Database)
}

func queries(post, username string) string {
	return fmt.Sprintf(`  # the post with the most comments: one lookup
  { post(id: %q) { title commentCount author { username } comments { content author { username } } } }

  # a user by name, with posts; content is not embedded there, so it is stitched
  { userByUsername(username: %q) { fullName postCount posts { title commentCount content } } }

  # the newest published posts, a page at a time
  { posts(first: 5, where: {published: {eq: true}}, orderBy: [{createdAt: DESC}]) {
      totalCount nodes { title createdAt author { username } } pageInfo { endCursor hasNextPage } } }`, post, username)
}
