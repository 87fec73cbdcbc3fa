package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/projector/backfill"
	"freshet/projector/compile"
	"freshet/projector/session"
	"freshet/projector/stream"
)

// plainPosts is what somebody would write who fills such a table once and by
// hand. It yields the documents of the model file, as the run checks.
const plainPosts = `
INSERT INTO plain_post (id, data)
SELECT p.id, jsonb_build_object(
    'id', p.id, 'title', p.title, 'content', p.content, 'published', p.published, 'createdAt', p.created_at,
    'author', (SELECT jsonb_build_object('id', u.id, 'username', u.username, 'fullName', u.full_name) FROM tb_user u WHERE u.id = p.author_id),
    'comments', coalesce((
        SELECT jsonb_agg(jsonb_build_object('id', c.id, 'content', c.content, 'createdAt', c.created_at, 'author', c.author) ORDER BY c.created_at DESC, c.id)
        FROM (SELECT c.*, jsonb_build_object('id', a.id, 'username', a.username) AS author
              FROM tb_comment c JOIN tb_user a ON a.id = c.author_id
              WHERE c.post_id = p.id ORDER BY c.created_at DESC, c.id LIMIT 50) c), '[]'),
    'commentCount', (SELECT count(*) FROM tb_comment c WHERE c.post_id = p.id))
FROM tb_post p`

// backfills compares the first fill of all posts with one INSERT … SELECT. The
// former cuts the source into ranges, notes each, builds indexes and analyzes;
// the latter does none of that.
func backfills(ctx context.Context, w *world) error {
	var s sides
	for range w.rounds {
		ours, theirs, err := w.backfill(ctx)
		if err != nil {
			return err
		}
		w.log("posts: one INSERT … SELECT %.2f s, backfill %.2f s", theirs, ours)
		s.ours, s.theirs = append(s.ours, ours), append(s.theirs, theirs)
	}
	ours, theirs := s.values()
	w.report.add(row{Name: "backfill of posts", Unit: "s", Value: ours, Baseline: theirs,
		Against: "one INSERT … SELECT of the same documents"}, ratioAtMost(1.3))
	return nil
}

// backfill does both in a new copy.
func (w *world) backfill(ctx context.Context) (ours, theirs float64, err error) {
	name, err := w.copyOf(ctx, sources)
	if err != nil {
		return 0, 0, err
	}
	cfg, plan, err := w.migrated(ctx, name)
	if err != nil {
		return 0, 0, err
	}
	conn, err := session.Connect(ctx, cfg, "bench")
	if err != nil {
		return 0, 0, err
	}
	defer session.Close(conn)
	if theirs, err = plain(ctx, conn); err != nil {
		return 0, 0, err
	}
	if ours, err = fillPosts(ctx, conn, cfg, plan, name); err != nil {
		return 0, 0, err
	}
	if err := sameDocuments(ctx, conn); err != nil {
		return 0, 0, err
	}
	session.Close(conn)
	return ours, theirs, w.drop(ctx, name)
}

// plain returns the seconds of the one statement. It comes first, but on
// tables that are in memory: they have just been copied.
func plain(ctx context.Context, conn *pgx.Conn) (float64, error) {
	if _, err := conn.Exec(ctx, `CREATE TABLE plain_post (id uuid PRIMARY KEY, data jsonb NOT NULL)`); err != nil {
		return 0, err
	}
	if _, err := conn.Exec(ctx, "CHECKPOINT"); err != nil {
		return 0, err
	}
	began := time.Now()
	_, err := conn.Exec(ctx, plainPosts)
	return time.Since(began).Seconds(), err
}

// fillPosts returns the seconds of the backfill, under the snapshot of a slot
// as at a projector's first start.
func fillPosts(ctx context.Context, conn *pgx.Conn, cfg *pgx.ConnConfig, plan *compile.Plan, slot string) (float64, error) {
	post, err := readModel(plan, "Post")
	if err != nil {
		return 0, err
	}
	if _, err := conn.Exec(ctx, "CHECKPOINT"); err != nil {
		return 0, err
	}
	created, err := stream.CreateSlot(ctx, stream.Config{Conn: &cfg.Config, Slot: slot, Publication: "freshet"})
	if err != nil {
		return 0, err
	}
	defer func() { _ = created.Close(context.WithoutCancel(ctx)) }() // the snapshot is of no use any more
	began := time.Now()
	err = backfill.Run(ctx, backfill.Config{
		ConnConfig: cfg, Models: []*compile.ReadModel{post}, Slot: slot, Workers: max(2, runtime.GOMAXPROCS(0)),
		Snapshot: created.Snapshot, Start: created.ConsistentPoint,
	})
	return time.Since(began).Seconds(), err
}

// sameDocuments makes sure that both sides have done the same work.
func sameDocuments(ctx context.Context, conn *pgx.Conn) error {
	var wrong int
	err := conn.QueryRow(ctx, `SELECT count(*) FROM plain_post a FULL JOIN tv_post b USING (id) WHERE a.data IS DISTINCT FROM b.data`).Scan(&wrong)
	if err != nil {
		return err
	}
	if wrong > 0 {
		return fmt.Errorf("%d posts differ from the documents of the plain statement", wrong)
	}
	return nil
}
